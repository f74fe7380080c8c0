#include "backends/opencl/self_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backends/opencl/cache.h"
#include "backends/opencl/cl.h"
#include "backends/opencl/crash_verdict.h"
#include "backends/opencl/devices.h"
#include "backends/opencl/program.h"
#include "backends/reference/reference_backend.h"
#include "core/buffer_pool.h"
#include "core/environment.h"
#include "core/shape.h"
#include "core/trace.h"

namespace limulus::opencl {
namespace {

using Values = std::vector<float>;

// Whole numbers from -reach to reach, in no simple order. Sums of their products stay exact in
// float, in any order, so they can be compared without a tolerance.
Values whole_numbers(std::int64_t n, int reach) {
  Values v(static_cast<std::size_t>(n));
  std::uint32_t state = 2012;
  for (float& x : v) {
    state = state * 1664525u + 1013904223u;  // of Numerical Recipes
    x = static_cast<float>(static_cast<int>((state >> 16) % static_cast<unsigned>(2 * reach + 1)) -
                           reach);
  }
  return v;
}

// Operands on a backend, and the result back from it.
class Trial {
 public:
  explicit Trial(Backend& backend) : backend_(backend) {}

  // run(operands, y) computes y, of n numbers.
  template <class Run>
  Values result(const std::vector<Values>& operands, std::int64_t n, Run run) {
    std::vector<std::unique_ptr<Workspace>> arrays;
    std::vector<const void*> handles;
    for (const Values& values : operands) {
      arrays.push_back(std::make_unique<Workspace>(backend_.pool(), bytes(values)));
      backend_.upload(arrays.back()->data(), values.data(), bytes(values));
      handles.push_back(arrays.back()->data());
    }
    Values y(static_cast<std::size_t>(n), std::nanf(""));  // so that a number left out shows
    const Workspace results(backend_.pool(), bytes(y));
    backend_.upload(results.data(), y.data(), bytes(y));
    run(backend_, handles, results.data());
    backend_.download(y.data(), results.data(), bytes(y));
    return y;
  }

 private:
  static std::size_t bytes(const Values& v) { return v.size() * sizeof(float); }
  Backend& backend_;
};

// One computation on both; "" or the first number that differs by more than `tolerance` of itself.
template <class Run>
std::string compared(Backend& backend, const char* what, const std::vector<Values>& operands,
                     const Shape& y, float tolerance, Run run) {
  ReferenceBackend reference("reference", /*traced=*/false);
  const Values got = Trial(backend).result(operands, y.numel(), run);
  const Values expected = Trial(reference).result(operands, y.numel(), run);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float bound = tolerance * std::max(1.0F, std::abs(expected[i]));
    if (std::abs(got[i] - expected[i]) <= bound) continue;
    return fmt::format("{}: y[{}] is {:g}, expected {:g}", what,
                       fmt::join(index_of(static_cast<std::int64_t>(i), y), ", "), got[i],
                       expected[i]);
  }
  return "";
}

// More steps of one loop than 65,535, in each of the forms that networks are made of: an item that
// adds up a row; one that walks through blocks of a product; one that walks through channels.
std::string reduction(Backend& backend) {
  constexpr std::int64_t n = 70'001;
  return compared(backend, "reduce, the sum of x[70001]", {whole_numbers(n, 3)}, {1}, 0,
                  [](Backend& b, const auto& in, void* y) {
                    b.reduce(DType::f32, ReduceOp::sum, 1, n, 1, in[0], y);
                  });
}

std::string product(Backend& backend) {
  constexpr std::int64_t m = 3, n = 5, k = 70'001;
  return compared(backend, "gemm, a[3, 70001] by b[70001, 5]",
                  {whole_numbers(m * k, 2), whole_numbers(k * n, 2)}, {m, n}, 0,
                  [](Backend& b, const auto& in, void* y) {
                    b.gemm(DType::f32, {m, n, k, false, false, k, n, n, 0}, in[0], in[1], y);
                  });
}

std::string normalization(Backend& backend) {
  const LrnShape s{.n = 1, .c = 260, .h = 8, .w = 16, .size = 5, .alpha = 0.1};
  return compared(
      backend, "lrn_across_forward of x[1, 260, 8, 16]", {whole_numbers(s.c * s.h * s.w, 4)},
      {s.n, s.c, s.h, s.w}, 1e-5F,
      [&](Backend& b, const auto& in, void* y) { b.lrn_across_forward(DType::f32, s, in[0], y); });
}

bool own_kernels() { return !environment::value("LIMULUS_CL_DIR").empty(); }

// What this process has checked, or read from the cache.
struct Known {
  std::mutex mutex;
  std::map<std::string, std::string> results;
};
Known& known() {
  static Known instance;
  return instance;
}

enum class Wanted { once, never, again };

Wanted wanted() {
  const std::string text = environment::value("LIMULUS_CL_SELFCHECK");
  if (text == "1") return Wanted::again;
  if (text == "0") return Wanted::never;
  return own_kernels() ? Wanted::never : Wanted::once;
}

}  // namespace

std::string self_check(Backend& backend) {
  const TraceScope scope("self-check");
  for (const auto check : {normalization, reduction, product})
    if (std::string wrong = check(backend); !wrong.empty()) return wrong;
  return "";
}

std::string self_check_result(Backend& backend, const cl::Device& device) {
  const Wanted how = wanted();
  if (how == Wanted::never) return "";
  std::string texts;
  for (const KernelSource& source : embedded_sources()) texts += source.text;
  const std::string key = "self-check 1, kernels " + hash_of(texts) + "\n" + identity_of(device);
  const std::string file = "selfcheck-" + hash_of(key) + ".txt";
  const bool edited = own_kernels();  // then the result is not the driver's
  if (how == Wanted::once) {
    const std::lock_guard lock(known().mutex);
    const auto found = known().results.find(key);
    if (found != known().results.end()) return found->second;
    if (const std::optional<std::string> kept = cache_read(file, key))
      return known().results[key] = *kept;
  }
  std::string wrong;
  try {
    const CrashVerdict crash(
        file, key, "it crashed the program that checked it",
        fmt::format("limulus: {}: the OpenCL driver crashed in its self-check: {}. It ends this "
                    "program. From the next start on it is refused; OCL_ICD_VENDORS names a folder "
                    "with other drivers.\n",
                    backend.name(), driver_of(device)));
    wrong = self_check(backend);
    backend.pool().trim();
  } catch (const DeviceError& error) {  // a full disk, no memory: it may work next time
    return error.what();
  }
  if (edited) return wrong;
  cache_write(file, key, wrong);
  const std::lock_guard lock(known().mutex);
  return known().results[key] = wrong;
}

void forget_self_checks() {
  const std::lock_guard lock(known().mutex);
  known().results.clear();
}

}  // namespace limulus::opencl
