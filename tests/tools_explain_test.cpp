// `limulus explain --element` as a program: the terms that it prints add up to what the layer's
// kernel computed, forward and backward, for every kind of layer.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace {

struct Result {
  int status = 0;
  std::string text;  // stdout and stderr
};

Result run(const std::string& arguments) {
  const std::string command = std::string(LIMULUS_PROGRAM) + " explain " + arguments + " 2>&1";
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe))
    result.text.append(piece.data(), n);
  result.status = pclose(pipe);
  return result;
}

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
  CHECK(explained("alexnet --classes 5 --layer lrn1 --element 0,20,30")["terms"].size() == 3);
  const auto lrn = explained("alexnet --classes 5 --layer lrn1 --element 50,20,30 --backward");
  CHECK(lrn["terms"].size() == 6);
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
  check_refused("conv2d --input 3x7x7 --groups 2", "3 = 2 * 1 + 1");
  check_refused("conv2d --input 3x7", "channels x height x width");
  check_refused("conv2d --input 3x7x7x1", "channels x height x width");
  check_refused("conv2d --input 3x7x7 --ceil", "no --ceil");
  check_refused("max_pool2d --input 3x7x7 --dilation 2", "no --dilation");
  check_refused("conv2d --input 3x7x7 --stride 0", "stride 0 (height) must be from 1");
}
