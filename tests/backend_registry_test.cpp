// Names of devices: which exist, which parts of them, and what a wrong name is told.
#include "backends/registry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/reference/reference_backend.h"
#include "core/error.h"
#include "core/pool.h"

using namespace limulus;

namespace {

std::string refusal(const std::string& name) {
  try {
    device(name);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a name always means the same backend, and is the backend's name") {
  for (const std::string name : {"cpu", "reference", "cpu:0/2", "cpu:1/2", "cpu:63/64"}) {
    CHECK(device(name).name() == name);
    CHECK(&device(name) == &device(name));
    CHECK_FALSE(device(name).description().empty());
  }
  CHECK(&device() == &device("cpu"));
  CHECK(&device("cpu") != &device("reference"));
  CHECK(&device("cpu:0/2") != &device("cpu:1/2"));
}

TEST_CASE("a part of the processor computes, behind a queue") {
  Backend& half = device("cpu:1/2");
  CHECK_FALSE(half.host_memory());
  const float x[3] = {1, 2, 3};
  float y[3] = {};
  const Workspace a(half.pool(), sizeof(x)), b(half.pool(), sizeof(y));
  half.upload(a.data(), x, sizeof(x));
  half.affine(DType::f32, 3, 2, 1, a.data(), b.data());
  half.download(y, b.data(), sizeof(y));
  CHECK(y[0] == 3);
  CHECK(y[2] == 7);
}

TEST_CASE("a backend from outside becomes a device by its name") {
  CHECK(refusal("mine") != "accepted");
  Backend& mine = add_device(std::make_unique<ReferenceBackend>("mine"));
  CHECK(&device("mine") == &mine);
  const std::vector<DeviceInfo> devices = list_devices();
  CHECK(std::count_if(devices.begin(), devices.end(),
                      [](const DeviceInfo& d) { return d.name == "mine"; }) == 1);
  for (const char* taken : {"mine", "cpu", "cpu:1/3", "reference"})
    CHECK_THROWS_WITH_AS(
        add_device(std::make_unique<ReferenceBackend>(taken)),
        ("add_device: there is a device \"" + std::string(taken) + "\" already").c_str(),
        ValueError);
  CHECK(&device("mine") == &mine);
}

TEST_CASE("two devices are named with a comma") {
  CHECK(devices("cpu") == std::vector<Backend*>{&device("cpu")});
  CHECK(devices("cpu:0/2,cpu:1/2") ==
        std::vector<Backend*>{&device("cpu:0/2"), &device("cpu:1/2")});
  CHECK_THROWS_AS(devices("cpu,cpu,cpu"), DeviceError);
  CHECK_THROWS_AS(devices("cpu,"), DeviceError);
  CHECK_THROWS_AS(devices(""), DeviceError);
}

TEST_CASE("wrong names are told what is right") {
  CHECK(refusal("cpu:2/2") ==
        "device \"cpu:2/2\": of 2 parts, the first is cpu:0/2 and the last is cpu:1/2");
#ifdef LIMULUS_OPENCL
  const std::string known = "cpu, reference, opencl";
#else
  const std::string known = "cpu, reference";
  CHECK(refusal("opencl:0") ==
        "device \"opencl:0\": this build has no OpenCL backend; devices: cpu, reference; to have "
        "it, install OpenCL (Debian: opencl-headers, opencl-clhpp-headers, ocl-icd-opencl-dev, "
        "pocl-opencl-icd) and build again");
#endif
  std::string all = known;
  for (const std::string& name : added_devices()) all += ", " + name;
  CHECK(refusal("gpu") ==
        "device \"gpu\": there is none of that name; devices: " + all + ", and parts as cpu:0/2");
  CHECK(refusal("reference:0/2") ==
        "device \"reference:0/2\": the reference backend has no parts; its name is \"reference\"");
  for (const char* name : {"", "cpu:", "CPU", "cpu:0", "cpu:0/", "cpu:/2", "cpu:0/0", "cpu:0/65",
                           "cpu:-1/2", "cpu:00/2", "cpu:0/2x", "cpu:0 /2", "cpu:+0/2", "cpu:a/b",
                           "cpu:99999999999/2", "reference:", " cpu", "cpu:0/2:1"}) {
    CAPTURE(name);
    CHECK(refusal(name) != "accepted");
  }
  CHECK(refusal("cpu:2/2") == refusal("cpu:2/2"));  // a refused name leaves nothing behind
}

TEST_CASE("the list names devices that exist") {
  const std::vector<DeviceInfo> devices = list_devices();
  for (const char* name : {"cpu", "reference"}) {
    CHECK(std::any_of(devices.begin(), devices.end(),
                      [&](const DeviceInfo& info) { return info.name == name; }));
  }
  for (const DeviceInfo& info : devices) {
    CHECK(device(info.name).name() == info.name);
    CHECK(device(info.name).description() == info.description);
  }
}

TEST_CASE("threads that ask at once get one backend") {
  std::vector<Backend*> got(8);
  std::vector<std::thread> threads;
  for (Backend*& backend : got) {
    threads.emplace_back([&backend] { backend = &device("cpu:2/5"); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Backend* backend : got) CHECK(backend == got[0]);
}
