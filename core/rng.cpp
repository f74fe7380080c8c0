#include "core/rng.h"

#include <cmath>
#include <numbers>

#include "core/autograd.h"
#include "core/error.h"

namespace limulus {

// FNV-1a over the letters, then the counters, each step spread by a multiplication.
std::uint64_t stream_of(std::string_view purpose, std::uint64_t a, std::uint64_t b) {
  std::uint64_t h = 0xcbf29ce484222325u;
  const auto mix = [&](std::uint64_t v) {
    h = (h ^ v) * 0x100000001b3u;
    h ^= h >> 29;
  };
  for (const char letter : purpose) mix(static_cast<unsigned char>(letter));
  for (const std::uint64_t counter : {a, b})
    for (int byte = 0; byte < 8; ++byte) mix((counter >> (8 * byte)) & 0xff);
  return h;
}

std::uint32_t Rng::word() {
  const auto lane = drawn_ % 4;
  if (lane == 0) block_ = philox_block(key_, drawn_ / 4);
  ++drawn_;
  return block_.v[lane];
}

double Rng::uniform() {
  const std::uint64_t high = word() >> 5, low = word() >> 6;  // 27 + 26 bits
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

double Rng::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u is in (0, 1]
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

// Words below the remainder of 2^64 / n would make small results likelier: they are drawn again.
std::uint64_t Rng::below(std::uint64_t n) {
  if (n == 0) throw ValueError("Rng::below: there is no number below 0");
  const std::uint64_t rejected = (0 - n) % n;
  for (;;) {
    const std::uint64_t high = word();
    const std::uint64_t w = (high << 32) | word();
    if (w >= rejected) return w % n;
  }
}

namespace {

template <class Draw>
void fill_with(Tensor& t, Draw draw) {
  check_floating("random fill", t);
  const NoGrad setting_values;
  const auto fill = [&]<class T>(T) {
    const auto n = static_cast<std::size_t>(t.numel());
    if (t.backend().host_memory()) {
      T* values = static_cast<T*>(t.mutable_data());
      for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(draw());
      return;
    }
    std::vector<T> values(n);
    for (T& v : values) v = static_cast<T>(draw());
    t.backend().upload(t.mutable_data(), values.data(), t.bytes());
  };
  if (t.dtype() == DType::f32)
    fill(float{});
  else
    fill(double{});
}

}  // namespace

void fill_uniform(Tensor& t, double low, double high, Rng& rng) {
  fill_with(t, [&] { return rng.uniform(low, high); });
}

void fill_normal(Tensor& t, double mean, double deviation, Rng& rng) {
  fill_with(t, [&] { return mean + deviation * rng.normal(); });
}

}  // namespace limulus
