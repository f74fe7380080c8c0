#include "models/onnx_constants.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/printable.h"

namespace limulus {
namespace {

constexpr std::int64_t kMostNumbers = 1 << 16;  // in a list of sizes: rank and a little more

std::int64_t resolved(std::int64_t index, std::int64_t size) {
  return index < 0 && index >= -size ? index + size : index;
}

OnnxTensor numbers(std::vector<std::int64_t> values, bool scalar = false) {
  OnnxTensor t{"int64", {}, {}, std::move(values)};
  if (!scalar) t.shape = {static_cast<std::int64_t>(t.integers.size())};
  return t;
}

OnnxTensor transposed(const OnnxTensor& t) {
  OnnxTensor result{t.dtype, {t.shape[1], t.shape[0]}, {}, {}};
  const auto rows = static_cast<std::size_t>(t.shape[0]),
             columns = static_cast<std::size_t>(t.shape[1]);
  result.floats.resize(t.floats.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      result.floats[c * rows + r] = t.floats[r * columns + c];
  return result;
}

}  // namespace

OnnxConstants::OnnxConstants(std::string file,
                             const std::map<std::string, OnnxTensor>& initializers)
    : file_(std::move(file)), initializers_(initializers) {
  for (const auto& [name, t] : initializers)
    numbers_left_ += 2 * static_cast<std::int64_t>(t.floats.size());
}

bool OnnxConstants::has(const std::string& name) const {
  return initializers_.contains(name) || computed_.contains(name) || same_.contains(name);
}

const OnnxTensor& OnnxConstants::at(const std::string& name) const {
  if (const auto same = same_.find(name); same != same_.end()) return at(same->second);
  if (const auto found = computed_.find(name); found != computed_.end()) return found->second;
  return initializers_.at(name);
}

bool OnnxConstants::compute(const OnnxNode& node) {
  for (const std::string& name : node.inputs)
    if (!name.empty() && !has(name)) return false;
  OnnxNodeReader n(file_, node);
  if (!node.domain.empty() && node.domain != "ai.onnx")
    throw n.error(
        fmt::format("the operator is of the domain '{}'; export with ONNX's own operators",
                    printable(node.domain)));
  if (node.outputs.size() != 1 || node.outputs[0].empty())
    throw n.error("it makes several constants, which is not computed here");
  if (node.op == "Identity" && node.inputs.size() == 1) {
    n.check_all_read();
    const auto same = same_.find(node.inputs[0]);
    same_[node.outputs[0]] = same == same_.end() ? node.inputs[0] : same->second;
    return true;
  }
  OnnxTensor result = result_of(n);
  n.check_all_read();
  // A small file could ask for one large weight again and again, in other shapes.
  numbers_left_ -= static_cast<std::int64_t>(result.floats.size());
  if (numbers_left_ < 0) throw n.error("the file's weights are copied too often");
  computed_[node.outputs[0]] = std::move(result);
  return true;
}

void OnnxConstants::set_sizes(const OnnxNode& node, const Shape& sizes) {
  OnnxNodeReader n(file_, node);
  const auto rank = static_cast<std::int64_t>(sizes.rank());
  std::int64_t begin = resolved(n.integer("start", 0), rank),
               end = resolved(n.integer("end", rank), rank);
  n.check_all_read();
  begin = std::clamp<std::int64_t>(begin, 0, rank);
  end = std::clamp<std::int64_t>(end, begin, rank);
  std::vector<std::int64_t> all = sizes.sizes();
  if (!all.empty()) all[0] = kBatchSize;
  if (node.outputs.size() != 1) throw n.error("it has more than one output");
  computed_[node.outputs[0]] = numbers({all.begin() + begin, all.begin() + end});
}

OnnxTensor OnnxConstants::result_of(OnnxNodeReader& n) const {
  const std::vector<std::string>& in = n.node().inputs;
  const std::string& op = n.node().op;
  const auto input = [&](std::size_t i) -> const OnnxTensor& {
    if (i >= in.size() || in[i].empty()) throw n.error(fmt::format("its input {} is missing", i));
    return at(in[i]);
  };
  const auto list = [&](std::size_t i) -> const std::vector<std::int64_t>& {
    const OnnxTensor& t = input(i);
    if (!t.is_integer() || t.shape.size() > 1 || t.integers.size() > kMostNumbers)
      throw n.error(fmt::format("'{}' is no short list of whole numbers", printable(in[i])));
    return t.integers;
  };
  if (op == "Constant") {
    OnnxTensor result;
    for (const auto& [name, value] : n.node().attributes) {
      n.attribute(name);
      if (const auto* t = std::get_if<OnnxTensor>(&value))
        result = *t;
      else if (const auto* one = std::get_if<std::int64_t>(&value))
        result = numbers({*one}, true);
      else if (const auto* all = std::get_if<std::vector<std::int64_t>>(&value))
        result = numbers(*all);
      else if (const auto* real = std::get_if<float>(&value))
        result = {"float", {}, {*real}, {}};
      else if (const auto* reals = std::get_if<std::vector<float>>(&value))
        result = {"float", {static_cast<std::int64_t>(reals->size())}, *reals, {}};
      else
        throw n.error(name, "a constant of this kind is not read");
    }
    if (n.node().attributes.size() != 1) throw n.error("a constant has one value");
    return result;
  }
  if (op == "Cast") {
    const std::int64_t to = n.integer("to", 0);
    n.attribute("saturate"), n.attribute("round_mode");  // of eight-bit types
    constexpr std::int64_t kFloat = 1, kInt32 = 6, kInt64 = 7;
    OnnxTensor result = input(0);
    const bool whole = to == kInt64 || to == kInt32;
    if ((whole && !result.is_integer()) || (to == kFloat && !result.is_float()) ||
        (!whole && to != kFloat))
      throw n.error("to",
                    "this conversion of a constant is not computed here; export with "
                    "do_constant_folding=True");
    return result;
  }
  if (op == "Transpose") {
    OnnxTensor result = input(0);
    const auto order = n.integers("perm").value_or(std::vector<std::int64_t>{1, 0});
    if (result.shape.size() != 2 || !result.is_float() || order.size() != 2)
      throw n.error(
          "only matrices of weights are transposed; export with "
          "do_constant_folding=True");
    return order[0] == 0 ? result : transposed(result);
  }
  if (op == "Unsqueeze" || op == "Squeeze") {
    std::vector<std::int64_t> axes = n.integers("axes").value_or(std::vector<std::int64_t>{});
    if (in.size() > 1) axes = list(1);
    OnnxTensor result = input(0);
    const auto rank = static_cast<std::int64_t>(result.shape.size());
    if (axes.size() != 1 || rank > 8)
      throw n.error("axes", "one axis of a constant is added or taken away, not several");
    const bool adds = op == "Unsqueeze";
    const std::int64_t axis = resolved(axes[0], rank + (adds ? 1 : 0));
    if (axis < 0 || axis > rank - (adds ? 0 : 1) || (!adds && result.shape[axis] != 1))
      throw n.error("axes", fmt::format("there is no such axis {}", axes[0]));
    if (adds)
      result.shape.insert(result.shape.begin() + axis, 1);
    else
      result.shape.erase(result.shape.begin() + axis);
    return result;
  }
  if (op == "Concat") {
    n.integer("axis", 0);
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::vector<std::int64_t>& part = list(i);
      if (all.size() + part.size() > kMostNumbers) throw n.error("the list becomes too long");
      all.insert(all.end(), part.begin(), part.end());
    }
    return numbers(std::move(all));
  }
  if (op == "Gather") {
    if (n.integer("axis", 0) != 0) throw n.error("axis", "a list of sizes has one axis");
    const std::vector<std::int64_t>& from = list(0);
    std::vector<std::int64_t> chosen;
    for (const std::int64_t index : list(1)) {
      const std::int64_t at = resolved(index, static_cast<std::int64_t>(from.size()));
      if (at < 0 || at >= static_cast<std::int64_t>(from.size()))
        throw n.error(fmt::format("it asks for element {} of {}", index, from.size()));
      chosen.push_back(from[static_cast<std::size_t>(at)]);
    }
    return numbers(std::move(chosen), input(1).shape.empty());
  }
  if (op == "Slice" && in.size() >= 3) {
    const std::vector<std::int64_t>& from = list(0);
    const auto size = static_cast<std::int64_t>(from.size());
    const auto &begins = list(1), &ends = list(2);
    const bool plain =
        (in.size() < 4 || in[3].empty() || list(3) == std::vector<std::int64_t>{0}) &&
        (in.size() < 5 || in[4].empty() || list(4) == std::vector<std::int64_t>{1});
    if (!plain || begins.size() != 1 || ends.size() != 1)
      throw n.error("only a plain piece of a list of sizes is taken");
    const std::int64_t begin = std::clamp<std::int64_t>(resolved(begins[0], size), 0, size),
                       end = std::clamp<std::int64_t>(resolved(ends[0], size), begin, size);
    return numbers({from.begin() + begin, from.begin() + end});
  }
  throw n.error(
      "this operator is not computed on constants here; export with do_constant_folding=True, or "
      "simplify the file (onnxsim)");
}

}  // namespace limulus
