#include "training/freeze.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "training/checkpoint.h"

namespace limulus {
namespace {

struct Range {  // of indices in the list of layers, both included
  std::size_t first, last;
};

std::optional<Range> layers_named(const std::vector<std::string>& layers, const std::string& name) {
  std::optional<Range> found;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] != name && !layers[i].starts_with(name + ".")) continue;
    if (!found) found = Range{i, i};
    found->last = i;
  }
  return found;
}

// "conv1-conv5". A name may have a dash of its own, so each dash is tried.
std::optional<Range> range_named(const std::vector<std::string>& layers, const std::string& word) {
  for (std::size_t dash = word.find('-'); dash != std::string::npos;
       dash = word.find('-', dash + 1)) {
    const auto begin = layers_named(layers, word.substr(0, dash)),
               end = layers_named(layers, word.substr(dash + 1));
    if (!begin || !end) continue;
    if (begin->first > end->last)
      throw ValueError(fmt::format("freeze: {0} comes behind {1} in the network: {1}-{0}",
                                   word.substr(0, dash), word.substr(dash + 1)));
    return Range{begin->first, end->last};
  }
  return {};
}

ValueError unknown(Module& model, const std::vector<std::string>& layers, std::string word) {
  if (const std::size_t dash = word.find('-'); dash != std::string::npos) {  // which end of it?
    const std::string begin = word.substr(0, dash), end = word.substr(dash + 1);
    word = layers_named(layers, begin) ? end : begin;
  }
  bool is_layer = false;
  model.visit([&](const std::string& name, Module&) { is_layer = is_layer || name == word; });
  if (is_layer && !word.empty())
    return ValueError(fmt::format("freeze: the layer '{}' has no weights; those that have: {}",
                                  printable(word), fmt::join(layers, ", ")));
  return ValueError(
      fmt::format("freeze: there is no layer '{}'{}", printable(word), known_names(word, layers)));
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

std::vector<std::string> frozen_layers(Module& model, const std::string& words) {
  const std::vector<std::string> layers = layers_with_weights(model);
  std::vector<bool> chosen(layers.size(), false);
  for (std::size_t begin = 0; begin <= words.size();) {
    const std::size_t comma = std::min(words.find(',', begin), words.size());
    const std::string word = trimmed(words.substr(begin, comma - begin));
    std::optional<Range> range = layers_named(layers, word);
    if (!range) range = range_named(layers, word);
    if (!range) throw unknown(model, layers, word);
    std::fill(chosen.begin() + static_cast<std::ptrdiff_t>(range->first),
              chosen.begin() + static_cast<std::ptrdiff_t>(range->last) + 1, true);
    begin = comma + 1;
  }
  std::vector<std::string> frozen;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (chosen[i]) frozen.push_back(layers[i]);
  if (frozen.size() == layers.size())
    throw ValueError(fmt::format("freeze: {} are all of the network's layers, and none would learn",
                                 fmt::join(layers, ", ")));
  return frozen;
}

std::string frozen_text(const std::vector<std::string>& layers) {
  return fmt::format("{}", fmt::join(layers, ","));
}

void freeze_layers(Module& model, const std::vector<std::string>& layers) {
  model.visit([&](const std::string& name, Module& layer) {
    if (std::find(layers.begin(), layers.end(), name) != layers.end()) layer.freeze();
  });
}

std::vector<NamedTensor> trained_parameters(const Module& model) {
  std::vector<NamedTensor> trained = model.parameters();
  std::erase_if(trained, [](const NamedTensor& p) { return !p.second.requires_grad(); });
  return trained;
}

std::int64_t count_of(const std::vector<NamedTensor>& tensors) {
  std::int64_t numbers = 0;
  for (const auto& [name, t] : tensors) numbers += t.numel();
  return numbers;
}

}  // namespace limulus
