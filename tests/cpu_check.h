#pragma once
// What the tests of the CPU kernels share: inputs, outputs with guards, and the comparison of every
// instruction set and number of threads with the reference.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "core/error.h"
#include "doctest/doctest.h"

namespace limulus::cpu_check {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// A small generator of the test's own: numbers in [-1, 1), always the same.
inline std::vector<double> numbers(std::int64_t n, std::uint64_t seed, double scale = 1) {
  std::vector<double> v(static_cast<std::size_t>(n));
  std::uint64_t state = seed * 2862933555777941757u + 3037000493u;
  for (double& x : v) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = scale * (static_cast<double>(state >> 11) * 0x1p-52 - 1);
  }
  return v;
}

// An array of T with 64 guard elements at both ends, that begins `shift` elements past a cache
// line.
template <class T>
struct Guarded {
  static constexpr std::size_t guard = 64;
  std::vector<T> data;
  std::size_t n;

  explicit Guarded(std::size_t size, T value = T(-77)) : data(size + 2 * guard, value), n(size) {}
  Guarded(const std::vector<double>& v) : Guarded(v.size()) {  // NOLINT: for brevity
    for (std::size_t i = 0; i < n; ++i) data[guard + i] = static_cast<T>(v[i]);
  }
  T* get() { return data.data() + guard; }
  bool intact() const {
    for (std::size_t i = 0; i < guard; ++i)
      if (data[i] != T(-77) || data[guard + n + i] != T(-77)) return false;
    return true;
  }
};

inline bool same_bits(const void* a, const void* b, std::size_t bytes) {
  return std::memcmp(a, b, bytes) == 0;
}

template <class T>
void compare(const std::string& what, Guarded<T>& got, Guarded<T>& expected, double tolerance) {
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < got.n; ++i) {
    const double g = got.get()[i], e = expected.get()[i];
    double error = 0;
    if (!std::isfinite(e) || std::isnan(g))  // a NaN error would compare as no error
      error = (std::isnan(e) && std::isnan(g)) || g == e ? 0 : inf;
    else
      error = std::abs(g - e) / (1 + std::abs(e));
    if (!(error <= worst)) worst = error, where = i;
  }
  INFO(what, ", element ", where, ": ", got.get()[where], " instead of ", expected.get()[where]);
  CHECK(worst <= tolerance);
}

// Runs `call` on the reference, then on each instruction set with 1, 2 and 3 threads.
template <class T>
struct Outputs {
  std::vector<Guarded<T>> real;
  std::vector<Guarded<std::int32_t>> index;
};
template <class T>
void check(const std::string& what, const Outputs<T>& initial,
           const std::function<void(Backend&, Outputs<T>&)>& call, double slack = 1) {
  ReferenceBackend reference;
  Outputs<T> expected = initial;
  call(reference, expected);
  const double tolerance = slack * (sizeof(T) == 4 ? 2e-6 : 4e-15);
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      MESSAGE("skipped: this processor has no ", isa);
      continue;
    }
    Outputs<T> first;
    for (int threads = 1; threads <= 3; ++threads) {
      CpuBackend cpu(threads, "cpu", isa);
      Outputs<T> got = initial;
      call(cpu, got);
      const std::string name = what + ", " + isa + (sizeof(T) == 4 ? ", f32" : ", f64");
      INFO(name, ", ", threads, " threads");
      for (auto& array : got.real) CHECK(array.intact());
      for (auto& array : got.index) CHECK(array.intact());
      if (threads == 1) {
        first = got;
        for (std::size_t i = 0; i < got.real.size(); ++i)
          compare(name, got.real[i], expected.real[i], tolerance);
        for (std::size_t i = 0; i < got.index.size(); ++i)
          CHECK(got.index[i].data == expected.index[i].data);
        continue;
      }
      for (std::size_t i = 0; i < got.real.size(); ++i)
        CHECK(same_bits(got.real[i].data.data(), first.real[i].data.data(),
                        got.real[i].data.size() * sizeof(T)));
      for (std::size_t i = 0; i < got.index.size(); ++i)
        CHECK(got.index[i].data == first.index[i].data);
    }
  }
}

inline std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// Lengths around every vector width, and two that need several tasks.
const std::int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000, 70001};

Window1d window(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                std::int64_t dilation = 1, bool ceil = false) {
  return Window1d::make(in, kernel, stride, pad, dilation, ceil, "test", "axis");
}

}  // namespace limulus::cpu_check
