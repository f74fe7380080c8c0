// The table of cases on the OpenCL backend: with guards around every buffer, with the sizes for a
// GPU, with several threads.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <set>
#include <thread>

#include "backends/convolution.h"
#include "core/error.h"
#include "core/trace.h"
#include "opencl_check.h"

using namespace limulus;

TEST_CASE("the table in float: no fallback, no write outside of an array, every kernel used") {
  if (!have_device()) return;
  set_strict(true);
  const Environment guard("LIMULUS_CL_GUARD", "1");
  OpenClBackend backend("opencl:0");
  std::set<std::string> seen;
  int fallbacks = 0;
  set_trace_sink([&](const TraceEvent& event) {
    seen.insert(event.primitive);
    fallbacks += event.fallback ? 1 : 0;
  });
  for (const OpCase& c : op_cases())
    CHECK_NOTHROW_MESSAGE(run_case(c, DType::f32, backend), c.name);
  learn(backend);
  set_trace_sink({});
  set_strict(false);
  CHECK(fallbacks == 0);
  CHECK(seen.size() >= 30);
  for (const std::string& name : backend.kernels_not_run())
    if (!name.ends_with("_8") && !name.ends_with("_2"))  // for numbers of 8 and 2 bytes
      FAIL_CHECK("no row of the table reaches " << name);
}

TEST_CASE("the table in double: the same results, inside of the arrays") {
  if (!have_device()) return;
  const Environment guard("LIMULUS_CL_GUARD", "1");
  OpenClBackend backend("opencl:0");
  for (const OpCase& c : op_cases())
    if (!c.large && backend.has_double()) check_row(c, backend, DType::f64);
}

TEST_CASE("the table with the sizes for a GPU: the same results, inside of the arrays") {
  if (!have_device()) return;
  const Environment tuning("LIMULUS_CL_TUNING", "gpu"), guard("LIMULUS_CL_GUARD", "1");
  OpenClBackend backend("opencl:0");
  const bool all =
      conv_method() != ConvMethod::winograd;  // which CTest sets for convolutions alone
  for (const OpCase& c : op_cases())
    if (!c.large && (all || c.op == "conv2d")) {
      check_row(c, backend);
      if (backend.has_double()) check_row(c, backend, DType::f64);
    }
}

TEST_CASE("a kernel that writes outside of its array is caught, on either side") {
  if (!have_device()) return;
  const Environment guard("LIMULUS_CL_GUARD", "1");
  for (const auto& [to, wanted] :
       {std::pair{"y[i + 1] = ",
                  "outside of argument 1, 4 bytes were written from 0 bytes after "
                  "the end of its 4"},
        std::pair{"y[i - 2] = ",
                  "outside of argument 1, 4 bytes were written from 8 bytes before "
                  "the start of its 4"}}) {
    const TemporaryFolder folder;
    const Environment cache("XDG_CACHE_HOME", (folder / "cache").string());
    edit_kernels(folder / "kernels", "elementwise.cl", "y[i] = scale", std::string(to) + "scale");
    const Environment edited("LIMULUS_CL_DIR", (folder / "kernels").string());
    OpenClBackend backend("opencl:0");
    const std::string message = message_of<DeviceError>([&] { two_x_plus_one(backend); });
    CHECK(has(message, "opencl:0: kernel affine of elementwise.cl"));
    CHECK_MESSAGE(has(message, wanted), message);
  }
}

TEST_CASE("dropout keeps the same elements as on the processor") {
  if (!have_device()) return;
  constexpr std::int64_t n = 10007;
  const std::vector<float> ones(n, 1);
  const auto mask = [&](Backend& backend) {
    std::vector<float> y(n);
    const Workspace x(backend.pool(), 4 * n);
    backend.upload(x.data(), ones.data(), 4 * n);
    backend.dropout(DType::f32, n, 0.3, {0x123456789ABCDEFu, 0xFEDCBA9876543210u}, x.data(),
                    x.data());
    backend.download(y.data(), x.data(), 4 * n);
    for (float& v : y) v = v == 0 ? 0.0f : 1.0f;
    return y;
  };
  CHECK(mask(device("opencl:0")) == mask(device("reference")));
}

TEST_CASE("two threads at once, on one device and on two contexts of it") {
  if (!have_device()) return;
  const OpCase* row = nullptr;
  for (const OpCase& c : op_cases())
    if (c.op == "network") row = &c;
  REQUIRE(row != nullptr);
  OpenClBackend one("opencl:0"), other("opencl:0");
  const std::vector<double> alone = numbers(*row, DType::f32, one);
  for (Backend* second : {static_cast<Backend*>(&one), static_cast<Backend*>(&other)}) {
    int wrong = 0, wrong_too = 0;
    const auto work = [&](Backend& backend, int& count) {
      for (int i = 0; i < 20; ++i) count += numbers(*row, DType::f32, backend) == alone ? 0 : 1;
    };
    std::thread thread([&] { work(*second, wrong_too); });
    work(one, wrong);
    thread.join();
    CHECK(wrong == 0);
    CHECK(wrong_too == 0);
  }
}

#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
