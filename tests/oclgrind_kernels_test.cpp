// Every OpenCL kernel in Oclgrind, an OpenCL device that interprets: it sees each access outside of
// an array, and each two work-items that touch one number without a barrier between. CTest runs this
// as `oclgrind --data-races PROGRAM` and looks for Oclgrind's complaints in the output. An
// interpreter is slow: of each operation, only rows of few elements.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <algorithm>
#include <map>

#include "opencl_check.h"

using namespace limulus;

namespace {

bool in_oclgrind() {
  const auto devices = opencl_devices();
  if (!devices.empty() && has(devices[0].description, "Oclgrind")) return true;
  std::printf("skipped: this is not run by oclgrind (./run test -L oclgrind)\n");
  return false;
}

std::int64_t elements(const OpCase& c) {
  std::int64_t sum = 0;
  for (const CaseInput& input : c.inputs) sum += input.shape.numel();
  return sum;
}

void check_table(const char* kind) {
  const Environment tuning("LIMULUS_CL_TUNING", kind);
  OpenClBackend backend("opencl:0");
  for (const OpCase& c : op_cases())
    if (!c.large && elements(c) <= 500) check_row(c, backend);
  for (const std::string& name : backend.kernels_not_run())
    std::printf("%s: not run: %s\n", kind, name.c_str());
}

}  // namespace

TEST_CASE("kernels with the sizes for a processor") {
  if (in_oclgrind()) check_table("cpu");
}

TEST_CASE("kernels with the sizes for a GPU: groups, local memory, barriers") {
  if (in_oclgrind()) check_table("gpu");
}

TEST_CASE("a device that cannot be cut stands for its parts, with queues") {
  if (!in_oclgrind()) return;
  for (const char* name : {"opencl:0/2", "opencl:1/2"}) {
    OpenClBackend part(name);
    CHECK(has(part.description(), "stands for the whole device, with a queue of its own"));
    CHECK(two_x_plus_one(part) == 7);
  }
}
#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
