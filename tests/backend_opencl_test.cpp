// The OpenCL backend where it differs from others: devices and parts of them, messages, kernels
// from a folder, the cache of built programs. What its kernels compute is checked by the ops_*
// tests, as for every device, and by backend_opencl_table_test.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "backends/opencl/opencl_backend.h"
#include "backends/opencl/tuning.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "core/trace.h"
#include "gradcheck/gradcheck.h"
#include "opencl_check.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string refusal(const std::string& name) {
  return message_of<DeviceError>([&] { OpenClBackend backend(name); });
}

// "..., 2 compute units, ..." -> 2
int units_of(const Backend& backend) {
  const std::string text = backend.description();
  const std::size_t end = text.find(" compute unit");
  REQUIRE(end != std::string::npos);
  return std::stoi(text.substr(text.rfind(' ', end - 1) + 1));
}

}  // namespace

TEST_CASE("wrong names are told what is right") {
  if (!have_device()) return;
  for (const char* name :
       {"opencl:", "opencl:x", "opencl:00", "opencl:-1", "opencl:0/", "opencl:/2", "opencl:0:0",
        "opencl:0/2:1", "opencl:0/2x", "opencl:12345", "opencl:0/9999", "opencl:2/2", "cpu"}) {
    CAPTURE(name);
    CHECK(has(refusal(name), "Devices are named cpu, reference, opencl:0"));
    CHECK(has(refusal(name), "Here there are: opencl:0"));
  }
  CHECK(has(refusal("opencl:99"), "there is no OpenCL device 99; there "));
  CHECK(&device("opencl") == &device("opencl:0"));
}

TEST_CASE("both halves of a device compute; one that cannot be cut stands for both") {
  if (!have_device()) return;
  for (const char* name : {"opencl:0/2", "opencl:1/2", "opencl:0:1/2"}) {
    OpenClBackend half(name);
    if (!has(half.description(), "stands for the whole device")) {
      // "..., 2 compute units, ...": of each half, no more than the larger half of the whole's
      const int all = units_of(OpenClBackend("opencl:0")), mine = units_of(half);
      CHECK(mine >= all / 2);
      CHECK(mine <= (all + 1) / 2);
    }
    CHECK(half.name() == name);
    CHECK(two_x_plus_one(half) == 7);
  }
  OpenClBackend part("opencl:63/64");  // of a processor with fewer than 64 cores, the whole
  CHECK(two_x_plus_one(part) == 7);
  if (!has(part.description(), "64 compute units")) {
    CHECK(has(part.description(), "stands for the whole device, with a queue of its own"));
    CHECK(has(part.description(), "cannot be cut into 64 parts"));
  }
}

TEST_CASE("without a device, it is said what to install, or where it was looked for") {
  if (!opencl_devices().devices.empty()) return;
  const char* only_there = std::getenv("OCL_ICD_VENDORS");
  CHECK(has(refusal("opencl:0"),
            only_there == nullptr ? "no OpenCL driver is installed; install one (Debian, Ubuntu: "
                                  : "where OCL_ICD_VENDORS says"));
}

TEST_CASE("a device is listed with its platform, driver and what it supports") {
  if (!have_device()) return;
  const std::vector<OpenClDevice> devices = opencl_devices().devices;
  std::string all;
  for (const auto& [what, value] : devices[0].facts) {
    CHECK_FALSE(value.empty());
    all += what + " ";
  }
  CHECK(all == "platform driver kind memory work-group numbers sub-groups SVM parts sizes cache ");
}

TEST_CASE("too much memory is refused with the sizes") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0");
  const std::string message =
      message_of<DeviceError>([&] { backend.allocate(std::size_t{1} << 50); });
  CHECK(has(message, "no memory for 1125899906842624 bytes"));
  CHECK(has(message, "CL_"));
  CHECK(has(message, "a smaller batch needs less"));
  CHECK(two_x_plus_one(backend) == 7);  // nothing is lost
}

TEST_CASE("without double precision, float is computed and double refused") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0");
  backend.pretend_no_double();
  CHECK(two_x_plus_one(backend) == 7);
  const Workspace x(backend.pool(), 8);
  CHECK(message_of<DeviceError>([&] { backend.affine(DType::f64, 1, 2, 1, x.data(), x.data()); }) ==
        "opencl:0: affine: this device has no double precision (fp64); compute in float, or on the "
        "device \"cpu\"");
  const Tensor t = Tensor::full({2}, 1, DType::f64, backend);
  CHECK(has(message_of<DeviceError>([&] {
              gradcheck([](const std::vector<Tensor>& in) { return in[0] * in[0]; }, {{"t", t}});
            }),
            "gradcheck: opencl:0 has no double precision (fp64)"));
}

TEST_CASE("what a driver refuses is named, with the kernel") {
  if (!have_device()) return;
  opencl::Tuning sizes = OpenClBackend("opencl:0").tuning();
  sizes.group = 1 << 20;  // items in a group
  OpenClBackend backend("opencl:0", sizes);
  const std::string message = message_of<DeviceError>([&] { two_x_plus_one(backend); });
  CHECK(has(message, "opencl:0: affine, kernel affine of elementwise.cl, 1 x 1 x 1 groups of "));
  CHECK(has(message, "CL_INVALID_WORK_GROUP_SIZE"));
}

TEST_CASE("what is stored as bf16 is moved, and is no operand") {
  if (!have_device()) return;
  const Environment guard("LIMULUS_CL_GUARD", "1");
  OpenClBackend backend("opencl:0");
  const Workspace a(backend.pool(), 6), b(backend.pool(), 6);
  backend.fill(DType::bf16, 3, 1.5, a.data());
  backend.fill(DType::bf16, 3, -2, b.data());
  backend.copy_block(DType::bf16, {.rows = 1, .cols = 2, .src_offset = 1, .dst_offset = 1},
                     a.data(), b.data());
  std::vector<Bf16> got(3);
  backend.download(got.data(), b.data(), 6);
  CHECK(widen(got[0]) == -2);
  CHECK(widen(got[1]) == 1.5f);
  CHECK(widen(got[2]) == 1.5f);
  for (const std::int64_t rows : {1, 5, 200}) {
    const LinearShape s{rows, 2, 1, false, DType::bf16};
    CHECK(has(message_of<DeviceError>([&] {
                backend.linear_forward(DType::f32, s, a.data(), b.data(), nullptr, b.data());
              }),
              "linear: backend opencl:0 cannot read weights stored as bf16"));
  }
}

TEST_CASE("a trace says by which method a convolution was computed") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0");
  std::map<std::string, std::set<std::string>> methods;
  set_trace_sink([&](const TraceEvent& e) { methods[e.primitive].insert(e.method); });
  for (const OpCase& c : op_cases())
    if (c.op == "conv2d" && (has(c.name, "x[1, 3, 67, 67]") || has(c.name, "x[5, 96, 13, 13]")))
      run_case(c, DType::f32, backend);
  set_trace_sink({});
  CHECK(methods["conv2d_forward"] == std::set<std::string>{"direct", "winograd"});
  CHECK(methods["conv2d_backward_input"] == std::set<std::string>{"columns", "winograd"});
  CHECK(methods["conv2d_backward_weight"] == std::set<std::string>{"direct", "winograd"});
}

TEST_CASE("kernels are taken from the folder LIMULUS_CL_DIR") {
  if (!have_device()) return;
  const TemporaryFolder folder;
  const Environment cache("XDG_CACHE_HOME", (folder / "cache").string());

  edit_kernels(folder / "edited", "elementwise.cl", "scale * x[i] + shift",
               "scale * x[i] + shift + 10");
  {
    const Environment edited("LIMULUS_CL_DIR", (folder / "edited").string());
    OpenClBackend backend("opencl:0");
    CHECK(two_x_plus_one(backend) == 17);
  }
  edit_kernels(folder / "broken", "sgd.cl", "w[i] += step;", "w[i] += stop;");
  {
    const Environment broken("LIMULUS_CL_DIR", (folder / "broken").string());
    OpenClBackend backend("opencl:0");
    const std::string message = message_of<DeviceError>(
        [&] { backend.sgd_step(DType::f32, {.n = 1}, nullptr, nullptr, nullptr); });
    CHECK(has(message, "sgd.cl does not build: CL_BUILD_PROGRAM_FAILURE"));
    CHECK(has(message, "stop"));                       // the compiler's log
    CHECK(has(message, ">   13      w[i] += stop;"));  // the line, with its number
    CHECK(has(message, "device:  "));
    CHECK(has(message, "options: -cl-std=CL1.2 -DREAL=float"));
  }
  // A mistake in a file that another one includes: in one of ours, and in a student's own.
  edit_kernels(folder / "tile", "tile.cl", "b0 = LOADV(from),", "b0 = LOADV(form),");
  edit_kernels(folder / "own", "sgd.cl", "kernel void sgd_paper",
               "#include \"mine.cl\"\nkernel void sgd_paper");
  put_bytes(folder / "own" / "mine.cl",
            "// a file of one's own\nREAL mine() { return nothing; }\n");
  for (const auto& [where, line] :
       {std::pair{"tile", "    const REALV b0 = LOADV(form),"},
        std::pair{"own", "mine.cl:\n     1  // a file of one's own\n>    2  REAL mine()"}}) {
    const Environment broken("LIMULUS_CL_DIR", (folder / where).string());
    OpenClBackend backend("opencl:0");
    const std::string message = message_of<DeviceError>([&] {
      if (std::string(where) == "own")
        backend.sgd_step(DType::f32, {.n = 1}, nullptr, nullptr, nullptr);
      else
        backend.gemm(DType::f32, {1, 1, 1, false, false, 1, 1, 1, 0}, nullptr, nullptr, nullptr);
    });
    CHECK_MESSAGE(has(message, line), message);
    CHECK_MESSAGE(has(message, std::string(where) == "own" ? "sgd.cl does" : "tile.cl:\n"),
                  message);
  }
  put_bytes(folder / "own" / "mine.cl", "  #include \"mine.cl\"\n");
  {
    const Environment broken("LIMULUS_CL_DIR", (folder / "own").string());
    OpenClBackend backend("opencl:0");
    CHECK(has(message_of<FileError>(
                  [&] { backend.sgd_step(DType::f32, {.n = 1}, nullptr, nullptr, nullptr); }),
              "mine.cl includes itself, by way of sgd.cl, mine.cl, mine.cl"));
  }
  edit_kernels(folder / "renamed", "dropout.cl", "void dropout(", "void drop(");
  {
    const Environment renamed("LIMULUS_CL_DIR", (folder / "renamed").string());
    OpenClBackend backend("opencl:0");
    const std::string message = message_of<DeviceError>([&] {
      backend.dropout(DType::f32, 4, 0.5, {1, 2}, nullptr, nullptr);
    });
    CHECK(has(message, "opencl:0: dropout, kernel dropout of dropout.cl"));
    CHECK(has(message, "CL_INVALID_KERNEL_NAME"));
    CHECK(has(message, "LIMULUS_CL_DIR"));
  }
  {
    const Environment nowhere("LIMULUS_CL_DIR", (folder / "nowhere").string());
    OpenClBackend backend("opencl:0");
    CHECK(has(message_of<FileError>([&] { two_x_plus_one(backend); }), "common.cl: cannot open"));
  }
}

#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
