// Packed weights: the same bits as the weights they were made of, and nothing written beside them.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "layers/conv2d.h"

using namespace limulus;

namespace {

template <class T>
std::vector<T> normal(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> value;
  std::vector<T> v(n);
  for (T& x : v) x = static_cast<T>(value(engine));
  return v;
}

struct Row {
  Shape x, w;
  Conv2dOptions o;
};

template <class T>
void compare(CpuBackend& backend, DType dtype, const Row& row) {
  Conv2dShape s = conv2d_shape(row.x, row.w, row.o);
  s.relu = true;
  const auto x = normal<T>(static_cast<std::size_t>(row.x.numel()), 1);
  const auto w = normal<T>(static_cast<std::size_t>(row.w.numel()), 2);
  const auto b = normal<T>(static_cast<std::size_t>(s.k), 3);
  std::vector<T> y(static_cast<std::size_t>(s.n * s.k * s.window.h.out * s.window.w.out));
  std::vector<T> again(y.size());
  backend.conv2d_forward(dtype, s, x.data(), w.data(), b.data(), y.data());

  const std::size_t bytes = backend.conv2d_packed_bytes(dtype, s);
  INFO(row.x.str(), " ", row.w.str());
  REQUIRE(bytes > 0);
  constexpr std::size_t guard = 64;
  std::vector<unsigned char> packed(bytes + guard, 0xa5);
  backend.conv2d_pack(dtype, s, w.data(), packed.data());
  for (std::size_t i = bytes; i < packed.size(); ++i) CHECK(packed[i] == 0xa5);
  s.packed = true;
  backend.conv2d_forward(dtype, s, x.data(), packed.data(), b.data(), again.data());
  CHECK(std::memcmp(y.data(), again.data(), y.size() * sizeof(T)) == 0);
}

}  // namespace

TEST_CASE("packed weights give the same bits") {
  const Row rows[] = {
      {{1, 64, 13, 13}, {40, 64, 3, 3}, {.kernel = 3, .pad = 1}},
      {{2, 96, 27, 27}, {72, 48, 5, 5}, {.kernel = 5, .pad = 2, .groups = 2}},
      {{1, 400, 13, 13}, {33, 400, 3, 3}, {.kernel = 3, .pad = 1}},
      {{1, 3, 67, 67}, {96, 3, 11, 11}, {.kernel = 11, .stride = 4}},  // space-to-depth
      {{3, 3, 40, 37}, {20, 3, 5, 5}, {.kernel = 5, .stride = 2, .pad = 2}},
  };
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(2, "cpu", isa);
    for (const Row& row : rows) {
      compare<float>(backend, DType::f32, row);
      compare<double>(backend, DType::f64, row);
    }
  }
}
