#include "core/rng.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

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

namespace {

// In [0, 1), from 27 + 26 bits of two words.
double uniform_of(std::uint32_t first, std::uint32_t second) {
  const std::uint64_t high = first >> 5, low = second >> 6;
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

// Box and Muller: two uniform numbers are the distance and the direction of a point in the plane
// whose coordinates are normal, and independent.
struct NormalPair {
  double first, second;
};
NormalPair normal_pair(double u, double v) {
  const double radius = std::sqrt(-2 * std::log(1 - u));  // 1 - u is in (0, 1]
  const double angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

double Rng::uniform() {
  const std::uint32_t first = word();
  return uniform_of(first, word());
}

double Rng::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double u = uniform();
  const NormalPair pair = normal_pair(u, uniform());
  spare_ = pair.second;
  has_spare_ = true;
  return pair.first;
}

// A block's four words are two uniform numbers, and these a pair of normal ones.
void Rng::normals(std::span<double> to) {
  std::size_t i = 0;
  while (i < to.size() && (has_spare_ || drawn_ % 4 != 0)) to[i++] = normal();
  for (; i + 2 <= to.size(); i += 2, drawn_ += 4) {
    const PhiloxWords w = philox_block(key_, drawn_ / 4);
    const NormalPair pair = normal_pair(uniform_of(w.v[0], w.v[1]), uniform_of(w.v[2], w.v[3]));
    to[i] = pair.first;
    to[i + 1] = pair.second;
  }
  if (i < to.size()) to[i] = normal();
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

// `draw` fills some doubles at a time.
template <class Draw>
void fill_with(Tensor& t, Draw draw) {
  check_floating("random fill", t);
  const NoGrad setting_values;
  const auto fill = [&]<class T>(T) {
    const auto n = static_cast<std::size_t>(t.numel());
    const bool direct = t.backend().host_memory();
    std::vector<T> elsewhere(direct ? 0 : n);
    T* values = direct ? static_cast<T*>(t.mutable_data()) : elsewhere.data();
    std::array<double, 256> drawn;
    for (std::size_t i = 0; i < n; i += drawn.size()) {
      const std::span<double> some(drawn.data(), std::min(drawn.size(), n - i));
      draw(some);
      for (std::size_t j = 0; j < some.size(); ++j) values[i + j] = static_cast<T>(some[j]);
    }
    if (!direct) t.backend().upload(t.mutable_data(), values, t.bytes());
  };
  if (t.dtype() == DType::f32)
    fill(float{});
  else
    fill(double{});
}

}  // namespace

void fill_uniform(Tensor& t, double low, double high, Rng& rng) {
  fill_with(t, [&](std::span<double> to) {
    for (double& v : to) v = rng.uniform(low, high);
  });
}

void fill_normal(Tensor& t, double mean, double deviation, Rng& rng) {
  fill_with(t, [&](std::span<double> to) {
    rng.normals(to);
    for (double& v : to) v = mean + deviation * v;
  });
}

}  // namespace limulus
