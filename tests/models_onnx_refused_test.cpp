// What a network from an ONNX file is refused for: models/onnx_import.h.
#include <doctest/doctest.h>

#include <cmath>

#include "backends/registry.h"
#include "core/error.h"
#include "models/onnx_import.h"
#include "onnx_imported.h"
#include "temporary_folder.h"

using namespace limulus;
using namespace onnx_graphs;

TEST_CASE("what is refused names node, operator, attribute, and what to do") {
  const auto one = [](const std::string& op, const Attributes& attributes,
                      const std::map<std::string, OnnxTensor>& weights = {},
                      const Ints& input = {1, 3, 8, 8}) {
    Graph g(input);
    std::vector<std::string> inputs = {"x"};
    for (const auto& [name, t] : weights) g.weight(name, t), inputs.push_back(name);
    g.node(op, inputs, "y", attributes);
    return error_of(g);
  };
  const Attributes two = {{"kernel_shape", Ints{2, 2}}};
  const auto with = [&](const std::string& name, const OnnxAttribute& value) {
    Attributes a = two;
    a[name] = value;
    return a;
  };
  CHECK(one("MaxPool", with("dilations", Ints{2, 2})) ==
        "net.onnx: node 'MaxPool_y' (MaxPool), dilations = [2, 2]: windows of pools have no gaps "
        "here; "
        "export with dilation=1");
  CHECK(has(one("MaxPool", {}), "kernel_shape: it is missing"));
  CHECK(has(one("MaxPool", with("pads", Ints{-1, 0, 0, 0})), "below 0"));
  CHECK(has(one("MaxPool", with("strides", Ints{0, 1})), "strides = [0, 1]: a number is below 1"));
  CHECK(has(one("MaxPool", with("kernel_shape", Ints{9, 9})), "max_pool2d: window 9 is larger"));
  CHECK(has(one("MaxPool", with("kernel_shape", Ints{2})), "two numbers are expected"));
  CHECK(has(one("MaxPool", with("ceil_mode", whole(2))), "ceil_mode = 2: must be 0 or 1"));
  CHECK(has(one("MaxPool", with("kernel_shape", 2.0F)), "must be a list of whole numbers"));
  CHECK(has(one("MaxPool", with("blur", whole(1))), "blur = 1: this attribute is not known here"));
  CHECK(has(one("MaxPool", with("auto_pad", std::string("\033"))), "auto_pad = '\\x1b'"));
  const std::map<std::string, OnnxTensor> weight = {{"w", floats({4, 3, 3, 3})}};
  CHECK(has(one("Conv", {{"group", whole(2)}}, weight), "conv2d: 3 input channels cannot be cut"));
  CHECK(has(one("Conv", {{"group", whole(INT64_MAX)}}, weight), "node 'Conv_y' (Conv)"));
  CHECK(has(one("Conv", {{"pads", Ints{INT64_MAX, 0, INT64_MAX, 1}}}, weight), "(Conv)"));
  CHECK(has(one("Conv", {{"kernel_shape", Ints{5, 5}}}, weight), "the weight's window is 3 x 3"));
  CHECK(has(one("Conv", {}, {{"w", floats({4, 3, 3})}}), "its weight has 3 axes, and 4"));
  CHECK(has(one("Conv", {}, {{"w", {"int8", {4, 3, 3, 3}, {}, {}}}}), "is of the type int8"));
  OnnxTensor broken = floats({4, 3, 3, 3});
  broken.floats[5] = NAN;
  CHECK(has(one("Conv", {}, {{"w", broken}}), "has a value of nan"));
  CHECK(has(one("Gemm", {}, {{"w", floats({192, 2})}}), "put a Flatten before it"));
  CHECK(has(one("Gemm", {{"transA", whole(1)}}, {{"w", floats({8, 2})}}, {1, 8}), "transA = 1"));
  CHECK(has(one("Gemm", {}, {{"w", floats({8, 2})}, {"z", floats({3})}}, {1, 8}), "its C is [3]"));
  CHECK(has(one("Flatten", {{"axis", whole(0)}}), "axis = 0: an image becomes a row"));
  CHECK(has(one("Softmax", {{"axis", whole(1)}}), "axis = 1: it is taken over the last axis"));
  CHECK(has(one("LeakyRelu", {}),
            "there is no layer for this operator; export a network of these: "));
  CHECK(has(one("Add", {}, {{"c", floats({2, 3, 8, 8})}}), "differs from image to image"));
  Graph indices({1, 3, 8, 8});
  indices.node("MaxPool", {"x"}, "p", two).node("Relu", {"i"}, "y");
  indices.model.nodes[0].outputs.push_back("i");
  CHECK(has(error_of(indices), "a second output"));

  Graph g({1, 3, 8, 8});
  g.node("Relu", {"x"}, "y");
  for (const std::int64_t opset : {-3, 29}) {
    g.model.opset = opset;
    CHECK(has(error_of(g), "export with opset_version=17"));
  }
  g.model.opset = 17;
  g.model.nodes[0].domain = "com.microsoft";
  CHECK(has(error_of(g), "of the domain 'com.microsoft'"));
  g.model.nodes[0].domain = "ai.onnx";
  CHECK(error_of(g) == "");
  g.model.inputs[0].shape = Ints{-1, 3, -1, -1};
  CHECK(has(error_of(g), "only the first, the batch, may be open"));
  g.model.inputs.push_back({"z", "float", Ints{1}});
  CHECK(has(error_of(g), "has 2 inputs and 1 outputs (x, z, y)"));
  Graph constant({1, 3, 8, 8});
  constant.weight("w", floats({2})).node("Identity", {"w"}, "y");
  CHECK(has(error_of(constant), "its output does not depend on its input"));
  // One large weight for many nodes would need a copy for each.
  Graph many({1, 400});
  many.weight("w", floats({400, 400})).node("MatMul", {"x", "w"}, "v0");
  for (int i = 0; i < 100; ++i)
    many.node("MatMul", {"v" + std::to_string(i), "w"}, "v" + std::to_string(i + 1));
  many.node("Relu", {"v100"}, "y");
  CHECK(has(error_of(many), "are used by too many nodes"));
}

// The image, then a weight, the image again, or nothing, so many times: whatever a node needs, it
// is asked for before it is read.
TEST_CASE("a node with any number of inputs makes a network, or an error with its name") {
  for (const char* op : {"Add",
                         "AveragePool",
                         "BatchNormalization",
                         "Cast",
                         "Concat",
                         "Conv",
                         "Dropout",
                         "Flatten",
                         "Gather",
                         "Gemm",
                         "GlobalAveragePool",
                         "Identity",
                         "LRN",
                         "LogSoftmax",
                         "MatMul",
                         "MaxPool",
                         "Pad",
                         "ReduceMean",
                         "Relu",
                         "Reshape",
                         "Shape",
                         "Slice",
                         "Softmax",
                         "Squeeze",
                         "Tanh",
                         "Transpose",
                         "Unsqueeze"})
    for (const std::string more : {"w", "x", ""})
      for (std::size_t count = 0; count < 7; ++count)
        for (const OnnxOutput output : {OnnxOutput::as_is, OnnxOutput::logits}) {
          std::vector<std::string> inputs = {"x"};
          inputs.resize(1 + count, more);
          Graph g({1, 3, 8, 8});
          g.weight("w", floats({3, 3, 1, 1})).node(op, inputs, "y");
          CAPTURE(op);
          CAPTURE(more);
          CAPTURE(count);
          try {
            network_from_onnx(g.model, "net.onnx", host(), DType::f32, output);
          } catch (const FileError& error) {
            CHECK(has(error.what(), "net.onnx: "));
          }
        }
}
