// What a network refuses to be made of.
#include <doctest/doctest.h>

#include <memory>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/linear.h"
#include "layers/module.h"
#include "training/sgd.h"

using namespace limulus;

TEST_CASE("a layer that is not there") {
  Sequential net;
  CHECK_THROWS_WITH_AS(net.add("relu1", std::shared_ptr<Module>()),
                       "Sequential: the layer 'relu1' is null", ValueError);
  CHECK(net.walk({1, 2}).empty());  // nothing was added
}

TEST_CASE("a network within itself, at any depth, of which forward would never end") {
  const auto net = std::make_shared<Sequential>();
  const auto inner = std::make_shared<Sequential>(), outer = std::make_shared<Sequential>();
  net->add<ReLU>("relu1");
  CHECK_THROWS_WITH_AS(net->add("me", net), doctest::Contains("'me' is or contains this network"),
                       ValueError);
  inner->add("net", net);
  outer->add("inner", inner);
  CHECK_THROWS_AS(net->add("outer", outer), ValueError);
  CHECK(net->walk({1, 2}).size() == 1);
  CHECK(outer->walk({1, 2}).size() == 1);
}

TEST_CASE("a layer in two places has its parameters once, so that an optimizer makes one step") {
  Sequential net;
  const auto shared = std::make_shared<Linear>(3, 3, device("reference"));
  net.add("first", shared).add("relu", std::make_shared<ReLU>()).add("second", shared);
  REQUIRE(net.parameters().size() == 2);
  CHECK(net.parameters()[0].first == "first.weight");
  const auto steps = net.walk({1, 3});
  CHECK(steps[0].parameters == 12);
  CHECK(steps[2].parameters == 0);
  CHECK(steps[2].detail.find("with the parameters of first") != std::string::npos);

  const Tensor x = Tensor::full({1, 3}, 1, DType::f32, device("reference"));
  Tensor w = shared->weight;
  {
    const NoGrad setting;
    w.fill_(1);
  }
  Sgd sgd(net.parameters(), {.lr = 0.5, .momentum = 0, .weight_decay = 0});
  net(x).backward(Tensor::full({1, 3}, 1, DType::f32, device("reference")));
  const float gradient = w.grad().to_vector<float>()[0];
  sgd.step();
  CHECK(w.to_vector<float>()[0] == 1 - 0.5f * gradient);
}
