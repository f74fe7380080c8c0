// What a network refuses to be made of.
#include <doctest/doctest.h>

#include <memory>

#include "core/error.h"
#include "layers/activation.h"
#include "layers/module.h"

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
