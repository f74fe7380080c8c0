// Layers of networks that come from files: Branches, Pad2d, Bias, batch normalization of rows.
#include <doctest/doctest.h>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "gradcheck/layer.h"
#include "layers/activation.h"
#include "layers/batch_norm2d.h"
#include "layers/bias.h"
#include "layers/branches.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/pad2d.h"
#include "models/initialize.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

Tensor image(const Shape& shape, std::uint64_t seed = 3) {
  Rng rng(seed);
  Tensor x = Tensor::empty(shape, DType::f64, device("cpu"));
  fill_normal(x, 0, 1, rng);
  return x;
}

// A residual block, and beside it a shortcut of one convolution and x itself.
std::shared_ptr<Sequential> block(Join join) {
  Backend& cpu = device("cpu");
  auto body = std::make_shared<Sequential>(), shortcut = std::make_shared<Sequential>();
  body->add<Conv2d>("conv1", 3, 4, Conv2dOptions{.kernel = 3, .pad = 1}, cpu, DType::f64)
      .add<Tanh>("tanh1")
      .add<Conv2d>("conv2", 4, 3, Conv2dOptions{.kernel = 3, .pad = 1}, cpu, DType::f64);
  shortcut->add<Conv2d>("shortcut", 3, 3, Conv2dOptions{.kernel = 1}, cpu, DType::f64);
  const std::vector<std::shared_ptr<Sequential>> ways = {body, shortcut,
                                                         std::make_shared<Sequential>()};
  auto net = std::make_shared<Sequential>();
  net->add("", std::make_shared<Branches>("meet1", join, ways)).add<ReLU>("relu1");
  initialize(*net, Recipe::he, 5);
  return net;
}

void check_gradients(Module& m, const Tensor& x) {
  const GradcheckReport report = gradcheck(m, x);
  CHECK_MESSAGE(report.ok(), report.text());
}

}  // namespace

TEST_CASE("branches: values, names, sizes, gradients") {
  for (const Join join : {Join::add, Join::concat}) {
    const auto net = block(join);
    const Tensor x = image({2, 3, 5, 4});
    const auto& b = dynamic_cast<const Branches&>(*net->layers()[0].second);
    const Tensor one = (*b.ways[0])(x), two = (*b.ways[1])(x);
    const Tensor wanted = relu(join == Join::add ? one + two + x : concat({one, two, x}, 1));
    CHECK((*net)(x).to_doubles() == wanted.to_doubles());
    const auto names = net->parameters();
    CHECK(names[0].first == "conv1.weight");
    CHECK(names[4].first == "shortcut.weight");
    const auto steps = net->walk(x.shape());
    REQUIRE(steps.size() == 6);
    CHECK(steps[4].name == "meet1");
    CHECK(steps[4].kind == "Branches");
    CHECK(steps[5].out == wanted.shape());
    CHECK(has_branches(*net));
    std::string seen;
    {
      const LayerObserver observe(
          [&](const std::string& name, const Tensor&) { seen += name + " "; });
      (*net)(x);
    }
    CHECK(seen == "conv1 tanh1 conv2 shortcut meet1 relu1 ");
    check_gradients(*net, x);
  }
}

TEST_CASE("branches that cannot meet") {
  Backend& cpu = device("cpu");
  auto narrow = std::make_shared<Sequential>();
  narrow->add<Conv2d>("conv1", 3, 3, Conv2dOptions{.kernel = 3}, cpu, DType::f64);
  const auto same = std::make_shared<Sequential>();
  for (const Join join : {Join::add, Join::concat})
    CHECK(has(message_of<ShapeError>([&] {
                Branches("meet1", join, {narrow, same}).walk({1, 3, 5, 5});
              }),
              "meet1: [1, 3, 3, 3] and [1, 3, 5, 5] cannot be"));
  CHECK_THROWS_AS(Branches("meet1", Join::add, {same}), ValueError);
  Sequential net;  // only what lends the names of its layers may do without one
  net.add<ReLU>("");
  CHECK_THROWS_AS(net.add<ReLU>(""), ValueError);
}

TEST_CASE("pad2d") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 4}, {1, 1, 2, 2}, device("cpu"));
  CHECK(pad2d(x, {.top = 1, .right = 2, .value = 9}).to_doubles() ==
        std::vector<double>{9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9});
  Pad2d layer({.top = 1, .left = 2, .bottom = 0, .right = 1, .value = -1});
  CHECK(layer.walk({2, 3, 4, 5})[0].out == Shape{2, 3, 5, 8});
  CHECK(layer.walk({2, 3, 4, 5})[0].formula == "1 + 4 + 0 = 5, 2 + 5 + 1 = 8");
  check_gradients(layer, image({2, 3, 4, 5}));
  CHECK_THROWS_AS(pad2d(x, {.left = -1}), ValueError);
  CHECK_THROWS_AS(pad2d(reshape(x, {2, 2}), {.left = 1}), ShapeError);
}

TEST_CASE("a bias by itself") {
  Bias layer({3, 1, 1}, device("cpu"), DType::f64);
  {
    const NoGrad setting;
    layer.bias.copy_(Tensor::from<double>({1, 2, 3}, {3, 1, 1}, device("cpu")));
  }
  const Tensor x = image({2, 3, 2, 2});
  CHECK(layer(x).to_doubles()[4] == x.to_doubles()[4] + 2);
  check_gradients(layer, x);
  CHECK_THROWS_AS(layer(image({2, 1, 2, 2})), ShapeError);  // x would be stretched
  CHECK_THROWS_AS(layer.walk({3, 1, 1}), ShapeError);       // no batch
}

TEST_CASE("batch normalization of rows is that of images of one pixel") {
  BatchNorm2d norm(3, device("cpu"), DType::f64), same(3, device("cpu"), DType::f64);
  const Tensor rows = image({5, 3}), images = reshape(rows, {5, 3, 1, 1});
  CHECK(norm(rows).to_doubles() == same(images).to_doubles());
  CHECK(norm.running_var.to_doubles() == same.running_var.to_doubles());
  norm.eval(), same.eval();
  CHECK(norm(rows).to_doubles() == same(images).to_doubles());
  norm.train();
  check_gradients(norm, rows);
  CHECK(norm.walk({5, 3})[0].out == Shape{5, 3});
  CHECK_THROWS_AS(norm(image({5, 3, 2})), ShapeError);
}
