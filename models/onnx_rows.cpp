// ONNX's operators on rows and on shapes: fully connected layers, constants that are added, Flatten
// and its like, Softmax.
#include <fmt/ranges.h>

#include <algorithm>

#include "core/checked.h"
#include "layers/bias.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/softmax.h"
#include "models/onnx_operator.h"

namespace limulus {

std::vector<float> per_output(const OnnxTensor& t, std::int64_t outputs) {
  std::vector<std::int64_t> sizes = t.shape;
  while (!sizes.empty() && sizes.front() == 1) sizes.erase(sizes.begin());
  if (t.shape.size() > 2 || sizes.size() > 1) return {};
  if (sizes.empty() && t.floats.size() == 1)
    return std::vector<float>(static_cast<std::size_t>(outputs), t.floats[0]);
  return sizes == std::vector<std::int64_t>{outputs} ? t.floats : std::vector<float>{};
}

namespace {

// y = x w^T + b from a matrix of ONNX: [out, in], or [in, out].
OnnxLayer linear_from(OnnxOperator& o, std::size_t i, bool is_out_in, double alpha,
                      const std::vector<float>& bias) {
  const OnnxTensor& w = o.weights(i, "weight");
  if (w.shape.size() != 2)
    throw o.n.error(fmt::format("its weight has {} axes, and 2 are expected", w.shape.size()));
  const std::int64_t out = w.shape[is_out_in ? 0 : 1], in = w.shape[is_out_in ? 1 : 0];
  if (in < 1 || out < 1) throw o.n.error("its weight has a size of 0");
  if (o.in.rank() != 2)
    throw o.n.error(
        fmt::format("it reads {}, and rows [N, {}] were expected; put a Flatten before "
                    "it",
                    o.in.str(), in));
  auto layer = std::make_shared<Linear>(in, out, o.context.backend, o.context.dtype, !bias.empty());
  std::vector<float> values = w.floats;
  if (!is_out_in)
    for (std::int64_t r = 0; r < in; ++r)
      for (std::int64_t c = 0; c < out; ++c)
        values[static_cast<std::size_t>(c * in + r)] =
            w.floats[static_cast<std::size_t>(r * out + c)];
  if (alpha != 1)
    for (float& v : values) v = static_cast<float>(v * alpha);
  set_values(layer->weight, values);
  if (!bias.empty()) set_values(layer->bias, bias);
  return {layer_named_by(o.input_name(i)), layer};
}

}  // namespace

OnnxLayers onnx_gemm(OnnxOperator& o) {
  o.inputs(2, 3);
  if (o.n.flag("transA", false))
    throw o.n.error("transA",
                    "the rows are images, which are not transposed; export with transA=0");
  const bool is_out_in = o.n.flag("transB", false);
  const double alpha = o.n.number("alpha", 1), beta = o.n.number("beta", 1);
  if (o.in.rank() != 2)
    throw o.n.error(fmt::format(
        "it reads {}, and rows [N, C] were expected; put a Flatten before it", o.in.str()));
  const OnnxTensor& w = o.constant(1, "matrix B");
  std::vector<float> bias;
  if (o.has_input(2) && beta != 0) {
    const OnnxTensor& c = o.weights(2, "matrix C");
    const std::int64_t outputs = w.shape.size() == 2 ? w.shape[is_out_in ? 0 : 1] : 0;
    if (outputs > 1 << 24) throw o.n.error("it has too many outputs");
    bias = per_output(c, outputs);
    if (bias.empty())
      throw o.n.error(fmt::format(
          "its C is [{}], and must have one number for each of {} outputs, the same for all images",
          fmt::join(c.shape, ", "), outputs));
    if (beta != 1)
      for (float& v : bias) v = static_cast<float>(v * beta);
  }
  return {linear_from(o, 1, is_out_in, alpha, bias)};
}

OnnxLayers onnx_matmul(OnnxOperator& o) {
  o.inputs(2, 2);
  if (o.constants.has(o.input_name(0)))
    throw o.n.error("the constant is its first factor; export x @ w, with the image first");
  return {linear_from(o, 1, false, 1, {})};
}

OnnxLayers onnx_add_constant(OnnxOperator& o) {
  o.inputs(2, 2);
  const std::size_t i = o.constants.has(o.input_name(0)) ? 0 : 1;
  const OnnxTensor& t = o.weights(i, "constant");
  std::vector<std::int64_t> sizes = t.shape;
  const auto rank = static_cast<std::size_t>(o.in.rank());
  if (sizes.size() == rank && rank > 0 && sizes[0] == 1) sizes.erase(sizes.begin());
  if (sizes.size() >= rank)
    throw o.n.error(
        fmt::format("the constant [{}] differs from image to image of {}; only what is "
                    "the same for all can be added",
                    fmt::join(t.shape, ", "), o.in.str()));
  for (const std::int64_t size : sizes)
    if (size < 1) throw o.n.error("the constant has a size of 0");
  auto layer = std::make_shared<Bias>(Shape(sizes), o.context.backend, o.context.dtype);
  set_values(layer->bias, t.floats);
  std::string name = o.input_name(i);
  name = name.ends_with(".bias") ? name.substr(0, name.size() - 5) : "";
  return {{name, layer}};
}

OnnxLayers onnx_flatten(OnnxOperator& o) {
  o.inputs(1, 1);
  std::int64_t axis = o.n.integer("axis", 1);
  if (axis < 0) axis += o.in.rank();
  if (axis != 1)
    throw o.n.error("axis", "an image becomes a row, which is axis 1; export with start_dim=1");
  if (o.in.rank() == 2) return {};
  return {{"", std::make_shared<Flatten>()}};
}

// Rows of what an image has: [N, -1], [-1, 9216], [0, 9216] ... Or the shape that is there already.
OnnxLayers onnx_reshape(OnnxOperator& o) {
  o.inputs(1, 2);
  const bool zero_is_zero = o.n.flag("allowzero", false);
  std::vector<std::int64_t> to = o.n.integers("shape").value_or(std::vector<std::int64_t>{});
  if (o.has_input(1)) {
    const OnnxTensor& t = o.constant(1, "shape");
    if (!t.is_integer()) throw o.n.error("its shape is no list of whole numbers");
    to = t.integers;
  }
  if (o.in.rank() < 1) throw o.n.error("it reads a single number");
  std::int64_t row = 1;
  for (int axis = 1; axis < o.in.rank(); ++axis) row = size_product(row, o.in[axis]);
  std::string shown = "[";
  for (std::size_t i = 0; i < to.size() && i < 8; ++i)
    shown += (i > 0 ? ", " : "") + (to[i] == kBatchSize ? "N" : std::to_string(to[i]));
  shown += "]";
  const auto refused = [&] {
    return o.n.error(
        fmt::format("from {} to {}: an image can only become a row, [N, {}]; use a "
                    "Flatten, or x.view(x.size(0), -1)",
                    o.in.str(), shown, row));
  };
  if (to.empty() || to.size() > 8) throw refused();
  for (std::size_t i = 1; i < to.size(); ++i)
    if (to[i] == 0 && !zero_is_zero && static_cast<int>(i) < o.in.rank())
      to[i] = o.in[static_cast<int>(i)];
  const bool rest_is_open = std::count(to.begin() + 1, to.end(), -1) > 0;
  const bool batch_first = to[0] == kBatchSize || (to[0] == 0 && !zero_is_zero) ||
                           (to[0] == -1 && !rest_is_open) ||
                           (o.context.batch > 0 && to[0] == o.context.batch);
  if (!batch_first || std::count(to.begin() + 1, to.end(), -1) > 1) throw refused();
  std::int64_t known = 1;
  for (std::size_t i = 1; i < to.size(); ++i)
    if (to[i] != -1) known = size_product(known, std::max<std::int64_t>(to[i], 0));
  for (std::size_t i = 1; i < to.size(); ++i)
    if (to[i] == -1) to[i] = known > 0 ? row / known : 0;
  known = 1;
  for (std::size_t i = 1; i < to.size(); ++i)
    known = size_product(known, std::max<std::int64_t>(to[i], 0));
  if (known != row) throw refused();
  if (std::equal(to.begin() + 1, to.end(), o.in.sizes().begin() + 1, o.in.sizes().end())) return {};
  if (to.size() != 2) throw refused();
  return {{"", std::make_shared<Flatten>()}};
}

OnnxLayers onnx_squeeze(OnnxOperator& o) {
  o.inputs(1, 2);
  const auto axes = o.axes();
  if (o.in.rank() != 4 || o.in[2] != 1 || o.in[3] != 1 || !axes ||
      *axes != std::vector<std::int64_t>{2, 3})
    throw o.n.error("only images of one pixel lose height and width; use a Flatten");
  return {{"", std::make_shared<Flatten>()}};
}

// Before opset 13 all axes behind `axis` counted as one.
OnnxLayers onnx_softmax(OnnxOperator& o) {
  o.inputs(1, 1);
  const bool older = o.context.opset < 13;
  std::int64_t axis = o.n.integer("axis", older ? 1 : -1);
  if (axis < 0) axis += o.in.rank();
  if (axis != o.in.rank() - 1)
    throw o.n.error("axis", fmt::format("it is taken over the last axis of {} here; export with "
                                        "dim=-1",
                                        o.in.str()));
  return {{"", std::make_shared<Softmax>()}};
}

}  // namespace limulus
