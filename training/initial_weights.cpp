#include "training/initial_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>

#include "core/amounts.h"
#include "core/error.h"
#include "core/printable.h"
#include "training/checkpoint.h"
#include "training/data/class_names.h"
#include "training/weights_file.h"

namespace limulus {
namespace {

// Why the layer cannot be taken from the file; "" if it can. Of two tensors that do not fit, the
// first is named: the weight.
std::string misfit_of(const WeightsFile& file, const std::vector<NamedTensor>& tensors,
                      const std::string& layer) {
  std::vector<std::string> missing;
  std::size_t all = 0;
  std::string shape;
  for (const auto& [name, target] : tensors) {
    if (layer_of(name) != layer) continue;
    ++all;
    const StoredTensor* stored = file.find(name);
    if (stored == nullptr)
      missing.push_back(name);
    else if (stored->shape != target.shape() && shape.empty())
      shape = fmt::format("{} is {} in the file and {} here", name, stored->shape.str(),
                          target.shape().str());
  }
  if (missing.size() == all) return "not in the file";
  if (!missing.empty()) return fmt::format("the file lacks {}", fmt::join(missing, ", "));
  return shape;
}

std::string names_of(const WeightsFile& file) {
  std::vector<std::string> names;
  for (const StoredTensor& t : file.tensors) names.push_back(printable(t.named));
  return names.empty() ? "no tensors" : names_text(names);
}

// Reads everything before any weight is changed.
void copy_layers(const WeightsFile& file, const std::vector<NamedTensor>& tensors,
                 const std::set<std::string>& layers) {
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, target] : tensors) {
    if (!layers.contains(layer_of(name))) continue;
    const StoredTensor& stored = *file.find(name);
    const Tensor values = Tensor::from(stored.values(), stored.shape, target.backend());
    copies.emplace_back(target, values.to_dtype(target.dtype()));
  }
  const NoGrad setting_values;
  for (auto& [target, values] : copies) target.copy_(values);
}

}  // namespace

InitialWeights start_from(const std::filesystem::path& path, const std::string& model_name,
                          Module& model, const std::vector<std::string>& classes) {
  const WeightsFile file = open_weights(path, model_name, model);
  const std::vector<NamedTensor> tensors = state_of(model);
  const std::vector<std::string> layers = layers_with_weights(model);
  InitialWeights begun;
  begun.file = path;
  begun.kind = file.kind;
  begun.notes = file.notes;
  std::set<std::string> known;
  for (const auto& [name, target] : tensors) known.insert(name);
  for (const StoredTensor& t : file.tensors)
    if (!known.contains(t.name)) begun.unused.push_back(t.named);
  begun.unused.insert(begun.unused.end(), file.ignored.begin(), file.ignored.end());

  for (const std::string& layer : layers) {
    std::string reason = misfit_of(file, tensors, layer);
    if (reason.empty() && layer == layers.back() && file.classes &&
        !same_names(*file.classes, classes))
      reason = fmt::format("its {} classes are others ({})", file.classes->size(),
                           printable(names_text(*file.classes, 3)));
    if (reason.empty())
      begun.taken.push_back(layer);
    else
      begun.anew.push_back({layer, reason});
  }
  if (begun.taken.empty())
    throw FileError(fmt::format(
        "{}: nothing in this file fits {} ({}: {}). The file has {}; the network has the layers {}",
        path.string(), model_name, begun.anew.front().layer, begun.anew.front().reason,
        names_of(file), fmt::join(layers, ", ")));
  const std::set<std::string> taken(begun.taken.begin(), begun.taken.end());
  copy_layers(file, tensors, taken);
  std::vector<StoredTensor> used;
  for (const auto& [name, target] : tensors) {
    if (!taken.contains(layer_of(name))) continue;
    begun.numbers += target.numel();
    used.push_back(*file.find(name));
  }
  begun.conversions = conversions(used);
  if (taken.contains(layers.front())) begun.normalization = file.normalization;
  return begun;
}

std::string InitialWeights::text() const {
  std::string out =
      fmt::format("Begins  with {} ({}): {}, {} numbers{}", printable(file.string()), kind,
                  fmt::join(taken, ", "), with_thousands(numbers), conversions.empty() ? "" : "; ");
  out += fmt::format("{}", fmt::join(conversions, "; "));
  for (const auto& [layer, reason] : anew)
    out += fmt::format("\n        {} starts anew: {}", layer, reason);
  if (!unused.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : unused) names.push_back(printable(name));
    out += fmt::format("\n        the network has no place for {}", names_text(names, 20));
  }
  if (normalization)
    out +=
        "\n        pixels become its input as in that file: less its mean colour, times its scale";
  return out;
}

}  // namespace limulus
