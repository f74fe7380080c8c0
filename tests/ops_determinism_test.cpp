// Every row of the table gives the same bits for 1, 2, 3 and 5 threads, and each time it runs.
#include <doctest/doctest.h>

#include <cstdio>
#include <string>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "gradcheck/cases/op_cases.h"

using namespace limulus;

namespace {

std::vector<std::vector<unsigned char>> bits(const CaseResult& r) {
  std::vector<std::vector<unsigned char>> all;
  for (const Tensor& t : r.values) {
    all.emplace_back(t.bytes());
    t.backend().download(all.back().data(), t.data(), t.bytes());
  }
  return all;
}

}  // namespace

TEST_CASE("the number of threads does not change a bit") {
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(1, "cpu", isa);
    for (const DType dtype : {DType::f32, DType::f64})
      for (const OpCase& c : op_cases()) {
        backend.set_threads(1);
        const auto alone = bits(run_case(c, dtype, backend));
        for (const int threads : {2, 3, 5}) {
          backend.set_threads(threads);
          CHECK_MESSAGE(
              bits(run_case(c, dtype, backend)) == alone,
              c.name << " in " << name_of(dtype) << " with " << threads << " threads, " << isa);
        }
      }
  }
}

TEST_CASE("running again does not change a bit, on any device") {
  for (const DeviceInfo& info : list_devices())
    for (const OpCase& c : op_cases()) {
      if (c.large && info.name == "reference") continue;  // slow, and one thread
      Backend& backend = device(info.name);
      const auto first = bits(run_case(c, DType::f32, backend));
      CHECK_MESSAGE(bits(run_case(c, DType::f32, backend)) == first, c.name << " on " << info.name);
    }
}
