#include "training/import_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "formats/safetensors.h"
#include "models/models.h"
#include "training/checkpoint.h"
#include "training/checkpoint_metadata.h"
#include "training/config.h"
#include "training/data/class_file.h"
#include "training/recipes.h"
#include "training/trainer.h"
#include "training/weights_file.h"

namespace limulus {
namespace {

struct NamedScaling {
  const char* name;
  PixelScaling scaling;
};

const std::vector<NamedScaling>& scalings() {
  static const std::vector<NamedScaling> all = {
      {"imagenet", {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}},
      {"unit", {}},
      {"half", {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}}},
  };
  return all;
}

// What to give instead of a number that was meant for pixels from 0 to 255; "" where it was not.
std::string in_255ths(double number) {
  if (!(number > 1 && number <= 255)) return "";
  return fmt::format(
      ". Of pixels from 0 to 255? Then give {0:g} / 255 = {1:.4g}, and the other one likewise "
      "(--std "
      "1 / 255 = {2:.4g} where they were not divided)",
      number, number / 255, 1.0 / 255);
}

// Ours is (255 p - mean) scale, of a pixel as it is stored.
Normalization normalization_of(const PixelScaling& pixels) {
  Normalization n;
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = pixels.mean[c], std = pixels.std[c];
    if (!(mean >= 0 && mean <= 1))
      throw ValueError(
          fmt::format("import: --mean {} is no mean of pixels in [0, 1]{}", mean, in_255ths(mean)));
    if (!(std >= 1e-3 && std <= 1))
      throw ValueError(
          fmt::format("import: --std {} must be from 0.001 to 1, as pixels are in [0, 1] (1: they "
                      "were not divided){}",
                      std, in_255ths(std)));
    n.mean[c] = static_cast<float>(255 * mean);
    n.scale[c] = static_cast<float>(1 / (255 * std));
  }
  return n;
}

// "[64, 3, 11, 11]: 64 x 3 x 11 x 11 = 23232 numbers".
std::string counted(const Shape& shape) {
  if (shape.rank() < 2) return shape.str();
  return fmt::format("{}: {} = {} numbers", shape.str(), fmt::join(shape.sizes(), " x "),
                     shape.numel());
}

// ---- does it fit? -------------------------------------------------------------------------------

// A network for the file's weights, with as many outputs as its last layer has there.
struct Candidate {
  TrainConfig config;
  std::shared_ptr<Module> model;
  WeightsFile file;
  std::string head;          // "classifier.6.weight"
  std::int64_t outputs = 0;  // of the head in the file; 0: unknown
};

std::shared_ptr<Module> sized(const TrainConfig& config, std::int64_t classes) {
  const UnfilledParameters only_its_sizes;
  return build_model(config, classes, device("reference"));
}

NamedTensor head_of(const Module& model) {  // the last weight
  NamedTensor head;
  for (const NamedTensor& parameter : model.parameters())
    if (parameter.second.shape().rank() > 1) head = parameter;
  return head;
}

// How many classes the head has in the file; 0 if it is not there, or of another width.
std::int64_t outputs_of(const WeightsFile& file, const NamedTensor& head) {
  const StoredTensor* stored = file.find(head.first);
  if (stored == nullptr) return 0;
  const std::vector<std::int64_t>&is = stored->shape.sizes(), &here = head.second.shape().sizes();
  const bool same_width =
      is.size() == here.size() && std::equal(is.begin() + 1, is.end(), here.begin() + 1);
  return same_width && is[0] > 1 ? is[0] : 0;
}

Candidate candidate(const std::filesystem::path& weights, const std::string& model) {
  Candidate c;
  c.config = default_config(model, "default");
  c.config.device = "reference";
  c.model = sized(c.config, 2);
  c.file = open_weights(weights, model, *c.model);
  if (model == "alexnet-keras" && c.file.find("norm1.weight") != nullptr) {
    c.config.batch_norm = true;
    c.model = sized(c.config, 2);
  }
  const NamedTensor head = head_of(*c.model);
  c.head = head.first;
  c.outputs = outputs_of(c.file, head);
  c.model =
      sized(c.config, c.outputs > 0 ? c.outputs : model_spec(model, device("reference")).classes);
  return c;
}

// A line for each tensor that is missing, unknown, or of another shape or kind.
std::vector<std::string> misfits(const Candidate& c) {
  constexpr const char* floating[] = {"F32", "F64", "F16", "BF16"};
  std::vector<std::string> lines;
  std::set<std::string> ours;
  for (const auto& [name, target] : state_of(*c.model)) {
    ours.insert(name);
    const StoredTensor* stored = c.file.find(name);
    if (stored == nullptr) {
      lines.push_back(fmt::format("missing: {} {}", name, target.shape().str()));
      continue;
    }
    const std::string named = printable(stored->named);
    if (stored->shape != target.shape())
      lines.push_back(fmt::format("{}: expected {}, found {}", named, counted(target.shape()),
                                  counted(stored->shape)));
    else if (std::find(std::begin(floating), std::end(floating), stored->dtype) ==
             std::end(floating))
      lines.push_back(fmt::format("{}: its type is {}, and weights are F32, F64, F16 or BF16",
                                  named, stored->dtype));
  }
  for (const StoredTensor& t : c.file.tensors)
    if (!ours.contains(t.name))
      lines.push_back(fmt::format("not in the network: {} {}", printable(t.named), t.shape.str()));
  return lines;
}

// The other networks that all of the file's tensors fit.
std::vector<std::string> fitting(const std::filesystem::path& weights, const std::string& but) {
  std::vector<std::string> names;
  for (const ModelSpec& spec : list_models())
    if (spec.name != but && misfits(candidate(weights, spec.name)).empty())
      names.push_back(spec.name);
  return names;
}

void check_fits(const std::filesystem::path& weights, const Candidate& c) {
  const std::vector<std::string> lines = misfits(c);
  if (lines.empty()) return;
  const std::vector<std::string> others = fitting(weights, c.config.model);
  throw FileError(fmt::format(
      "{}: these {} tensors are not the weights of {}, which has {}:\n  {}{}", weights.string(),
      c.file.tensors.size(), c.config.model, state_of(*c.model).size(), fmt::join(lines, "\n  "),
      others.empty() ? "" : fmt::format("\nThey fit --model {}", fmt::join(others, " and "))));
}

// ---- reading and writing ------------------------------------------------------------------------

// The values of all tensors; a FileError has a line for each that cannot be weights.
std::map<std::string, std::vector<float>> read_all(const Candidate& c) {
  std::map<std::string, std::vector<float>> values;
  std::vector<std::string> faults;
  for (const StoredTensor& t : c.file.tensors) try {
      values[t.name] = t.values();
    } catch (const FileError& error) {
      faults.emplace_back(error.what());
    }
  if (!faults.empty()) throw FileError(fmt::format("{}", fmt::join(faults, "\n")));
  return values;
}

}  // namespace

PixelScaling pixel_scaling(const std::string& name) {
  for (const NamedScaling& s : scalings())
    if (s.name == name) return s.scaling;
  throw ValueError(fmt::format("import: there is no normalization '{}'{}", name,
                               known_names(name, pixel_scalings())));
}

const std::vector<std::string>& pixel_scalings() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const NamedScaling& s : scalings()) all.emplace_back(s.name);
    return all;
  }();
  return names;
}

Imported import_weights(const std::filesystem::path& weights, const ImportOptions& options,
                        const std::filesystem::path& to) {
  const Normalization normalization = normalization_of(options.pixels);
  Candidate c = candidate(weights, options.model);
  check_fits(weights, c);
  Imported done;
  done.classes = read_class_file(options.class_file);
  if (std::ssize(done.classes) != c.outputs)
    throw FileError(
        fmt::format("{}: it names {} classes, but the network in {} has {} outputs ({} is {})",
                    options.class_file.string(), done.classes.size(), weights.string(), c.outputs,
                    c.head, c.file.find(c.head)->shape.str()));
  const std::map<std::string, std::vector<float>> values = read_all(c);

  std::vector<SafetensorsItem> items;
  for (const auto& [name, target] : state_of(*c.model)) {
    items.push_back({name, DType::f32, target.shape().sizes(), values.at(name).data()});
    done.numbers += target.numel();
  }
  c.config.device = "cpu";
  c.config.init = printable(weights.string());
  Checkpoint rest;
  rest.metadata = {{"limulus", "1"}, {"config", c.config.to_json()}};
  put_classes(done.classes, &rest);
  put_normalization(normalization, &rest);
  done.kind = c.file.kind;
  done.tensors = std::ssize(items);
  done.conversions = conversions(c.file.tensors);
  done.ignored = c.file.ignored;
  done.short_side = c.config.prepare.short_side;
  done.crop = c.config.augment.crop;
  write_safetensors(to, std::move(items), rest.metadata);
  return done;
}

}  // namespace limulus
