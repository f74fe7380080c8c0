// Every row of the table on every backend, against textbook loops in double.
// op_cases_compare.h states the bound.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cstdio>
#include <map>
#include <memory>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "gradcheck/cases/op_cases.h"
#include "gradcheck/cases/op_cases_compare.h"

using namespace limulus;

namespace {

// Computed once: the large rows take the reference backend a while.
const std::map<std::string, CaseResult>& exact_results() {
  static const std::map<std::string, CaseResult> all = [] {
    std::map<std::string, CaseResult> m;
    for (const OpCase& c : op_cases()) m[c.name] = run_case(c, DType::f64, device("reference"));
    return m;
  }();
  return all;
}

// Returns the largest error, in units of the bound.
double compare(const OpCase& c, DType dtype, Backend& backend) {
  CaseDifference d;
  CHECK_NOTHROW_MESSAGE(d = compare_case(c, dtype, backend, exact_results().at(c.name)), c.name);
  CHECK_MESSAGE(!d.tensors.empty(), c.name);
  for (const TensorDifference& t : d.tensors)
    CHECK_MESSAGE(t.wrong == 0, fmt::format("{} on {} in {}: {}{} is {}, not {}: bound {:.1e}",
                                            c.name, backend.description(), name_of(dtype), t.name,
                                            Shape(t.first).str(), t.got, t.expected, t.bound));
  return d.worst();
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
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
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
