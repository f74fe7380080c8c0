#pragma once
// A primitive with its arrays, to be run on any backend: for tests of contracts (core/backend.h)
// that no row of the table of cases can express, since layers refuse the sizes or the values.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#ifdef LIMULUS_OPENCL
#include "backends/opencl/opencl_backend.h"
#include "backends/opencl/tuning.h"
#endif

namespace limulus {

struct Array {
  enum class Kind { in, out, in_out };
  Kind kind = Kind::in;
  std::vector<double> values;  // of an output: what it holds before
  DType dtype = DType::f32;    // f32 stands for the type of the call
};

inline std::size_t count_of(std::int64_t n) { return static_cast<std::size_t>(n); }
inline Array in(std::vector<double> values) { return {Array::Kind::in, std::move(values)}; }
inline Array in_out(std::vector<double> values) { return {Array::Kind::in_out, std::move(values)}; }
inline Array out(std::int64_t n) {  // what is never written shows as NaN
  return {Array::Kind::out,
          std::vector<double>(count_of(n), std::numeric_limits<double>::quiet_NaN())};
}
inline Array of_type(DType dtype, Array array) {
  array.dtype = dtype;
  if (array.kind == Array::Kind::out) array.values.assign(array.values.size(), -77);
  return array;
}

struct PrimitiveCall {
  std::string name;
  std::vector<Array> arrays;
  std::function<void(Backend&, DType, const std::vector<void*>&)> run;
};

// The outputs, as numbers.
inline std::vector<std::vector<double>> results(const PrimitiveCall& call, DType dtype,
                                                Backend& backend) {
  const auto visit = [&](DType type, auto f) {
    switch (type == DType::f32 ? dtype : type) {
      case DType::f64:
        return f(double{});
      case DType::i64:
        return f(std::int64_t{});
      case DType::i32:
        return f(std::int32_t{});
      default:
        return f(float{});
    }
  };
  std::vector<std::unique_ptr<Workspace>> memory;
  std::vector<void*> data;
  for (const Array& a : call.arrays)
    visit(a.dtype, [&](auto element) {
      const std::vector<decltype(element)> typed(a.values.begin(), a.values.end());
      memory.push_back(std::make_unique<Workspace>(backend.pool(), typed.size() * sizeof(element)));
      data.push_back(memory.back()->data());
      backend.upload(data.back(), typed.data(), typed.size() * sizeof(element));
    });
  call.run(backend, dtype, data);
  std::vector<std::vector<double>> all;
  for (std::size_t i = 0; i < data.size(); ++i)
    if (call.arrays[i].kind != Array::Kind::in)
      visit(call.arrays[i].dtype, [&](auto element) {
        std::vector<decltype(element)> typed(call.arrays[i].values.size());
        backend.download(typed.data(), data[i], typed.size() * sizeof(element));
        all.emplace_back(typed.begin(), typed.end());
      });
  return all;
}

// Each instruction set, each other device, and OpenCL's with the sizes for a GPU.
inline std::vector<std::shared_ptr<Backend>> all_backends(bool with_reference = false) {
  std::vector<std::shared_ptr<Backend>> all;
  if (with_reference) all.push_back(std::make_shared<ReferenceBackend>());
  for (const std::string& isa : cpu_instruction_sets()) {
    if (cpu_supports(isa))
      all.push_back(std::make_shared<CpuBackend>(2, std::string("cpu ") + isa, isa));
    else
      MESSAGE("skipped: this processor has no ", isa);
  }
#ifdef LIMULUS_OPENCL
  if (opencl_devices().devices.empty()) {
    MESSAGE("skipped: there is no OpenCL device");
  } else {
    all.push_back(std::make_shared<OpenClBackend>("opencl:0"));
    all.push_back(std::make_shared<OpenClBackend>("opencl:0", opencl::gpu()));
  }
#else
  MESSAGE("skipped: this build has no OpenCL");
#endif
  return all;
}

// A small generator of the test's own: numbers in [-1, 1), always the same.
inline std::vector<double> some_numbers(std::int64_t n, std::uint64_t seed = 1) {
  std::vector<double> v(count_of(n));
  std::uint64_t state = seed * 2862933555777941757u + 3037000493u;
  for (double& x : v) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-52 - 1);
  }
  return v;
}

// Equal up to `tolerance`, relative to the larger of 1 and the expected value; NaN equals NaN.
inline void check_close(const std::string& what, const std::vector<std::vector<double>>& got,
                        const std::vector<std::vector<double>>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t a = 0; a < got.size(); ++a) {
    REQUIRE(got[a].size() == expected[a].size());
    for (std::size_t i = 0; i < got[a].size(); ++i) {
      const double g = got[a][i], e = expected[a][i];
      const bool same = std::isnan(e)   ? std::isnan(g)
                        : std::isinf(e) ? g == e
                                        : std::abs(g - e) <= tolerance * std::max(1.0, std::abs(e));
      if (same) continue;
      FAIL_CHECK(what << ": output " << a << "[" << i << "] is " << g << " instead of " << e);
      break;
    }
  }
}

}  // namespace limulus
