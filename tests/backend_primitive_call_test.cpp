// A backend that overrides run_elsewhere alone sees every primitive as a value (primitive_call.h),
// and what the value says of its arrays is what the primitive does with them.
#include "core/primitive_call.h"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "core/trace.h"
#include "gradcheck/cases/host_backend.h"
#include "gradcheck/cases/op_cases.h"
#include "reference_check.h"

using namespace limulus;

namespace {

using Bytes = std::vector<unsigned char>;
Bytes bytes_at(const DeviceArray& array) {
  Bytes bytes(array.bytes);
  if (array.address != nullptr) std::memcpy(bytes.data(), array.address, array.bytes);
  return bytes;
}

// Runs each call twice: once to see which arrays change, then over outputs that hold other bytes
// than before, whose results must be the same where they are only written.
struct WatchingBackend : HostBackend {
  std::set<std::string> seen;
  WatchingBackend() : HostBackend("watching") {}

  void run_elsewhere(const PrimitiveCall& call) override {
    seen.insert(call.name());
    const std::vector<DeviceArray>& arrays = call.arrays();
    std::vector<Bytes> before, after;
    for (const DeviceArray& array : arrays) before.push_back(bytes_at(array));
    Backend::run_elsewhere(call);
    for (const DeviceArray& array : arrays) after.push_back(bytes_at(array));

    std::set<const void*> written, read;
    for (const DeviceArray& array : arrays) {
      if (array.is_written) written.insert(array.address);
      if (array.is_read) read.insert(array.address);
    }
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const std::string where = std::string(call.name()) + ", array " + std::to_string(i);
      if (!written.contains(arrays[i].address)) CHECK_MESSAGE(after[i] == before[i], where);
      if (arrays[i].address == nullptr) continue;
      const bool only_written =
          written.contains(arrays[i].address) && !read.contains(arrays[i].address);
      if (only_written)
        std::memset(arrays[i].address, 0x5a, arrays[i].bytes);
      else
        std::memcpy(arrays[i].address, before[i].data(), arrays[i].bytes);
    }
    call.run(reference());
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const std::string where = std::string(call.name()) + ", array " + std::to_string(i);
      CHECK_MESSAGE(bytes_at(arrays[i]) == after[i], where);
    }
  }
};

}  // namespace

TEST_CASE("a call's arrays are read and written as it says, over the whole table") {
  set_fallback_backend(&reference());
  WatchingBackend backend;
  for (const OpCase& c : op_cases())
    if (!c.large) run_case(c, DType::f64, backend);
  std::vector<double> w = {1, 2, 3}, g = {4, 5, 6}, v = {7, 8, 9}, y(3);
  backend.sgd_step(DType::f64, {.n = 3}, w.data(), g.data(), v.data());
  backend.affine(DType::f64, 3, 2, 1, w.data(), y.data());
  backend.fill(DType::f64, 3, 2, y.data());
  // What the table and the lines above call: every primitive.
  for (const char* name : {"gemm",
                           "conv2d_forward",
                           "conv2d_backward_input",
                           "conv2d_backward_weight",
                           "conv2d_backward_bias",
                           "max_pool2d_forward",
                           "max_pool2d_backward",
                           "avg_pool2d_forward",
                           "avg_pool2d_backward",
                           "lrn_across_forward",
                           "lrn_across_backward",
                           "lrn_within_forward",
                           "lrn_within_backward",
                           "relu",
                           "unary_backward",
                           "add",
                           "select_backward",
                           "affine",
                           "accumulate",
                           "fill",
                           "copy_block",
                           "dropout",
                           "reduce",
                           "softmax_forward",
                           "softmax_backward",
                           "cross_entropy_forward",
                           "cross_entropy_backward",
                           "sgd_step"})
    CHECK_MESSAGE(backend.seen.contains(name), name);
}

TEST_CASE("a call can be kept, and runs on other arrays of another backend") {
  struct KeepingBackend : HostBackend {
    std::vector<PrimitiveCall> kept;
    KeepingBackend() : HostBackend("keeping") {}
    void run_elsewhere(const PrimitiveCall& call) override { kept.push_back(call); }
  };
  KeepingBackend backend;
  std::vector<double> x = {1, 2}, y = {0, 0}, other = {5, 6};
  backend.affine(DType::f64, 2, 3, 1, x.data(), y.data());
  REQUIRE(backend.kept.size() == 1);
  const PrimitiveCall& call = backend.kept[0];
  CHECK(std::string(call.name()) == "affine");
  CHECK(call.shapes() == "[2]");
  REQUIRE(call.arrays().size() == 2);
  CHECK(y == std::vector<double>{0, 0});
  call.run(reference());
  CHECK(y == std::vector<double>{4, 7});
  std::vector<DeviceArray> arrays = call.arrays();
  arrays[0].address = other.data();
  call.run(reference(), arrays);
  CHECK(y == std::vector<double>{16, 19});
}
