// Every row of the table on every backend, against textbook loops in double.
//
// The bound: a result may differ from the exact one by 64 roundings of the result's typical size,
//     |value - exact| <= 64 eps max(|exact|, rms of the tensor),    eps = 2^-23 or 2^-52,
// that is 7.6e-6 in f32 and 1.4e-14 in f64, times the condition that a row states (8 where Winograd's
// method can be chosen). Sums of K terms round about sqrt(K)/2 times, so that the bound holds to several thousand terms; a wrong index or
// a missing term misses it by far.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "op_cases.h"

using namespace limulus;

namespace {

struct Exact {
  std::vector<std::string> names;
  std::vector<std::vector<double>> values;
};

// Computed once: the large rows take the reference backend a while.
const std::map<std::string, Exact>& exact_results() {
  static const std::map<std::string, Exact> all = [] {
    std::map<std::string, Exact> m;
    for (const OpCase& c : op_cases()) {
      const CaseResult r = run_case(c, DType::f64, device("reference"));
      Exact e{r.names, {}};
      for (const Tensor& t : r.values) e.values.push_back(t.to_doubles());
      m[c.name] = std::move(e);
    }
    return m;
  }();
  return all;
}

// Returns the largest error, in units of the bound.
double compare(const OpCase& c, DType dtype, Backend& backend) {
  const Exact& exact = exact_results().at(c.name);
  CaseResult r;
  CHECK_NOTHROW_MESSAGE(r = run_case(c, dtype, backend), c.name);
  if (r.values.size() != exact.values.size()) return INFINITY;
  const double eps = dtype == DType::f32 ? std::numeric_limits<float>::epsilon()
                                         : std::numeric_limits<double>::epsilon();
  double worst = 0;
  for (std::size_t t = 0; t < r.values.size(); ++t) {
    const std::vector<double> values = r.values[t].to_doubles();
    const std::vector<double>& wanted = exact.values[t];
    REQUIRE(values.size() == wanted.size());
    double squares = 0;
    for (const double v : wanted) squares += v * v;
    const double rms = std::sqrt(squares / static_cast<double>(wanted.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double error = std::abs(values[i] - wanted[i]);
      const double bound = 64 * eps * c.condition * std::max(std::abs(wanted[i]), rms);
      if (error <= bound) {
        if (error > 0) worst = std::max(worst, error / bound);
        continue;
      }
      worst = INFINITY;
      FAIL_CHECK(fmt::format("{} on {} in {}: {}[{}] is {}, not {}: off by {:.1e}, bound {:.1e}",
                             c.name, backend.description(), name_of(dtype), r.names[t], i,
                             values[i], wanted[i], error, bound));
      break;
    }
  }
  return worst;
}

void compare_all(Backend& backend) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    if (dtype == DType::f64 && !backend.has_double()) {
      std::printf("skipped: %s computes in float only\n", backend.description().c_str());
      continue;
    }
    double worst = 0;
    const OpCase* at = nullptr;
    for (const OpCase& c : op_cases()) {
      const double error = compare(c, dtype, backend);
      if (at == nullptr || error > worst) {
        worst = error;
        at = &c;
      }
    }
    std::printf("%s, %s: largest error %.2f of the bound, in %s\n", backend.description().c_str(),
                name_of(dtype), worst, at->name.c_str());
  }
}

}  // namespace

TEST_CASE("the CPU kernels of each instruction set compute what the reference computes") {
  for (const char* isa : {"avx2", "avx512"}) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa);
      continue;
    }
    CpuBackend backend(2, "cpu", isa);
    compare_all(backend);
  }
}

TEST_CASE("so do all other devices, and the reference itself in f32") {
  for (const DeviceInfo& info : list_devices())
    if (info.name != "cpu") compare_all(device(info.name));
}
