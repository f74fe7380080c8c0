// PyTorch's LocalResponseNorm, which its newer exporter writes as nine nodes: models/onnx_lrn.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "onnx_imported.h"

using namespace limulus;
using namespace onnx_graphs;

namespace {

// LocalResponseNorm as PyTorch's newer exporter writes it, with a window of n.
Graph written_lrn(std::int64_t n, Ints view = {-1, 1, 6, 5, 5}) {
  const auto number = [](float value) { return OnnxTensor{"float", {}, {value}, {}}; };
  Graph g({1, 6, 5, 5});
  g.weight("view", ints(std::move(view))).weight("one", ints({1})).weight("alpha", number(0.5F));
  g.weight("pads", ints({0, 0, n / 2, 0, 0, 0, 0, (n - 1) / 2, 0, 0}));
  g.weight("k", number(2)).weight("beta", number(0.75F));
  g.node("Mul", {"x", "x"}, "a")
      .node("Reshape", {"a", "view"}, "b")
      .node("Pad", {"b", "pads"}, "c");
  g.node("AveragePool", {"c"}, "d",
         {{"kernel_shape", Ints{n, 1, 1}},
          {"strides", Ints{1, 1, 1}},
          {"pads", Ints(6, 0)},
          {"count_include_pad", whole(1)}});
  g.node("Squeeze", {"d", "one"}, "e").node("Mul", {"e", "alpha"}, "f");
  g.node("Add", {"f", "k"}, "g").node("Pow", {"g", "beta"}, "h").node("Div", {"x", "h"}, "y");
  return g;
}

}  // namespace

TEST_CASE("LocalResponseNorm, as PyTorch's newer exporter writes it in nine nodes") {
  for (const std::int64_t n : {1, 4, 5}) {
    OnnxNetwork net = import(written_lrn(n));
    CHECK(layers_of(*net.network) == "lrn1:LocalResponseNorm");
    // x_i / (k + alpha/n sum of x_j^2)^beta, j from i - n/2 to i + (n - 1)/2
    const Tensor x = image({1, 6, 5, 5});
    const auto in = x.to_doubles();
    std::vector<double> wanted;
    for (std::int64_t c = 0; c < 6; ++c)
      for (std::int64_t p = 0; p < 25; ++p) {
        double squares = 0;
        for (std::int64_t j = std::max<std::int64_t>(0, c - n / 2);
             j <= std::min<std::int64_t>(5, c + (n - 1) / 2); ++j)
          squares +=
              in[static_cast<std::size_t>(25 * j + p)] * in[static_cast<std::size_t>(25 * j + p)];
        wanted.push_back(in[static_cast<std::size_t>(25 * c + p)] /
                         std::pow(2 + 0.5 / static_cast<double>(n) * squares, 0.75));
      }
    check_values(*net.network, x, Tensor::from(wanted, {1, 6, 5, 5}, host()));
  }
}

TEST_CASE("what only looks like a LocalResponseNorm is refused") {
  CHECK(
      has(error_of(written_lrn(5, {-1, 1, 3, 10, 5})), "[-1, 1, 3, 10, 5] is not [N, 1, 6, 5, 5]"));
  Graph shifted = written_lrn(5);
  shifted.model.initializers["pads"] = ints({0, 0, 1, 0, 0, 0, 0, 3, 0, 0});
  CHECK(has(error_of(shifted), "it does not add 2 channels of zeros before and 2 behind"));
  Graph valued = written_lrn(5);
  valued.weight("value", {"float", {}, {1.0F}, {}}).model.nodes[2].inputs.push_back("value");
  CHECK(has(error_of(valued), "channels of zeros"));
  Graph square({1, 6, 5, 5});
  square.node("Mul", {"x", "x"}, "y");
  CHECK(has(error_of(square), "Is this PyTorch's LocalResponseNorm?"));
}
