// Networks from ONNX graphs: what each operator becomes, which names layers get, how ways part and
// meet. What is refused: models_onnx_refused_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/branches.h"
#include "layers/local_response_norm.h"
#include "layers/walk.h"
#include "models/description.h"
#include "models/onnx_import.h"
#include "onnx_imported.h"
#include "temporary_folder.h"

using namespace limulus;
using namespace onnx_graphs;

TEST_CASE("layers get PyTorch's names, or the ones that layers have here") {
  Graph g({1, 3, 8, 8});
  g.weight("features.0.weight", floats({4, 3, 3, 3})).weight("onnx::Conv_7", floats({4, 4, 1, 1}));
  g.weight("fc.weight", floats({10, 4})).weight("fc.bias", floats({10}));
  g.node("Conv", {"x", "features.0.weight"}, "a").node("Relu", {"a"}, "b");
  g.node("Conv", {"b", "onnx::Conv_7"}, "c").node("Relu", {"c"}, "d");
  g.node("GlobalAveragePool", {"d"}, "e").node("Flatten", {"e"}, "f");
  g.node("Gemm", {"f", "fc.weight", "fc.bias"}, "y", {{"transB", whole(1)}});
  for (const auto& [i, name] : {std::pair{0, "/features/features.0/Conv"},
                                {1, "/features/features.1/Relu"},
                                {2, "/layer1/layer1.0/conv2/Conv"},
                                {3, "/Relu_1"},
                                {4, "/GlobalAveragePool"},
                                {5, "/Flatten"},
                                {6, "/fc/Gemm"}})
    g.model.nodes[static_cast<std::size_t>(i)].name = name;
  OnnxNetwork net = import(g);
  CHECK(layers_of(*net.network) ==
        "features.0:Conv2d features.1:ReLU layer1.0.conv2:Conv2d relu1:ReLU pool1:AvgPool2d "
        "flatten1:Flatten fc:Linear");
  CHECK(net.input == Shape{3, 8, 8});
  CHECK(net.output == Shape{10});
  CHECK(net.notes.empty());
  const auto names = net.network->parameters();
  CHECK(names[0].first == "features.0.weight");
  // Names that strangers made up: none leads elsewhere, none is there twice.
  for (OnnxNode& n : g.model.nodes) n.name = "../\033[31m/velocity/x";
  net = import(g);
  CHECK(layers_of(*net.network).find('/') == std::string::npos);
  CHECK(layers_of(*net.network).find('\033') == std::string::npos);
}

TEST_CASE("PyTorch's ways to make a row of an image") {
  const auto with = [](const Ints& input, const std::function<void(Graph&)>& add) {
    Graph g(input);
    add(g);
    g.weight("fc.weight", floats({2, 12}));
    g.node("Gemm", {"r", "fc.weight"}, "y", {{"transB", whole(1)}});
    return g;
  };
  for (const Ints& to : {Ints{1, -1}, Ints{-1, 12}, Ints{0, -1}, Ints{0, 12}, Ints{1, 12}}) {
    const Graph g = with({1, 3, 2, 2}, [&](Graph& graph) {
      graph.weight("to", ints(to)).node("Reshape", {"x", "to"}, "r");
    });
    CHECK(layers_of(*import(g).network) == "flatten1:Flatten fc:Linear");
  }
  // x.view(x.size(0), -1), with an open batch.
  const Graph g = with({-1, 3, 2, 2}, [&](Graph& graph) {
    graph.node("Shape", {"x"}, "s").node("Constant", {}, "zero", {{"value_int", whole(0)}});
    graph.node("Gather", {"s", "zero"}, "n", {{"axis", whole(0)}});
    graph.weight("axes", ints({0})).node("Unsqueeze", {"n", "axes"}, "list");
    graph.node("Constant", {}, "rest", {{"value_ints", Ints{-1}}});
    graph.node("Concat", {"list", "rest"}, "to", {{"axis", whole(0)}});
    graph.node("Reshape", {"x", "to"}, "r");
  });
  OnnxNetwork net = import(g);
  CHECK(layers_of(*net.network) == "flatten1:Flatten fc:Linear");
  CHECK((*net.network)(image({5, 3, 2, 2})).shape() == Shape{5, 2});
  for (const Ints& to : {Ints{3, -1}, Ints{-1, 6}, Ints{12}, Ints{-1, -1}, Ints{-1, 2, 6}}) {
    const Graph wrong = with({1, 3, 2, 2}, [&](Graph& graph) {
      graph.weight("to", ints(to)).node("Reshape", {"x", "to"}, "r");
    });
    CHECK(has(error_of(wrong), "net.onnx: node 'Reshape_r' (Reshape): from [1, 3, 2, 2] to ["));
    CHECK(has(error_of(wrong), "an image can only become a row, [N, 12]"));
  }
}

TEST_CASE("borders that differ at both ends") {
  const Tensor x = image({2, 2, 6, 6});
  Graph conv({2, 2, 6, 6});
  conv.weight("w", floats({3, 2, 3, 3}));
  conv.node("Conv", {"x", "w"}, "y",
            {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}});
  CHECK(layers_of(*import(conv).network) == "pad1:Pad2d conv1:Conv2d");
  Graph written({2, 2, 6, 6});
  written.weight("w", floats({3, 2, 3, 3}));
  written.node("Conv", {"x", "w"}, "y", {{"pads", Ints{0, 0, 1, 1}}, {"strides", Ints{2, 2}}});
  check_values(*import(conv).network, x, (*import(written).network)(x));
  CHECK(import(conv).output == Shape{3, 3, 3});
  CHECK(walk_text(import(conv).network->walk({1, 2, 6, 6})).find("0 + 6 + 1 = 7") !=
        std::string::npos);

  // A border behind alone is how a pool's "round up" is often written.
  const auto pool = [](const char* op, const Attributes& attributes) {
    Graph g({2, 2, 6, 6});
    g.node(op, {"x"}, "y", attributes);
    return g;
  };
  const Attributes ragged = {
      {"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{0, 0, 1, 1}}};
  Attributes ceil = ragged;
  ceil["pads"] = Ints{0, 0, 0, 0};
  ceil["ceil_mode"] = whole(1);
  for (const char* op : {"MaxPool", "AveragePool"}) {
    CAPTURE(op);
    CHECK(layers_of(*import(pool(op, ragged)).network).find("Pad2d") == std::string::npos);
    check_values(*import(pool(op, ragged)).network, x, (*import(pool(op, ceil)).network)(x));
  }
  // A maximum never takes the border; a mean that counts it does.
  Attributes before = ragged;
  before["pads"] = Ints{2, 2, 0, 0};
  CHECK(layers_of(*import(pool("MaxPool", before)).network) == "pad1:Pad2d pool1:MaxPool2d");
  const Tensor low = x * 0.001 - 5.0;
  for (const double v : (*import(pool("MaxPool", before)).network)(low).to_doubles()) CHECK(v < -4);
  before["count_include_pad"] = whole(1);
  const auto means = (*import(pool("AveragePool", before)).network)(x * 0.0 + 9.0).to_doubles();
  CHECK(means[0] == doctest::Approx(1));  // one pixel of nine
  before["count_include_pad"] = whole(0);
  CHECK(has(error_of(pool("AveragePool", before)),
            "node 'AveragePool_y' (AveragePool), count_include_pad = 0: means without the border's "
            "zeros"));
  before["ceil_mode"] = whole(1);
  CHECK(has(error_of(pool("AveragePool", before)), "ceil_mode = 1: a border that differs"));
}

TEST_CASE("MatMul and Add with constants, alpha and beta") {
  const Tensor x = image({3, 4});
  Graph gemm({3, 4});
  gemm.weight("w", floats({4, 2})).weight("b", floats({2}));
  gemm.node("Gemm", {"x", "w", "b"}, "y", {{"alpha", 2.0F}, {"beta", 0.5F}});
  Graph matmul({3, 4});
  OnnxTensor twice = floats({4, 2}), half = floats({1, 2});
  for (float& v : twice.floats) v *= 2;
  for (float& v : half.floats) v *= 0.5F;
  matmul.weight("w", twice).weight("b", half);
  matmul.node("MatMul", {"x", "w"}, "m").node("Add", {"b", "m"}, "y");
  OnnxNetwork net = import(matmul);
  CHECK(layers_of(*net.network) == "fc1:Linear");
  check_values(*net.network, x, (*import(gemm).network)(x));

  // A constant that no layer can take along.
  Graph add({-1, 2, 3, 3});
  add.weight("c.bias", floats({1, 2, 1, 1})).node("Relu", {"x"}, "r");
  add.node("Add", {"r", "c.bias"}, "y");
  net = import(add);
  CHECK(layers_of(*net.network) == "relu1:ReLU c:Bias");
  const auto zero = (*net.network)(image({1, 2, 3, 3}) * 0.0).to_doubles();
  CHECK(zero[0] == doctest::Approx(-0.25));
  CHECK(zero[9] == doctest::Approx(0));
  // Of a convolution without bias, it is the bias.
  Graph conv({-1, 2, 3, 3});
  conv.weight("w", floats({4, 2, 1, 1})).weight("c", floats({4, 1, 1}));
  conv.node("Conv", {"x", "w"}, "a").node("Add", {"a", "c"}, "y");
  CHECK(layers_of(*import(conv).network) == "conv1:Conv2d");
  CHECK(import(conv).network->parameters().size() == 2);
  // Not if somebody else reads the convolution, too.
  conv.model.outputs[0].name = "z";
  conv.node("Add", {"a", "y"}, "z");
  CHECK(layers_of(*import(conv).network) == "conv1:Conv2d add1:Branches bias1:Bias");
}

TEST_CASE("LRN: ONNX divides alpha by the size of the window") {
  const Tensor x = image({1, 8, 2, 2});
  Graph g({1, 8, 2, 2});
  g.node("LRN", {"x"}, "y",
         {{"size", whole(5)}, {"alpha", 5e-4F}, {"beta", 0.75F}, {"bias", 2.0F}});
  check_values(*import(g).network, x, local_response_norm(x));  // the paper's: alpha = 1e-4
  g.model.nodes[0].attributes["size"] = whole(4);
  CHECK(has(error_of(g), "node 'LRN_y' (LRN), size = 4: of an even window ONNX puts 1 channels"));
}

TEST_CASE("ways that part and meet") {
  const auto block = [](Graph& g, const std::string& in, const std::string& out, int channels) {
    g.weight(out + ".weight", floats({channels, channels, 3, 3}, 0, 0.05F));
    g.node("Conv", {in, out + ".weight"}, out + "_c", {{"pads", Ints{1, 1, 1, 1}}});
    g.node("Relu", {out + "_c"}, out + "_r").node("Add", {out + "_r", in}, out);
  };
  Graph residual({-1, 2, 5, 5});
  block(residual, "x", "p", 2), block(residual, "p", "y", 2);
  OnnxNetwork net = import(residual);
  CHECK(layers_of(*net.network) ==
        "add1:Branches p:Conv2d relu1:ReLU add2:Branches y:Conv2d relu2:ReLU");
  const Tensor x = image({2, 2, 5, 5});
  const auto& layers = net.network->layers();
  REQUIRE(layers.size() == 2);
  const auto& first = dynamic_cast<const Branches&>(*layers[0].second);
  const Tensor p = (*first.ways[0])(x) + x;
  check_values(*net.network, x, layers[1].second->forward(p));
  CHECK(net.network->parameters()[1].first == "y.weight");

  // Inception: three ways side by side, one of them a residual block; and x + x.
  Graph wide({-1, 2, 5, 5});
  block(wide, "x", "b", 2);
  wide.node("Relu", {"x"}, "r").node("Concat", {"b", "r", "x"}, "cat", {{"axis", whole(1)}});
  wide.node("Add", {"cat", "cat"}, "y");
  net = import(wide);
  CHECK(net.output == Shape{6, 5, 5});
  CHECK((*net.network)(x).shape() == Shape{2, 6, 5, 5});
  const auto& cat = dynamic_cast<const Branches&>(*net.network->layers()[0].second);
  REQUIRE(cat.ways.size() == 3);
  check_values(*net.network, x,
               concat({(*cat.ways[0])(x), (*cat.ways[1])(x), (*cat.ways[2])(x)}, 1) * 2.0);
  const auto steps = net.network->walk({1, 2, 5, 5});
  CHECK(steps.back().name == "add2");
  CHECK(steps[steps.size() - 2].formula == "2 + 2 + 2 = 6 channels");
  // Its text makes the same network.
  const DescribedNetwork again =
      network_from(describe(*net.network, net.input), 0, host(), DType::f64);
  CHECK(layers_of(*again.network) == layers_of(*net.network));
  CHECK(describe(*again.network, again.input) == describe(*net.network, net.input));

  // Ways that cross: b reads a, and both meet with c, which reads a, too ... and d.
  Graph crossing({-1, 2, 5, 5});
  crossing.node("Relu", {"x"}, "a").node("Tanh", {"x"}, "b").node("Add", {"a", "b"}, "c");
  crossing.node("Sigmoid", {"b"}, "d").node("Add", {"c", "d"}, "e").node("Add", {"e", "a"}, "y");
  CHECK(has(error_of(crossing), "two of the ways that meet here cross: both have passed '"));
  Graph stretched({-1, 2, 5, 5});
  stretched.node("GlobalAveragePool", {"x"}, "a").node("Add", {"x", "a"}, "y");
  CHECK(has(error_of(stretched), "[1, 2, 5, 5] and [1, 2, 1, 1] differ, and nothing is stretched"));
  Graph product({-1, 2, 5, 5});
  product.node("Sigmoid", {"x"}, "a").node("Mul", {"x", "a"}, "y");
  CHECK(has(error_of(product), "(Mul): it reads several values"));
  // Deep nesting ends in a message.
  Graph deep({-1, 2, 2, 2});
  deep.node("Relu", {"x"}, "v0");
  for (int i = 0; i < 40; ++i)
    deep.node("Add", {"v" + std::to_string(i), "x"}, "v" + std::to_string(i + 1));
  deep.node("Relu", {"v40"}, "y");
  CHECK(has(error_of(deep), "nested more than 32 deep"));
}

TEST_CASE("what was exported for training does as in training while it trains") {
  Graph g({4, 3});
  for (const char* name : {"scale", "bias", "mean", "var"}) g.weight(name, floats({3}, 2));
  g.weight("ratio", {"float", {}, {0.3F}, {}}).weight("training", {"bool", {}, {}, {}});
  g.node("BatchNormalization", {"x", "scale", "bias", "mean", "var"}, "n",
         {{"training_mode", whole(1)}});
  g.node("Dropout", {"n", "ratio", "training"}, "y");
  g.model.nodes[0].outputs.insert(g.model.nodes[0].outputs.end(), {"m", "v"});
  g.model.nodes[1].outputs.push_back("mask");
  OnnxNetwork net = import(g);
  REQUIRE(net.notes.size() == 2);
  CHECK(has(net.notes[1], "node 'Dropout_y' (Dropout) was exported for training"));
  CHECK(layers_of(*net.network) == "norm1:BatchNorm2d drop1:Dropout");
  const Tensor x = image({4, 3});
  CHECK((*net.network)(x).to_doubles() == (*net.network)(x).to_doubles());
  net.network->train();
  CHECK((*net.network)(x).to_doubles() != (*net.network)(x).to_doubles());
}

TEST_CASE("a classifier ends in logits, and what is left out is said") {
  Graph g({1, 4});
  g.weight("w", floats({3, 4})).node("Gemm", {"x", "w"}, "l", {{"transB", whole(1)}});
  g.node("Softmax", {"l"}, "y");
  CHECK(layers_of(*import(g).network) == "fc1:Linear softmax1:Softmax");
  OnnxNetwork net = import(g, OnnxOutput::logits);
  CHECK(layers_of(*net.network) == "fc1:Linear");
  REQUIRE(net.notes.size() == 1);
  CHECK(has(net.notes[0], "the Softmax at its end is left out"));
  g.model.nodes[1].op = "LogSoftmax";
  CHECK(has(error_of(g), "no layer for this operator"));
  CHECK(layers_of(*import(g, OnnxOutput::logits).network) == "fc1:Linear");
}

TEST_CASE("a mean whose border counts keeps its divisor, whatever the border is") {
  // One row of zeros behind the image and none before: never the same as rounding the size up.
  Graph g({1, 1, 5, 5});
  g.node("AveragePool", {"x"}, "y",
         {{"kernel_shape", Ints{2, 2}},
          {"strides", Ints{2, 2}},
          {"pads", Ints{0, 0, 1, 1}},
          {"count_include_pad", whole(1)}});
  const Tensor ones = Tensor::full({1, 1, 5, 5}, 1, DType::f64, host());
  CHECK((*import(g).network)(ones).to_doubles() ==
        std::vector<double>{1, 1, 0.5, 1, 1, 0.5, 0.5, 0.5, 0.25});
  g.model.nodes[0].attributes["count_include_pad"] = whole(0);
  CHECK((*import(g).network)(ones).to_doubles() == std::vector<double>(9, 1));
}

TEST_CASE("axes mean the same in any order and counted from either end") {
  for (const Ints& axes : {Ints{2, 3}, Ints{3, 2}, Ints{-1, -2}, Ints{-2, -1}, Ints{3, -2}}) {
    Graph mean({1, 2, 4, 4});
    mean.node("ReduceMean", {"x"}, "y", {{"axes", axes}, {"keepdims", whole(0)}});
    CHECK(import(mean).output == Shape{2});
    Graph squeezed({1, 2, 1, 1});
    squeezed.node("Squeeze", {"x"}, "y", {{"axes", axes}});
    CHECK(import(squeezed).output == Shape{2});
  }
  Graph channels({1, 2, 4, 4});
  channels.node("ReduceMean", {"x"}, "y", {{"axes", Ints{1}}});
  CHECK(has(error_of(channels), "this one is over the axes [1] of [1, 2, 4, 4]"));
}

TEST_CASE("many nodes of one name get names of their own") {
  Graph g({1, 1, 2, 2});
  std::string before = "x";
  for (int i = 0; i < 3000; ++i) {
    const std::string after = i == 2999 ? "y" : "v" + std::to_string(i);
    g.node("Relu", {before}, after);
    g.model.nodes.back().name = "same";
    before = after;
  }
  OnnxNetwork net = import(g);
  const std::string names = layers_of(*net.network);
  CHECK(has(names, "same:ReLU same_2:ReLU same_3:ReLU"));
  CHECK(has(names, " same_3000:ReLU"));
}
