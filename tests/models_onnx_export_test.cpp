// Networks as ONNX and back: the same layers, the same weights, the same logits, bit for bit. (Here
// without ONNX Runtime, which tests/onnx_runtime_test.py asks.)
#include <doctest/doctest.h>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/bias.h"
#include "layers/branches.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/pad2d.h"
#include "layers/softmax.h"
#include "models/alexnet_towers.h"
#include "models/description.h"
#include "models/models.h"
#include "models/onnx_export.h"
#include "models/onnx_import.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

Backend& cpu() { return device("cpu"); }

Tensor image(const Shape& shape) {
  Rng rng(3);
  Tensor x = Tensor::empty(shape, DType::f32, cpu());
  fill_normal(x, 0, 1, rng);
  return x;
}

// Through a file where ONNX is built in; else through the graph alone.
OnnxNetwork there_and_back(Module& net, const Shape& input) {
  OnnxModel model = to_onnx(net, input, {{"classes", "[]"}});
  if (has_onnx()) {
    const TemporaryFolder folder;
    write_onnx(folder / "net.onnx", model);
    model = read_onnx(folder / "net.onnx");
    CHECK(model.opset == 17);
    CHECK(model.metadata.at("classes") == "[]");
  }
  CHECK((*model.inputs[0].shape)[0] == -1);
  OnnxNetwork back = network_from_onnx(model, "net.onnx", cpu());
  back.network->eval();
  return back;
}

void check_same(Module& net, const Shape& input) {
  net.eval();
  const OnnxNetwork back = there_and_back(net, input);
  CHECK(back.input == input);
  const Tensor x = image({2, input[0], input[1], input[2]});
  const NoGrad only_looking;
  CHECK((*back.network)(x).to_vector<float>() == net(x).to_vector<float>());
}

std::string kinds_of(const Module& net, const Shape& input) {
  std::string all;
  for (const WalkStep& s : net.walk({1, input[0], input[1], input[2]}))
    all += s.name + ":" + s.kind + " ";
  return all;
}

}  // namespace

TEST_CASE("every network by name: the same logits, layers and names") {
  const NoGrad only_looking;
  for (const ModelSpec& spec : list_models()) {
    CAPTURE(spec.name);
    for (const bool other : {false, true}) {
      ModelOptions options;
      if (other && (spec.name == "lenet5" || spec.name == "cifar-convnet"))
        options.nonlinearity = Nonlinearity::tanh;
      else if (other && spec.name == "alexnet-keras")
        options.batch_norm = true;
      else if (other)
        continue;
      const auto net = make_model(spec.name, 7, cpu(), DType::f32, options);
      initialize(*net, Recipe::he, 1);
      net->eval();
      const OnnxNetwork back = there_and_back(*net, spec.input);
      const Tensor x = image({1, spec.input[0], spec.input[1], spec.input[2]});
      const auto here = (*net)(x).to_vector<float>(), there = (*back.network)(x).to_vector<float>();
      if (spec.name != "alexnet-towers") {
        CHECK(there == here);
        CHECK(kinds_of(*back.network, spec.input) == kinds_of(*net, spec.input));
        continue;
      }
      // One network instead of two towers: the sums are formed in another order.
      REQUIRE(there.size() == here.size());
      for (std::size_t i = 0; i < here.size(); ++i)
        CHECK(there[i] == doctest::Approx(here[i]).epsilon(1e-4));
    }
  }
}

TEST_CASE("every layer that ONNX has") {
  Sequential net;
  net.add<Pad2d>("pad0", Pad2dOptions{.top = 1, .right = 2, .value = 0.5})
      .add<Conv2d>(
          "conv1", 3, 8,
          Conv2dOptions{
              .kernel = {3, 2}, .stride = {2, 1}, .pad = {1, 0}, .dilation = {1, 2}, .bias = false},
          cpu())
      .add<BatchNorm2d>("norm1", 8, cpu(), DType::f32,
                        BatchNormOptions{.momentum = 0.2, .eps = 1e-3})
      .add<Tanh>("tanh1")
      .add<LocalResponseNorm>("lrn1", LrnOptions{.size = 3,
                                                 .alpha = 0.3,
                                                 .beta = 0.6,
                                                 .k = 1.5,
                                                 .convention = AlphaConvention::per_element})
      .add<LocalResponseNorm>("lrn2")
      .add<MaxPool2d>("pool1",
                      Pool2dOptions{.kernel = 3, .stride = Size2d(2), .pad = 1, .ceil = true})
      .add<AvgPool2d>("pool2", Pool2dOptions{.kernel = 2, .stride = Size2d(1), .pad = 1})
      .add<AvgPool2d>(
          "pool3",
          Pool2dOptions{.kernel = 2, .stride = Size2d(1), .pad = 1, .count_include_pad = false})
      .add<Bias>("shift", Shape{8, 1, 1}, cpu())
      .add<Sigmoid>("sigmoid1")
      .add<Dropout>("drop1", 0.25)
      .add<Flatten>("flatten");
  const Shape in = {3, 12, 11};
  const std::int64_t row = net.walk({1, 3, 12, 11}).back().out[1];
  net.add<Linear>("fc1", row, 5, cpu(), DType::f32, false).add<Softmax>("softmax");
  initialize(net, Recipe::he, 2);
  const NoGrad setting;
  for (auto& [name, t] : net.buffers()) t.fill_(0.7);
  for (auto& [name, t] : net.parameters())
    if (name == "shift.bias") t.fill_(0.3);
  check_same(net, in);
  const OnnxNetwork back = there_and_back(net, in);
  CHECK(describe(*back.network, in) != "");
  CHECK(back.network->buffers()[1].first == "norm1.running_var");
  // What only training needs came back, too.
  std::string text = describe(*back.network, in);
  CHECK(has(text, "\"p\":0.25"));
  CHECK(has(text, "\"momentum\":0.2,\"eps\":0.001"));
}

TEST_CASE("the paper's alpha is five times as large in ONNX, and comes back") {
  Sequential net;
  net.add<LocalResponseNorm>("lrn1");
  const OnnxModel model = to_onnx(net, {8, 4, 4});
  CHECK(std::get<float>(model.nodes[0].attributes.at("alpha")) == 5e-4F);
  CHECK(std::get<std::int64_t>(model.nodes[0].attributes.at("size")) == 5);
  CHECK(std::get<float>(model.nodes[0].attributes.at("bias")) == 2.0F);
  const auto back = network_from_onnx(model, "net.onnx", cpu());
  const auto& lrn = dynamic_cast<const LocalResponseNorm&>(*back.network->layers()[0].second);
  CHECK(lrn_shape({1, 8, 4, 4}, lrn.options).alpha == lrn_shape({1, 8, 4, 4}, {}).alpha);
}

TEST_CASE("ways that part and meet") {
  for (const Join join : {Join::add, Join::concat}) {
    auto body = std::make_shared<Sequential>(), other = std::make_shared<Sequential>();
    body->add<Conv2d>("conv1", 3, 3, Conv2dOptions{.kernel = 3, .pad = 1}, cpu())
        .add<ReLU>("relu1");
    other->add<Conv2d>("conv2", 3, 3, Conv2dOptions{.kernel = 1}, cpu());
    const std::vector<std::shared_ptr<Sequential>> ways = {body, std::make_shared<Sequential>(),
                                                           other};
    Sequential net;
    net.add("", std::make_shared<Branches>("meet1", join, ways)).add<ReLU>("relu2");
    initialize(net, Recipe::he, 2);
    check_same(net, {3, 6, 6});
  }
}

TEST_CASE("what ONNX cannot say is refused, by the layer's name") {
  struct Own : Module {
    const char* kind() const override { return "Own"; }
    Tensor forward(const Tensor& x) override { return x; }
    std::vector<WalkStep> walk(const Shape& in) const override {
      return {make_step(*this, in, in)};
    }
  };
  const auto error_of = [](auto add) {
    Sequential net;
    add(net);
    return message_of<ValueError>([&] { to_onnx(net, {4, 8, 8}); });
  };
  CHECK(error_of([](Sequential& n) { n.add<Own>("mine"); }) ==
        "to_onnx: layer 'mine' is a Own, for which ONNX has no operator");
  CHECK(
      has(error_of([](Sequential& n) { n.add<LocalResponseNorm>("lrn1", LrnOptions{.size = 4}); }),
          "over an even window of 4"));
  CHECK(has(error_of([](Sequential& n) {
              n.add<LocalResponseNorm>("lrn1", LrnOptions{.region = LrnRegion::within_channel});
            }),
            "within a channel"));
  CHECK(has(error_of([](Sequential& n) {
              n.add<AvgPool2d>(
                  "pool1", Pool2dOptions{.kernel = 3, .stride = Size2d(2), .pad = 1, .ceil = true});
            }),
            "averages over padding and over a ragged last window"));
  CHECK(has(error_of([](Sequential&) {}), "no layers"));
}
