// Names of devices: which exist, which parts of them, and what a wrong name is told.
#include "backends/registry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/reference/reference_backend.h"
#include "core/buffer_pool.h"
#include "core/error.h"

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

TEST_CASE("wrong names are told what is wrong, how devices are named, and which there are") {
  const std::string grammar =
      " Devices are named cpu, reference, opencl:0, opencl:1 ...; the first of two parts of one is "
      "cpu:0/2, opencl:0/2 or opencl:1:0/2. Here there are: cpu, reference";
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "there is none of that name."},
      {"gpu", "there is none of that name. Did you mean cpu?"},
      {"CPU", "there is none of that name. Did you mean cpu?"},
      {" cpu", "there is none of that name. Did you mean cpu?"},
      {"referense", "there is none of that name. Did you mean reference?"},
      {"cpu:", "a part is two numbers, as 0/2."},
      {"cpu:1", "a part is two numbers, as 0/2."},
      {"cpu:0/", "a part is two numbers, as 0/2."},
      {"cpu:0", "a part is two numbers, as 0/2."},
      {"cpu:a/b", "a part is two numbers, as 0/2."},
      {"cpu:/2", "a part is two numbers, as 0/2."},
      {"cpu:-1/2", "a part is two numbers, as 0/2."},
      {"cpu:00/2", "a part is two numbers, as 0/2."},
      {"cpu:0/2x", "a part is two numbers, as 0/2."},
      {"cpu:0 /2", "a part is two numbers, as 0/2."},
      {"cpu:+0/2", "a part is two numbers, as 0/2."},
      {"cpu:0/2:1", "a part is two numbers, as 0/2."},
      {"cpu:99999999999999999999/2", "a part is two numbers, as 0/2."},
      {"cpu:0/0", "there are 1 to 64 parts, not 0."},
      {"cpu:0/65", "there are 1 to 64 parts, not 65."},
      {"cpu:2/2", "of 2 parts the first is 0/2 and the last is 1/2."},
      {"reference:0/2", "the reference has no parts."},
      {"reference:", "the reference has no parts."},
      {"opencl:", "after the colon comes a number."},
      {"opencl:x", "\"x\" is not a number from 0 to 9999."},
      {"opencl:-1", "\"-1\" is not a number from 0 to 9999."},
      {"opencl:00", "\"00\" is not a number from 0 to 9999."},
      {"opencl:99999999999999999999", "\"99999999999999999999\" is not a number from 0 to 9999."},
      {"opencl:0/", "a part is two numbers, as 0/2."},
      {"opencl:0/0", "there are 1 to 64 parts, not 0."},
      {"opencl:3/2", "of 2 parts the first is 0/2 and the last is 1/2."},
      {"opencl:0:0", "a part is two numbers, as 0/2."},
      {"opencl:x:0/2", "\"x\" is not a number from 0 to 9999."}};
  for (const auto& [name, why] : wrong) {
    CAPTURE(name);
    const std::string message = refusal(name);
    CHECK(message.substr(0, message.find(grammar)) == "device \"" + name + "\": " + why);
    CHECK(message.find(grammar) != std::string::npos);
    CHECK(refusal(name) == message);  // a refused name leaves nothing behind
  }
  std::string added;
  for (const std::string& name : added_devices()) added += ", " + name;
  CHECK(refusal("gpu").ends_with(added));
#ifndef LIMULUS_OPENCL
  for (const char* name : {"opencl", "opencl:0", "opencl:1:0/2"})
    CHECK(refusal(name).find("this build has no OpenCL backend") != std::string::npos);
#endif
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
