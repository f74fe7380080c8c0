// The OpenCL backend where it differs from others: devices and parts of them, messages, kernels
// from a folder, the cache of built programs. What its kernels compute is checked by the ops_* tests,
// as for every device, and by backend_opencl_table_test.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <filesystem>
#include <vector>

#include "backends/opencl/opencl_backend.h"
#include "backends/opencl/tuning.h"
#include "core/error.h"
#include "core/rng.h"
#include "opencl_check.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string refusal(const std::string& name) {
  return message_of<DeviceError>([&] { OpenClBackend backend(name); });
}

}  // namespace

TEST_CASE("wrong names are told what is right") {
  if (!have_device()) return;
  for (const char* name :
       {"opencl:", "opencl:x", "opencl:00", "opencl:-1", "opencl:0/", "opencl:/2", "opencl:0:0",
        "opencl:0/2:1", "opencl:0/2x", "opencl:12345"}) {
    CAPTURE(name);
    CHECK(has(refusal(name), "OpenCL devices are named opencl:0"));
  }
  CHECK(has(refusal("opencl:99"), "there is no OpenCL device 99; there are opencl:0 ("));
  CHECK(has(refusal("opencl:0/9999"), "n from 1 to 64"));
  CHECK(has(refusal("opencl:2/2"), "a part is named i/n with i below n"));
  CHECK(&device("opencl") == &device("opencl:0"));
}

TEST_CASE("both halves of a device compute; one that cannot be cut stands for both") {
  if (!have_device()) return;
  for (const char* name : {"opencl:0/2", "opencl:1/2", "opencl:0:1/2"}) {
    OpenClBackend half(name);
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

TEST_CASE("without a device, it is said what to install") {
  if (!opencl_devices().empty()) return;
  CHECK(has(refusal("opencl:0"), "there is no OpenCL device; install one (Debian, Ubuntu: "));
}

TEST_CASE("a device is listed with its platform, driver and what it supports") {
  if (!have_device()) return;
  const std::vector<OpenClDevice> devices = opencl_devices();
  std::string all;
  for (const auto& [what, value] : devices[0].facts) {
    CHECK_FALSE(value.empty());
    all += what + " ";
  }
  CHECK(all == "platform driver kind memory work-group numbers sub-groups SVM parts sizes ");
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

TEST_CASE("what a driver refuses is named, with the kernel") {
  if (!have_device()) return;
  opencl::Tuning sizes = OpenClBackend("opencl:0").tuning();
  sizes.group = 1 << 20;  // items in a group
  OpenClBackend backend("opencl:0", sizes);
  const std::string message = message_of<DeviceError>([&] { two_x_plus_one(backend); });
  CHECK(has(message, "opencl:0: affine, kernel affine of elementwise.cl, 1 x 1 x 1 groups of "));
  CHECK(has(message, "CL_INVALID_WORK_GROUP_SIZE"));
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
    CHECK(
        has(message_of<FileError>([&] { two_x_plus_one(backend); }), "common.cl: cannot be read"));
  }
}

TEST_CASE("a damaged cache is built again") {
  if (!have_device()) return;
  const TemporaryFolder folder;
  const Environment cache("XDG_CACHE_HOME", folder.path.string());
  const auto compute = [] {
    OpenClBackend backend("opencl:0");
    return two_x_plus_one(backend);
  };
  CHECK(compute() == 7);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder / "limulus"))
    files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  const std::string whole = get_bytes(files[0]);
  REQUIRE(whole.size() > 100);
  CHECK(compute() == 7);

  std::vector<std::string> damaged = {
      "",         "x", whole.substr(0, 20), whole.substr(0, 24), whole.substr(0, whole.size() - 1),
      whole + "x"};
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{24},
                               whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 0x40;
  }
  Rng rng(2012);
  for (int i = 0; i < 6; ++i) {  // a bit, and an end, anywhere
    damaged.push_back(whole);
    damaged.back()[rng.below(whole.size())] ^= static_cast<char>(1 << rng.below(8));
    damaged.push_back(whole.substr(0, rng.below(whole.size())));
  }
  for (const std::string& bytes : damaged) {
    put_bytes(files[0], bytes);
    CHECK(compute() == 7);
    CHECK(get_bytes(files[0]).size() > 100);
    CHECK(get_bytes(files[0]) != bytes);
  }
  fs::remove_all(folder / "limulus");
  put_bytes(folder / "limulus", "a file where the folder should be");
  CHECK(compute() == 7);  // nothing can be kept, and nothing is lost
}

#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
