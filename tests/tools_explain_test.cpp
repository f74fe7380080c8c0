// `limulus explain --element` as a program: the terms that it prints add up to what the layer's
// kernel computed, forward and backward, for every kind of layer that a network has; kinds and
// options that are in none of them by a call.
#include <doctest/doctest.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/local_response_norm.h"
#include "models/models.h"
#include "models/onnx_export.h"
#include "temporary_folder.h"
#include "tools/explain_element.h"

namespace {

struct Result {
  int status = 0;
  std::string text;  // stdout and stderr
};

Result run_program(const std::string& arguments) {
  const std::string command = std::string(LIMULUS_PROGRAM) + " " + arguments + " 2>&1";
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe))
    result.text.append(piece.data(), n);
  result.status = pclose(pipe);
  return result;
}

Result run(const std::string& arguments) { return run_program("explain " + arguments); }

// Runs it and checks that the element from the terms is the kernel's. Returns the answer.
nlohmann::json explained(const std::string& arguments) {
  INFO("limulus explain ", arguments);
  const Result result = run(arguments + " --json");
  INFO(result.text);
  REQUIRE(result.status == 0);
  auto answer = nlohmann::json::parse(result.text);
  const double value = answer["value"], tensor = answer["tensor"];
  CHECK(std::isfinite(value));
  CHECK(std::abs(value - tensor) <= 1e-12 * std::max(1.0, std::abs(tensor)));
  return answer;
}

double sum(const nlohmann::json& answer) {
  double sum = 0;
  for (const auto& term : answer["terms"]) sum += term["value"].get<double>();
  return sum;
}

using namespace limulus;
using tools::Index;

// `layer` and what went through it, there and back: an image drawn from N(0, 1), dy likewise.
tools::LayerRun run_through(Module& layer, const Shape& image) {
  Backend& cpu = device("cpu");
  const auto drawn = [&](const Shape& shape, std::uint64_t seed) {
    Tensor t = Tensor::empty(shape, DType::f64, cpu);
    Rng rng(seed, stream_of("explain"));
    fill_normal(t, 0, 1, rng);
    return t;
  };
  const auto values = [](const Tensor& t) {
    auto sizes = t.shape().sizes();
    sizes.erase(sizes.begin());
    return tools::Values{Shape(sizes), t.to_doubles()};
  };
  Tensor x = drawn(image, 1).set_requires_grad();
  const Tensor y = layer.forward(x);
  const Tensor dy = drawn(y.shape(), 2);
  y.backward(dy);
  tools::LayerRun run;
  run.name = "it", run.layer = &layer, run.in = image;
  run.x = values(x), run.y = values(y), run.dy = values(dy), run.dx = values(x.grad());
  for (const auto& [name, p] : layer.parameters()) {
    const bool is_weight = name == "weight";
    const Tensor gradient = p.grad();
    (is_weight ? run.weight : run.bias) = tools::Values{p.shape(), p.to_doubles()};
    (is_weight ? run.dweight : run.dbias) = tools::Values{p.shape(), gradient.to_doubles()};
  }
  return run;
}

// Every element, forward and backward, as the kernels have it.
void check_all_elements(Module& layer, const Shape& image) {
  const tools::LayerRun run = run_through(layer, image);
  const auto check = [](const Shape& shape, auto explain) {
    for (std::int64_t c = 0; c < shape[0]; ++c)
      for (std::int64_t h = 0; h < shape[1]; ++h)
        for (std::int64_t w = 0; w < shape[2]; ++w) {
          const tools::Explanation e = explain(Index{c, h, w});
          CAPTURE(e.element);
          CHECK(e.value == doctest::Approx(e.tensor).epsilon(1e-12));
        }
  };
  check(run.y.shape, [&](const Index& i) { return tools::explain_forward(run, i); });
  check(run.x.shape, [&](const Index& i) { return tools::explain_backward(run, "input", i); });
}

void check_refused(const std::string& arguments, const std::string& why) {
  const Result result = run(arguments);
  INFO("limulus explain ", arguments, " printed: ", result.text);
  CHECK(result.status != 0);
  CHECK(result.text.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("an element of a convolution: as many terms as taps on the image, and a bias") {
  const auto middle = explained("cifar-convnet --layer conv2 --element 3,5,6");
  CHECK(middle["terms"].size() == 32 * 5 * 5 + 1);
  CHECK(sum(middle) == doctest::Approx(middle["tensor"].get<double>()).epsilon(1e-12));
  const auto corner = explained("cifar-convnet --layer conv2 --element 3,0,0");
  CHECK(corner["terms"].size() == 32 * 3 * 3 + 1);
}

TEST_CASE("gradients of a convolution") {
  const std::string layer = "cifar-convnet --layer conv2 --backward";
  CHECK(explained(layer + " --element 3,5,6")["terms"].size() == 32 * 5 * 5);
  CHECK(explained(layer + " --element 3,0,0")["terms"].size() == 32 * 3 * 3);
  const auto weight = explained(layer + " --of weight --element 3,4,1,2");
  CHECK(weight["terms"].size() == 15 * 16);  // one row of places sees padding
  CHECK(weight["tensor"] != 0);
  CHECK(explained(layer + " --of bias --element 7")["terms"].size() == 16 * 16);
}

TEST_CASE("an element of a fully connected layer, and its gradients") {
  CHECK(explained("lenet5 --layer fc4 --element 11")["terms"].size() == 121);
  CHECK(explained("lenet5 --layer fc4 --element 11 --backward")["terms"].size() == 84);
  CHECK(explained("lenet5 --layer fc4 --of weight --element 11,5 --backward")["terms"].size() == 1);
  CHECK(explained("lenet5 --layer fc4 --of bias --element 11 --backward")["terms"].size() == 1);
}

TEST_CASE("pools, nonlinearities and softmax") {
  const auto pool = explained("cifar-convnet --layer pool1 --element 3,4,5");
  double largest = -INFINITY;
  for (const auto& term : pool["terms"]) largest = std::max(largest, term["value"].get<double>());
  CHECK(largest == pool["tensor"].get<double>());
  for (const char* element : {"3,4,5", "3,5,5", "0,0,0", "7,6,8"})
    explained(std::string("cifar-convnet --layer pool1 --backward --element ") + element);
  explained("cifar-convnet --layer relu1 --element 3,4,5");
  explained("cifar-convnet --layer relu1 --element 3,4,5 --backward");
  const auto probability = explained("lenet5 --layer softmax --element 3");
  CHECK(probability["terms"].size() == 10);
  const auto right = explained("lenet5 --layer softmax --element 3 --label 3 --backward");
  CHECK(right["value"] == doctest::Approx(probability["value"].get<double>() - 1));
  explained("lenet5 --layer softmax --element 3 --label 4 --backward");
}

TEST_CASE("AlexNet: groups, and normalization across channels" * doctest::timeout(300)) {
  const auto group = explained("alexnet --classes 5 --layer conv2 --element 200,0,26");
  CHECK(group["terms"].size() == 48 * 3 * 3 + 1);
  CHECK(group["terms"][1]["what"] == "x[48, 0, 24] w[200, 0, 2, 0]");
  CHECK(group["notes"][0] == "filter 200 is in group 1 of 0 ... 1 and sees channels 48 ... 95");
  // Where there is one group, nothing is said of groups.
  CHECK(explained("lenet5 --layer conv2 --element 3,4,4")["notes"][0] ==
        "filter 3 sees channels 0 ... 5");
  CHECK(explained("lenet5 --layer conv2 --element 3,4,4 --backward")["notes"][0] ==
        "channel 3 was seen by filters 0 ... 15");
  CHECK(explained("alexnet --classes 5 --layer lrn1 --element 0,20,30")["terms"].size() == 3);
  const auto lrn = explained("alexnet --classes 5 --layer lrn1 --element 50,20,30 --backward");
  CHECK(lrn["terms"].size() == 6);
}

TEST_CASE("average pools of the four-layer network") {
  CHECK(explained("cifar-convnet --layer pool2 --element 3,4,5")["terms"].size() == 9);
  CHECK(explained("cifar-convnet --layer pool2 --element 3,2,2 --backward")["terms"].size() == 4);
  CHECK(explained("cifar-convnet --layer pool2 --element 3,1,1 --backward")["terms"].size() == 1);
}

TEST_CASE("layers and options that are in no network") {
  Tanh tanh;
  check_all_elements(tanh, {1, 2, 3, 4});
  Sigmoid sigmoid;
  check_all_elements(sigmoid, {1, 2, 3, 4});
  for (const bool with_padding : {false, true}) {
    AvgPool2d pool(
        {.kernel = 3, .stride = 2, .pad = 1, .ceil = true, .count_include_pad = with_padding});
    check_all_elements(pool, {1, 2, 6, 8});
  }
  for (const std::int64_t size : {3, 4}) {
    LocalResponseNorm within({.size = size, .alpha = 0.5, .region = LrnRegion::within_channel});
    check_all_elements(within, {1, 2, 5, 6});
    LocalResponseNorm across({.size = size, .alpha = 0.5});
    check_all_elements(across, {1, 6, 2, 3});
  }
}

TEST_CASE("batch normalization is refused, and not taken for another layer") {
  BatchNorm2d norm(3, device("cpu"), DType::f64);
  const tools::LayerRun run = run_through(norm, {1, 3, 4, 4});
  CHECK_THROWS_WITH_AS(tools::explain_forward(run, {0, 0, 0}),
                       "explain: it is a BatchNorm2d, for which there is no explanation",
                       ValueError);
  for (const char* of : {"input", "weight"})
    CHECK_THROWS_WITH_AS(tools::explain_backward(run, of, of[0] == 'i' ? Index{0, 0, 0} : Index{0}),
                         doctest::Contains("there is no explanation of the"), ValueError);
}

TEST_CASE("what cannot be explained is said") {
  check_refused("lenet5 --layer fc4 --element 84", "has no element [84]");
  check_refused("lenet5 --layer fc4 --element 1,2", "has the shape [84]");
  check_refused("lenet5 --layer fc4 --element x", "takes numbers such as 5,10,10");
  check_refused("lenet5 --layer fc9 --element 1", "has no layer 'fc9'");
  check_refused("lenet5 --element 1", "--element needs --layer");
  check_refused("lenet5 --backward", "--backward needs --element");
  check_refused("lenet5 --layer flatten --element 1", "nothing to add up");
  check_refused("lenet5 --layer fc4 --element 1 --image nowhere.jpg", "nowhere.jpg");
  check_refused("lenet5 --layer fc4 --element 1 --backward --label 10", "labels[0] is 10");
  check_refused("alexnet-towers --classes 5 --layer conv1 --element 1,1,1", "alexnet is the same");
}

TEST_CASE("one convolution or pool of any size") {
  const auto step = [](const std::string& arguments) {
    const Result result = run(arguments + " --json");
    INFO(result.text);
    REQUIRE(result.status == 0);
    return nlohmann::json::parse(result.text)["steps"][0];
  };
  const auto conv =
      step("conv2d --input 3x224x224 --kernel 11 --stride 4 --padding 2 --channels 64");
  CHECK(conv["formula"] == "floor((224 - 11 + 2*2)/4) + 1 = 55");
  CHECK(conv["parameters"] == 64 * 3 * 11 * 11 + 64);
  CHECK(conv["window"]["padding"] == nlohmann::json({2, 2}));
  CHECK(step("conv2d --input 8x9x7 --groups 4 --no-bias")["parameters"] == 8 * 2 * 9);
  CHECK(step("max_pool2d --input 96x54x54 --stride 2 --ceil")["out"] ==
        nlohmann::json({1, 96, 27, 27}));
  CHECK(step("avg_pool2d --input 96x54x54 --stride 2")["out"] == nlohmann::json({1, 96, 26, 26}));
  check_refused("conv2d --input 3x7x7 --kernel 11 --stride 4", "floor((7 - 11 + 2*0)/4) + 1 = 0");
  check_refused("conv2d --input 3x7x7 --channels 0", "3 input and 0 output channels");
  check_refused("conv2d --input 0x7x7 --channels 4", "0 input and 4 output channels");
  check_refused("conv2d --input 3x7x7 --groups 2", "3 = 2 * 1 + 1");
  check_refused("conv2d --input 3x7", "channels x height x width");
  check_refused("conv2d --input 3x7x7x1", "channels x height x width");
  check_refused("conv2d --input 3x7x7 --ceil", "no --ceil");
  check_refused("max_pool2d --input 3x7x7 --dilation 2", "no --dilation");
  check_refused("conv2d --input 3x7x7 --stride 0", "stride 0 (height) must be from 1");
}

TEST_CASE("sizes are told without the memory of the weights") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(3);
    execl(LIMULUS_PROGRAM, "limulus", "explain", "alexnet", "--classes", "100000", nullptr);
    _exit(2);
  }
  int status = 0;
  rusage used{};
  REQUIRE(wait4(child, &status, 0, &used) == child);
  CHECK(status == 0);
  CHECK(used.ru_maxrss < 1'000'000);  // KiB; fc8 alone has 4,096 * 100,000 weights of 4 bytes
}

TEST_CASE("a network in a file is opened once") {
  if (!has_onnx()) return;
  const TemporaryFolder folder;
  const std::string file = (folder / "net.onnx").string();
  const auto net = make_model("lenet5", 0, device("cpu"));
  initialize(*net, Recipe::he, 1);
  write_onnx(file, to_onnx(*net, {1, 28, 28}, {}));
  const int watch = inotify_init1(IN_NONBLOCK);
  REQUIRE(watch >= 0);
  REQUIRE(inotify_add_watch(watch, file.c_str(), IN_OPEN | IN_CLOSE) >= 0);
  for (const std::string& arguments :
       {"explain " + file, "explain " + file + " --layer conv1 --element 0,0,0",
        "figure 2 --model " + file + " --out " + (folder / "figure.svg").string(),
        "bench --model " + file + " --repeat 1 --threads 1",
        "scale --model " + file + " --seconds 1,1,1"}) {
    const Result result = run_program(arguments);
    INFO(arguments, result.text);
    REQUIRE(result.status == 0);
    std::array<inotify_event, 64> events{};  // of one file they have no name behind them
    const ssize_t bytes = read(watch, events.data(), sizeof events);
    REQUIRE(bytes > 0);
    const auto end = events.begin() + bytes / static_cast<ssize_t>(sizeof(inotify_event));
    CHECK(std::count_if(events.begin(), end, [](auto& e) { return (e.mask & IN_OPEN) != 0; }) == 1);
  }
  close(watch);
}
