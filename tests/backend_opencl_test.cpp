// The OpenCL backend where it differs from others: devices and parts of them, messages, kernels
// from a folder, the cache of built programs, several threads. What its kernels compute is checked
// by the ops_* tests, as for every device.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "backends/opencl/opencl_backend.h"
#include "backends/registry.h"
#include "core/error.h"
#include "core/pool.h"
#include "core/trace.h"
#include "op_cases.h"
#include "temporary_folder.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

bool have_device() {
  if (!opencl_devices().empty()) return true;
  std::printf("skipped: there is no OpenCL device\n");
  return false;
}

std::string refusal(const std::string& name) {
  return message_of<DeviceError>([&] { OpenClBackend backend(name); });
}

// An environment variable for the length of a scope.
struct Environment {
  const char* name;
  std::string before;
  bool was_set;
  Environment(const char* variable, const std::string& value) : name(variable) {
    const char* old = std::getenv(name);
    was_set = old != nullptr;
    if (was_set) before = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { was_set ? setenv(name, before.c_str(), 1) : unsetenv(name); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
};

// A copy of the kernels in which `from` in `file` has become `to`.
void edit_kernels(const fs::path& folder, const std::string& file, const std::string& from,
                  const std::string& to) {
  fs::copy(fs::path(LIMULUS_SOURCE_DIR) / "backends/opencl/kernels", folder);
  std::string text = get_bytes(folder / file);
  REQUIRE(has(text, from));
  text.replace(text.find(from), from.size(), to);
  put_bytes(folder / file, text);
}

// y = 2 x + 1 for x = 3
float two_x_plus_one(Backend& backend) {
  const Workspace x(backend.pool(), 4), y(backend.pool(), 4);
  const float three = 3;
  float result = 0;
  backend.upload(x.data(), &three, 4);
  backend.affine(DType::f32, 1, 2, 1, x.data(), y.data());
  backend.download(&result, y.data(), 4);
  return result;
}

// The results of a row of the table, as numbers one after the other.
std::vector<double> numbers(const OpCase& c, DType dtype, Backend& backend) {
  std::vector<double> all;
  for (const Tensor& t : run_case(c, dtype, backend).values)
    for (const double v : t.to_doubles()) all.push_back(v);
  return all;
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
  CHECK(has(refusal("opencl:0/9999"), "compute units, too few for 9999 parts"));
  CHECK(has(refusal("opencl:2/2"), "a part is named i/n with i below n"));
  CHECK(&device("opencl") == &device("opencl:0"));
}

TEST_CASE("both halves of a device compute") {
  if (!have_device()) return;
  for (const char* name : {"opencl:0/2", "opencl:1/2", "opencl:0:1/2"}) {
    const std::string refused = refusal(name);
    if (!refused.empty()) {  // one compute unit, or a device that cannot be cut: it is said
      CHECK((has(refused, "too few") || has(refused, "cannot be cut")));
      std::printf("skipped: %s\n", refused.c_str());
      continue;
    }
    OpenClBackend half(name);
    CHECK(half.name() == name);
    CHECK(two_x_plus_one(half) == 7);
  }
}

TEST_CASE("too much memory is refused with the sizes") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0");
  const std::string message =
      message_of<DeviceError>([&] { backend.allocate(std::size_t{1} << 50); });
  CHECK(has(message, "no memory for 1125899906842624 bytes"));
  CHECK(has(message, "CL_"));
  CHECK(has(message, "a smaller batch needs less"));
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
    CHECK(has(message, "opencl:0: dropout: CL_INVALID_KERNEL_NAME"));
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

TEST_CASE("no primitive falls back to the reference") {
  if (!have_device()) return;
  set_strict(true);
  std::set<std::string> seen;
  int fallbacks = 0;
  set_trace_sink([&](const TraceEvent& event) {
    seen.insert(event.primitive);
    fallbacks += event.fallback ? 1 : 0;
  });
  for (const OpCase& c : op_cases())
    if (!c.large) CHECK_NOTHROW_MESSAGE(run_case(c, DType::f32, device("opencl:0")), c.name);
  set_trace_sink({});
  set_strict(false);
  CHECK(fallbacks == 0);
  CHECK(seen.size() >= 30);
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

TEST_CASE("the sizes for a GPU compute the same") {
  if (!have_device()) return;
  const Environment tuning("LIMULUS_CL_TUNING", "gpu");
  OpenClBackend backend("opencl:0");
  for (const OpCase& c : op_cases()) {
    if (c.large) continue;
    const std::vector<double> got = numbers(c, DType::f32, backend);
    const std::vector<double> exact = numbers(c, DType::f64, device("reference"));
    REQUIRE(got.size() == exact.size());
    double worst = 0, largest = 1;
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(got[i] - exact[i]));
      largest = std::max(largest, std::abs(exact[i]));
      if (std::isnan(got[i])) worst = INFINITY;
    }
    CHECK_MESSAGE(worst <= 1e-5 * c.condition * largest, c.name << ": off by " << worst);
  }
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
