#include "models/onnx_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/printable.h"
#include "layers/branches.h"
#include "models/onnx_assemble.h"
#include "models/onnx_lrn.h"
#include "models/onnx_operators.h"

namespace limulus {
namespace {

constexpr std::int64_t kNewestOpset = 28, kOldestOpset = 1;  // whose meaning is known here

class Importer {
 public:
  Importer(const OnnxModel& model, const std::string& file, Backend& backend, DType dtype)
      : model_(model),
        file_(printable(file)),
        constants_(file_, model.initializers),
        lrns_(model),
        context_{file_, model.opset, backend, dtype, -1, notes_} {}

  OnnxNetwork run(OnnxOutput output);

 private:
  FileError fail(const std::string& message) const {
    return FileError(fmt::format("{}: {}", file_, message));
  }
  OnnxNodeReader reader(const OnnxNode& node) const { return {file_, node}; }
  Shape shape_of(int step) const { return step < 0 ? input_ : steps_[step].out; }

  void read_input();
  std::set<const OnnxNode*> needed_nodes() const;
  void add_step(const OnnxNode& node, bool is_last, OnnxOutput output);
  bool merge_bias(OnnxStep& step);
  void join_sizes(OnnxStep& step);

  const OnnxModel& model_;
  std::string file_;
  OnnxConstants constants_;
  OnnxWrittenLrns lrns_;
  OnnxImportContext context_;
  Shape input_;                       // with a batch, of 1 where it is open
  std::map<std::string, int> maker_;  // of values that depend on the image
  std::vector<OnnxStep> steps_;
  std::map<const OnnxNode*, int> readers_;  // of a node's value
  OnnxLayerNames names_;
  std::map<std::string, std::string> owner_;  // of each weight: the node that has it
  std::vector<std::string> notes_;
};

// ---- what the file is about ---------------------------------------------------------------------

void Importer::read_input() {
  if (model_.opset < kOldestOpset || model_.opset > kNewestOpset)
    throw fail(
        fmt::format("its operators are of opset {}, and {} to {} are read; export with "
                    "opset_version=17",
                    model_.opset, kOldestOpset, kNewestOpset));
  if (model_.inputs.size() != 1 || model_.outputs.size() != 1) {
    std::vector<std::string> names;
    for (const auto* all : {&model_.inputs, &model_.outputs})
      for (const OnnxValue& v : *all) names.push_back(printable(v.name));
    throw fail(
        fmt::format("has {} inputs and {} outputs ({}); export a network with one of each, whose "
                    "weights are in the file",
                    model_.inputs.size(), model_.outputs.size(), fmt::join(names, ", ")));
  }
  const OnnxValue& in = model_.inputs[0];
  if (in.dtype != "float" && in.dtype != "double" && in.dtype != "float16" &&
      in.dtype != "bfloat16")
    throw fail(fmt::format("its input '{}' is of the type {}; export a network that takes float",
                           printable(in.name), in.dtype));
  if (in.dtype != "float")
    notes_.push_back(fmt::format("it was exported for {}, and computes in f32 here", in.dtype));
  if (!in.shape)
    throw fail(fmt::format("it does not say which sizes its input '{}' has", printable(in.name)));
  std::vector<std::int64_t> sizes = *in.shape;
  if (sizes.size() > 6)
    throw fail(fmt::format("its input '{}' has {} axes, and images have four", printable(in.name),
                           sizes.size()));
  if (!sizes.empty()) {
    context_.batch = sizes[0];
    if (sizes[0] < 1) sizes[0] = 1;
  }
  for (const std::int64_t size : sizes)
    if (size < 1 || size > 1 << 24)
      throw fail(
          fmt::format("its input '{}' has the sizes [{}] (-1: open), and only the first, the "
                      "batch, may be open; export with fixed height and width",
                      printable(in.name), fmt::join(*in.shape, ", ")));
  input_ = Shape(sizes);
  for (const auto& [name, t] : model_.initializers)
    context_.numbers_left += 4 * static_cast<std::int64_t>(t.floats.size());
  context_.numbers_left += 1 << 20;
}

// Those that the output depends on; others change nothing.
std::set<const OnnxNode*> Importer::needed_nodes() const {
  std::set<std::string> wanted = {model_.outputs[0].name};
  std::set<const OnnxNode*> needed;
  for (auto node = model_.nodes.rbegin(); node != model_.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const auto& name) { return wanted.contains(name); });
    if (!used) continue;
    needed.insert(&*node);
    wanted.insert(node->inputs.begin(), node->inputs.end());
  }
  return needed;
}

// ---- nodes to layers ----------------------------------------------------------------------------

// Add or Concat of several values.
void Importer::join_sizes(OnnxStep& step) {
  OnnxNodeReader n = reader(*step.node);
  step.joins = true;
  const Shape first = shape_of(step.from[0]);
  if (step.node->op == "Concat") {
    step.join = Join::concat;
    std::int64_t axis = n.integer("axis", 1);
    if (axis < 0) axis += first.rank();
    if (axis != 1) throw n.error("axis", "values meet along the channels, axis 1, here");
  } else if (step.node->op == "Mul" && step.from[0] == step.from.back()) {
    throw n.error(
        "it squares what depends on the image. Is this PyTorch's LocalResponseNorm? That is read "
        "as its newer exporter writes it: torch.onnx.export(..., dynamo=True)");
  } else if (step.node->op != "Add") {
    throw n.error(
        "it reads several values that depend on the image; where ways meet, Add and "
        "Concat are known here");
  }
  n.check_all_read();
  std::vector<std::shared_ptr<Sequential>> ways;
  for (const int from : step.from) {
    const Shape here = shape_of(from);
    if (step.join == Join::add && here != first)
      throw n.error(fmt::format("{} and {} differ, and nothing is stretched where ways meet",
                                first.str(), here.str()));
    if (here.rank() != first.rank() || here.rank() < 2)
      throw n.error(fmt::format("{} and {} cannot meet", first.str(), here.str()));
  }
  step.out = first;
  if (step.join == Join::add) return;
  auto sizes = first.sizes();
  sizes[1] = 0;
  for (const int from : step.from) {
    auto here = shape_of(from).sizes();
    sizes[1] += here[1];
    here[1] = first[1];
    if (Shape(here) != first || sizes[1] > std::int64_t{1} << 40)
      throw n.error(fmt::format("{} and {} differ in more than their channels", first.str(),
                                shape_of(from).str()));
  }
  step.out = Shape(sizes);
}

// x @ w + b, as MatMul and Add: one layer.
bool Importer::merge_bias(OnnxStep& step) {
  const std::vector<std::string>& inputs = step.node->inputs;
  if (step.node->op != "Add" || inputs.size() != 2 || step.from[0] < 0) return false;
  OnnxStep& before = steps_[step.from[0]];
  if (before.layers.empty() || readers_[before.node] != 1) return false;
  const std::string& constant = inputs[constants_.has(inputs[0]) ? 0 : 1];
  if (!constants_.has(constant)) return false;
  const OnnxTensor& t = constants_.at(constant);
  if (!t.is_float()) return false;
  const auto both = with_bias(*before.layers.back().module, t, context_);
  if (both == nullptr) return false;
  before.layers.back().module = both;
  step.out = before.out;
  return true;
}

void Importer::add_step(const OnnxNode& node, bool is_last, OnnxOutput output) {
  OnnxNodeReader n = reader(node);
  OnnxStep step;
  step.node = &node;
  for (const std::string& name : node.inputs)
    if (const auto found = maker_.find(name); found != maker_.end())
      step.from.push_back(found->second);
  if (node.op == "Shape") {
    constants_.set_sizes(node, shape_of(step.from[0]));
    return;
  }
  if (node.outputs.empty()) throw n.error("it has no output");
  if (lrns_.is_end(node)) {
    step.from = {maker_.at(node.inputs[0])};
    step.out = shape_of(step.from[0]);
    step.layers = {{"", lrns_.layer(node, step.out, constants_, file_)}};
  } else if (step.from.size() > 1) {
    join_sizes(step);
  } else if (step.from.size() == 1 && node.op == "Concat" && node.inputs.size() > 1) {
    throw n.error("a constant stands beside what depends on the image");
  } else if (is_last && output == OnnxOutput::logits &&
             (node.op == "Softmax" || node.op == "LogSoftmax")) {
    step.out = shape_of(step.from[0]);
    notes_.push_back(fmt::format(
        "the {} at its end is left out: the loss and the predictions take what stands before it",
        node.op));
  } else if (!merge_bias(step)) {
    const Shape in = shape_of(step.from[0]);
    step.out = in;
    try {
      step.layers = layers_of_node(n, in, constants_, context_);
      for (const OnnxLayer& layer : step.layers) step.out = layer.module->walk(step.out).back().out;
    } catch (const FileError&) {
      throw;
    } catch (const Error& error) {  // a layer's own, with the arithmetic
      throw n.error(error.what());
    }
    for (std::size_t i = 1; i < node.inputs.size() && !step.layers.empty(); ++i) {
      if (node.inputs[i].empty() || !model_.initializers.contains(node.inputs[i])) continue;
      const auto [owner, is_first] = owner_.emplace(node.inputs[i], node.name);
      if (!is_first && constants_.at(node.inputs[i]).is_float() && node.op != "Dropout")
        notes_.push_back(
            fmt::format("nodes '{}' and '{}' share the weight '{}'; here each has its "
                        "own, and they part in training",
                        printable(owner->second), printable(node.name), printable(node.inputs[i])));
    }
  }
  for (OnnxLayer& layer : step.layers)
    layer.name =
        names_.of(*step.node, layer.name, layer.module->kind(), &layer == &step.layers.back());
  maker_[node.outputs[0]] = static_cast<int>(steps_.size());
  steps_.push_back(std::move(step));
}

OnnxNetwork Importer::run(OnnxOutput output) {
  const UnfilledParameters about_to_be_set;
  read_input();
  maker_[model_.inputs[0].name] = -1;
  const std::set<const OnnxNode*> needed = needed_nodes();
  std::map<std::string, const OnnxNode*> made_by;
  for (const OnnxNode& node : model_.nodes) {
    if (!needed.contains(&node)) continue;
    for (const std::string& name : node.outputs) made_by[name] = &node;
    if (node.op == "Shape") continue;  // needs the sizes alone
    for (const std::string& name : node.inputs)
      if (const auto found = made_by.find(name); found != made_by.end()) ++readers_[found->second];
  }
  for (const OnnxNode& node : model_.nodes) {
    if (!needed.contains(&node) || constants_.compute(node) || lrns_.is_inner(node)) continue;
    const bool reads_image = std::any_of(node.inputs.begin(), node.inputs.end(),
                                         [&](const auto& name) { return maker_.contains(name); });
    if (!reads_image)
      throw reader(node).error("one of its inputs is a second output, which is not computed here");
    for (const std::string& name : node.inputs)
      if (!name.empty() && !maker_.contains(name) && !constants_.has(name) && !lrns_.is_end(node))
        throw reader(node).error(
            fmt::format("it reads '{}', a second output of another node (a mask, the places of "
                        "maxima), which is not "
                        "computed here",
                        printable(name)));
    add_step(node, node.outputs[0] == model_.outputs[0].name, output);
  }
  const auto last = maker_.find(model_.outputs[0].name);
  if (last == maker_.end() || last->second < 0)
    throw fail("its output does not depend on its input: there is no network between them");

  // Some steps were needed for their sizes alone.
  std::vector<int> leads(steps_.size(), 0);
  leads[static_cast<std::size_t>(last->second)] = 1;
  std::vector<int> on_the_way;
  for (int s = last->second; s >= 0; --s) {
    if (leads[static_cast<std::size_t>(s)] == 0) continue;
    on_the_way.push_back(s);
    for (const int from : steps_[static_cast<std::size_t>(s)].from)
      if (from >= 0) leads[static_cast<std::size_t>(from)] = 1;
  }
  std::reverse(on_the_way.begin(), on_the_way.end());
  OnnxNetwork result;
  result.network = assemble_steps(steps_, on_the_way, file_, names_);
  const auto without_batch = [](const Shape& s) {
    return Shape(
        std::vector<std::int64_t>(s.sizes().begin() + (s.rank() > 0 ? 1 : 0), s.sizes().end()));
  };
  result.input = without_batch(input_);
  result.output = without_batch(shape_of(last->second));
  result.notes = std::move(notes_);
  return result;
}

}  // namespace

OnnxNetwork network_from_onnx(const OnnxModel& model, const std::string& file, Backend& backend,
                              DType dtype, OnnxOutput output) {
  try {
    return Importer(model, file, backend, dtype).run(output);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {  // of sizes, where no node is at work
    throw FileError(fmt::format("{}: {}", printable(file), error.what()));
  }
}

}  // namespace limulus
