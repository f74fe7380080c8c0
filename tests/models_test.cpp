// The networks by name: sizes and counts of every variant, initial weights.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/cross_entropy.h"
#include "layers/walk.h"
#include "models/alexnet.h"
#include "models/models.h"

using namespace limulus;

namespace {

Backend& cpu() { return device("cpu"); }

Shape batch_of(std::int64_t n, const Shape& image) {
  std::vector<std::int64_t> sizes = {n};
  sizes.insert(sizes.end(), image.sizes().begin(), image.sizes().end());
  return Shape(sizes);
}

std::int64_t count(const Module& m) {
  std::int64_t sum = 0;
  for (const auto& [name, t] : m.parameters()) sum += t.numel();
  return sum;
}

Tensor parameter(const Module& m, const std::string& wanted) {
  for (const auto& [name, t] : m.parameters())
    if (name == wanted) return t;
  FAIL("no parameter " << wanted);
  return {};
}

// "55 55 55 27 ...": the height after each layer that keeps images.
std::string heights(const std::vector<WalkStep>& steps) {
  std::string text;
  for (const WalkStep& s : steps)
    if (s.out.rank() == 4 && (s.kind == "Conv2d" || s.kind == "MaxPool2d" || s.kind == "AvgPool2d"))
      text += std::to_string(s.out[2]) + " ";
  return text;
}

Tensor image(const Shape& shape, std::uint64_t seed, Backend& backend, double deviation = 1) {
  Tensor t = Tensor::empty(shape, DType::f32, backend);
  Rng rng(seed);
  fill_normal(t, 0, deviation, rng);
  return t;
}

}  // namespace

TEST_CASE("every variant has exactly the parameters it is known for") {
  for (const ModelSpec& spec : list_models()) {
    CAPTURE(spec.name);
    const auto net = make_model(spec.name, 0, cpu());
    CHECK(count(*net) == spec.parameters);
    const auto steps = net->walk(batch_of(4, spec.input));
    CHECK(totals(steps).parameters == spec.parameters);
    CHECK(steps.back().out[0] == 4);
  }
  CHECK(model_spec("alexnet").parameters == 60965224);
  CHECK(model_spec("alexnet-ungrouped").parameters == 62378344);
  CHECK(model_spec("alexnet-towers").parameters == 60965224);
  CHECK(model_spec("alexnet-keras").parameters == 46816657);
  CHECK(model_spec("alexnet-torchvision").parameters == 61100840);
  CHECK(model_spec("lenet5").parameters == 61706);
}

TEST_CASE("alexnet: the paper's sizes, connections and multiply-adds") {
  const auto net = make_model("alexnet", 1000, cpu());
  const auto steps = net->walk({1, 3, 227, 227});
  CHECK(heights(steps) == "55 27 27 13 13 13 13 6 ");
  CHECK(steps[0].formula == "floor((227 - 11 + 2*0)/4) + 1 = 55");
  // conv1: 96 * 3 * 11 * 11 weights at 55 * 55 places, and so on; by hand:
  const std::vector<std::pair<std::string, std::int64_t>> expected = {
      {"conv1", 105415200}, {"conv2", 223948800}, {"conv3", 149520384}, {"conv4", 112140288},
      {"conv5", 74760192},  {"fc6", 37748736},    {"fc7", 16777216},    {"fc8", 4096000}};
  for (const auto& [name, multiply_adds] : expected) {
    CAPTURE(name);
    const auto at = std::find_if(steps.begin(), steps.end(),
                                 [&, n = name](const WalkStep& s) { return s.name == n; });
    REQUIRE(at != steps.end());
    CHECK(at->multiply_adds == multiply_adds);
  }
  CHECK(totals(steps).multiply_adds == 724406816);
  CHECK(steps[0].connections == 105705600);  // 34,944 parameters at 55 * 55 places
  std::string names;
  for (const WalkStep& s : steps) names += s.name + " ";
  CHECK(names ==
        "conv1 relu1 lrn1 pool1 conv2 relu2 lrn2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 "
        "flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8 ");
  // The paper's figure prints 224, which does not work out.
  CHECK_THROWS_AS(net->walk({1, 3, 224, 224}), ShapeError);
}

TEST_CASE("the other variants' sizes") {
  const auto walk = [](const char* name) {
    return make_model(name, 0, cpu())->walk(batch_of(1, model_spec(name).input));
  };
  CHECK(heights(walk("alexnet-keras")) == "54 26 26 12 12 12 12 5 ");
  CHECK(heights(walk("alexnet-torchvision")) == "55 27 27 13 13 13 13 6 ");
  CHECK(heights(walk("lenet5")) == "28 14 10 5 ");
  CHECK(heights(walk("cifar-convnet")) == "32 16 16 8 8 4 ");
  CHECK(totals(walk("alexnet-towers")).multiply_adds == 724406816);
  CHECK(totals(walk("lenet5")).connections == 122304 + 2416 * 100 + 48120 + 10164 + 850);
  const auto torchvision = make_model("alexnet-torchvision", 0, cpu());
  CHECK(torchvision->parameters().front().first == "features.0.weight");
  CHECK(torchvision->parameters().back().first == "classifier.6.bias");

  const auto normalized = make_model("alexnet-keras", 0, cpu(), DType::f32, {.batch_norm = true});
  CHECK(count(*normalized) == 46816657 + 2 * (96 + 256 + 256));
  CHECK(normalized->buffers().size() == 6);
}

TEST_CASE("an unknown model is answered with the nearest name and the list") {
  CHECK_THROWS_WITH_AS(make_model("alexnet-kears", 0, cpu()),
                       "make_model: there is no model 'alexnet-kears'; did you mean "
                       "'alexnet-keras'? There are alexnet, alexnet-ungrouped, alexnet-towers, "
                       "alexnet-keras, alexnet-torchvision, lenet5, cifar-convnet",
                       ValueError);
  CHECK_THROWS_AS(make_model("alexnet", -1, cpu()), ValueError);
  CHECK_THROWS_WITH_AS(make_model("lenet5", 10, cpu(), DType::f32, {.batch_norm = true}),
                       "make_model: lenet5 has no batch normalization; alexnet-keras can have it",
                       ValueError);
  CHECK_THROWS_AS(make_model("alexnet-towers", 1, cpu()), ValueError);
  CHECK_THROWS_WITH_AS(make_model("lenet5", 10, cpu(), DType::f32, {.second = &cpu()}),
                       "make_model: lenet5 lives on one device, and was given two; alexnet-towers "
                       "takes two",
                       DeviceError);
}

TEST_CASE("small networks: forward, loss and gradients for every parameter, each nonlinearity") {
  for (const char* name : {"lenet5", "cifar-convnet"}) {
    for (const Nonlinearity kind :
         {Nonlinearity::relu, Nonlinearity::tanh, Nonlinearity::sigmoid}) {
      CAPTURE(name);
      CAPTURE(name_of(kind));
      Backend& reference = device("reference");
      const auto net = make_model(name, 0, reference, DType::f32, {.nonlinearity = kind});
      initialize(*net, Recipe::he, 1);
      const Tensor y = (*net)(image(batch_of(2, model_spec(name).input), 2, reference));
      CHECK(y.shape() == Shape{2, 10});
      cross_entropy(y, Tensor::from(std::vector<std::int64_t>{3, 9}, {2}, reference)).backward();
      for (const auto& [parameter_name, t] : net->parameters()) {
        CAPTURE(parameter_name);
        REQUIRE(t.grad().defined());
        CHECK(sum(abs(t.grad())).item() > 0);
      }
    }
  }
}

TEST_CASE("initialize: the paper's recipe") {
  const auto net = make_model("alexnet", 20, cpu());
  initialize(*net, Recipe::paper, 1);
  for (const auto& [name, t] : net->parameters()) {
    if (!name.ends_with(".bias")) continue;
    CAPTURE(name);
    const bool one = name == "conv2.bias" || name == "conv4.bias" || name == "conv5.bias" ||
                     name == "fc6.bias" || name == "fc7.bias";
    CHECK(mean(t).item() == (one ? 1 : 0));
    CHECK(amax(t, 0).item() == (one ? 1 : 0));
  }
  const Tensor w = parameter(*net, "conv2.weight").detach();
  CHECK(std::sqrt(mean(square(w)).item()) == doctest::Approx(0.01).epsilon(0.01));
  CHECK(std::abs(mean(w).item()) < 1e-4);
}

TEST_CASE("initialize: filters that begin small, and a gradient that is large") {
  const auto he = make_model("alexnet", 5, cpu());
  const auto filters = make_model("alexnet", 5, cpu());
  initialize(*he, Recipe::he, 1);
  initialize(*filters, Recipe::filters, 1);
  for (const auto& [name, t] : filters->parameters()) {
    CAPTURE(name);
    const Tensor was = parameter(*he, name).detach();
    const double factor = name == "conv1.weight"   ? 0.003 / std::sqrt(2.0 / 363)
                          : name == "conv2.weight" ? 5
                                                   : 1;
    CHECK(amax(reshape(abs(t.detach() - was * factor), {t.numel()}), 0).item() < 1e-6);
  }
}

TEST_CASE("initialize: numbers depend on seed and name alone") {
  const auto first = make_model("lenet5", 10, device("reference"));
  const auto other = make_model("lenet5", 7, device("reference"));  // another last layer
  initialize(*first, Recipe::he, 1);
  initialize(*other, Recipe::he, 1);
  const auto conv2 = [](const Module& m) { return parameter(m, "conv2.weight").to_doubles(); };
  CHECK(conv2(*first) == conv2(*other));
  initialize(*other, Recipe::he, 2);
  CHECK(conv2(*first) != conv2(*other));
  const double deviation = std::sqrt(mean(square(parameter(*first, "fc3.weight").detach())).item());
  CHECK(deviation == doctest::Approx(std::sqrt(2.0 / 400)).epsilon(0.02));
  const double last = std::sqrt(mean(square(parameter(*first, "fc5.weight").detach())).item());
  CHECK(last == doctest::Approx(0.01).epsilon(0.1));
  initialize(*first, Recipe::pytorch, 1);
  CHECK(amax(parameter(*first, "fc4.bias").detach(), 0).item() <= 1 / std::sqrt(120.0));
  CHECK(recipe_from("paper") == Recipe::paper);
  CHECK_THROWS_AS(recipe_from("xavier"), ValueError);
}
