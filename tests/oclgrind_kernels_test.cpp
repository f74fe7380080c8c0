// Every OpenCL kernel in Oclgrind, an OpenCL device that interprets: it sees each access outside of
// an array, and each two work-items that touch one number without a barrier between. CTest runs
// this as `oclgrind --data-races PROGRAM` and looks for Oclgrind's complaints in the output. An
// interpreter is slow: of each operation, only rows of few elements.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <cctype>
#include <map>

#include "backends/opencl/tuning.h"
#include "opencl_check.h"

using namespace limulus;

namespace {

bool in_oclgrind() {
  const auto devices = opencl_devices().devices;
  if (!devices.empty() && has(devices[0].description, "Oclgrind")) return true;
  if (std::getenv("LIMULUS_IN_OCLGRIND") != nullptr)
    FAIL("oclgrind was to run this, but its device is not there");
  std::printf("skipped: this is not run by oclgrind (./run test -L oclgrind)\n");
  return false;
}

std::int64_t elements(const OpCase& c) {
  std::int64_t sum = 0;
  for (const CaseInput& input : c.inputs) sum += input.shape.numel();
  return sum;
}

// What a row is a case of: "matmul 3x5x7 a^T" without the numbers.
std::string kind_of(const OpCase& c) {
  std::string text = c.name;
  std::erase_if(text, [](unsigned char letter) { return std::isdigit(letter) != 0; });
  return text;
}

// Sizes for a processor, but that small rows have several items, too.
opencl::Tuning with_short_items(opencl::Tuning t) {
  if (!t.processor) return t;
  t.run = 7;
  t.run_across = 5;
  t.taps_run = 6;
  return t;
}

// Of each kind of row at most `rows`: enough for every kernel to run.
void check_table(const std::string& sizes, int rows) {
  const Environment tuning("LIMULUS_CL_TUNING", sizes), guard("LIMULUS_CL_GUARD", "exact");
  OpenClBackend backend("opencl:0", with_short_items(OpenClBackend("opencl:0").tuning()));
  std::map<std::string, int> done;
  for (const OpCase& c : op_cases()) {
    if (!c.large && elements(c) <= 500 && done[kind_of(c)]++ < (c.op == "linear" ? 3 : rows))
      check_row(c, backend);  // linear has two kernels, for few images and for more
  }
  const Workspace a(backend.pool(), 24), b(backend.pool(), 24);
  for (const DType dtype : {DType::f64, DType::bf16}) {  // elements of 8 bytes, and of 2
    backend.fill(dtype, 3, 1, a.data());
    backend.copy_block(dtype, {.rows = 1, .cols = 2, .src_stride = 1, .dst_offset = 1}, a.data(),
                       b.data());
  }
  // Rows of few elements do not reach what is made for many: long sums, and long rows.
  constexpr std::int64_t k = 1300;
  const Workspace left(backend.pool(), 4 * 3 * k), right(backend.pool(), 4 * 2 * k);
  backend.fill(DType::f32, 3 * k, 1, left.data());
  backend.fill(DType::f32, 2 * k, 1, right.data());
  backend.gemm(DType::f32, {3, 2, k, true, true, 3, k, 2, 0}, left.data(), right.data(), a.data());
  backend.reduce(DType::f32, ReduceOp::max, 2, k, 1, right.data(), b.data());
  float product[6], largest[2];
  backend.download(product, a.data(), sizeof(product));
  backend.download(largest, b.data(), sizeof(largest));
  for (const float value : product) CHECK(value == k);
  for (const float value : largest) CHECK(value == 1);
  learn(backend);
  backend.synchronize();
  for (const std::string& name : backend.kernels_not_run())
    if (!name.starts_with("winograd"))  // Oclgrind does not take what Clang makes of it
      FAIL_CHECK(sizes << ": no row reaches " << name);
}

}  // namespace

TEST_CASE("kernels with the sizes for a processor") {
  if (in_oclgrind()) check_table("cpu", 3);
}

TEST_CASE("kernels with the sizes for a GPU: groups, local memory, barriers") {
  if (in_oclgrind()) check_table("gpu", 1);
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
