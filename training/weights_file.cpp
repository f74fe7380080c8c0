#include "training/weights_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <system_error>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "formats/safetensors.h"
#include "models/models.h"
#include "models/onnx_classifier.h"
#include "models/weight_names.h"
#include "training/checkpoint.h"
#include "training/checkpoint_metadata.h"
#include "training/config.h"
#include "training/reading_checkpoint.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// ---- files of other kinds -----------------------------------------------------------------------

std::string lines_of_python(const fs::path& path) {
  const std::string from = printable(path.string());
  fs::path to = path;
  to.replace_extension(".safetensors");
  return fmt::format(
      "in Python, with torch and safetensors installed:\n"
      "import torch, safetensors.torch as s; s.save_file({{k: v.clone() for k, v in "
      "torch.load(\"{}\", map_location=\"cpu\", weights_only=True).items()}}, \"{}\")",
      from, printable(to.string()));
}

// What the first bytes say of a file that is no safetensors, and the way on; "" if nothing.
std::string other_kind(const fs::path& path, std::string_view begin) {
  // A length that happens to have a pickle's first bytes is no reason: JSON follows it.
  if (begin.size() > 8 && begin[8] == '{') return "";
  const std::string ending = path.extension().string();
  // PyTorch's files are a zip archive whose first entry is NAME/data.pkl, or, before 2020, a
  // pickle.
  const bool zip = begin.starts_with("PK\x03\x04");
  const bool torch_zip = zip && (begin.find("data.pkl") != std::string_view::npos ||
                                 begin.find(".format_version") != std::string_view::npos);
  const bool pickle = begin.size() > 2 && begin[0] == '\x80' && begin[1] >= 2 && begin[1] <= 5;
  if (torch_zip || pickle)
    return "this is a file of torch.save, which can hold any program and is not read here. Make "
           "safetensors of it, " +
           lines_of_python(path);
  if (begin.starts_with("\x89HDF"))
    return "this is HDF5, as Keras writes weights; make safetensors of it in Python";
  if (zip) return "this is a zip archive, not a file of weights";
  if (ending == ".pth" || ending == ".pt" || ending == ".bin" || ending == ".ckpt")
    return "it is no safetensors, and does not begin as a file of torch.save does. If it is one: " +
           lines_of_python(path);
  return "";
}

void check_kind(const fs::path& path) {
  std::error_code unknown;
  if (fs::is_directory(path, unknown)) {
    const fs::path checkpoint = path / "checkpoint.safetensors";
    throw FileError(
        fmt::format("{}: is a folder, and weights are read from a file{}", path.string(),
                    fs::exists(checkpoint, unknown)
                        ? fmt::format(": {}", checkpoint.string())
                        : "; `limulus convert FOLDER FILE.safetensors` makes one of .npy files"));
  }
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 256));
  const std::string kind = other_kind(path, begin);
  if (!kind.empty()) throw FileError(fmt::format("{}: {}", path.string(), kind));
}

// ---- one tensor ---------------------------------------------------------------------------------

std::vector<float> checked_values(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  std::vector<float> values = file.to_floats(entry);
  const auto bad =
      std::find_if_not(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  if (bad == values.end()) return values;
  const std::ptrdiff_t at = bad - values.begin();
  double stored = *bad;
  if (entry.dtype == "F64")
    std::memcpy(&stored, entry.bytes.data() + at * std::ptrdiff_t{sizeof stored}, sizeof stored);
  throw FileError(fmt::format(
      "{}: value {} of '{}' is {}, {}", file.path().string(), at, printable(entry.name), stored,
      std::isfinite(stored) ? "which is too large for f32" : "and no weight can be that"));
}

std::string without_prefix(std::string name) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view prefix : {"module.", "_orig_mod."})
      if (name.starts_with(prefix)) {
        name.erase(0, prefix.size());
        found = true;
      }
  }
  return name;
}

// ---- all of them --------------------------------------------------------------------------------

// The way of naming layers under which most of the file's tensors are the network's.
LayerNames naming_of(const std::vector<StoredTensor>& tensors, const std::string& model_name,
                     const Module& model) {
  std::set<std::string> ours;
  for (const auto& [name, t] : state_of(model)) ours.insert(name);
  LayerNames best;
  std::ptrdiff_t most = -1;
  for (const LayerNames& names : layer_names(model_name)) {
    const auto known = std::count_if(tensors.begin(), tensors.end(), [&](const StoredTensor& t) {
      return ours.contains(own_name(t.name, names));
    });
    if (known > most) {
      most = known;
      best = names;
    }
  }
  return best;
}

void check_unique(const WeightsFile& file) {
  std::map<std::string, std::string> seen;
  for (const StoredTensor& t : file.tensors)
    if (const auto [other, is_new] = seen.emplace(t.name, t.named); !is_new)
      throw FileError(fmt::format(
          "{}: its tensors '{}' and '{}' would both be '{}' here; keep one of them",
          file.path.string(), printable(other->second), printable(t.named), printable(t.name)));
}

// A checkpoint says more than the weights.
bool is_checkpoint(const SafetensorsFile& file) {
  return file.metadata().contains("limulus") && file.metadata().contains("config");
}

WeightsFile open_safetensors(const fs::path& path) {
  WeightsFile all;
  all.path = path;
  all.kind = "safetensors";
  const auto file = std::make_shared<const SafetensorsFile>(path);
  const bool checkpoint = is_checkpoint(*file);
  if (checkpoint)
    reading(path, [&] {
      all.kind = "a checkpoint of " + TrainConfig::from_json(metadata_of(*file, "config")).model;
      all.classes = read_classes(*file);
      all.normalization = read_normalization(*file);
    });
  for (const SafetensorsEntry& entry : file->entries()) {
    if (checkpoint && !belongs_to_model(entry.name)) continue;
    if (entry.name.ends_with("num_batches_tracked")) {
      all.ignored.push_back(entry.name);
      continue;
    }
    all.tensors.push_back({without_prefix(entry.name), entry.name, entry.dtype, Shape(entry.shape),
                           [file, &entry] { return checked_values(*file, entry); }});
  }
  return all;
}

WeightsFile open_onnx(const fs::path& path) {
  const OnnxClassifier file = read_onnx_classifier(path, device("reference"));
  WeightsFile all;
  all.path = path;
  all.kind = "ONNX";
  all.notes = file.notes;
  for (const auto& [name, t] : state_of(*file.network))
    all.tensors.push_back(
        {name, name, "F32", t.shape(), [values = t] { return values.to_vector<float>(); }});
  if (!file.metadata.contains("limulus")) return all;  // what others call "classes" may be anything
  reading(path, [&] {
    if (const auto found = file.metadata.find("classes"); found != file.metadata.end())
      all.classes = parse_classes(found->second);
    if (const auto found = file.metadata.find("normalization"); found != file.metadata.end())
      all.normalization = parse_normalization(found->second);
  });
  return all;
}

}  // namespace

const StoredTensor* WeightsFile::find(const std::string& name) const {
  for (const StoredTensor& t : tensors)
    if (t.name == name) return &t;
  return nullptr;
}

WeightsFile open_weights(const fs::path& path, const std::string& model_name, const Module& model) {
  const bool onnx = is_model_file(path.string());
  if (!onnx) check_kind(path);
  WeightsFile all = onnx ? open_onnx(path) : open_safetensors(path);
  const LayerNames names = naming_of(all.tensors, model_name, model);
  for (StoredTensor& t : all.tensors) t.name = own_name(t.name, names);
  check_unique(all);
  return all;
}

std::vector<std::string> conversions(const std::vector<StoredTensor>& tensors) {
  std::map<std::string, int> count;
  for (const StoredTensor& t : tensors) ++count[t.dtype];
  std::vector<std::string> told;
  for (const auto& [dtype, n] : count) {
    if (dtype == "F32") continue;
    told.push_back(fmt::format("{} {} to f32{}: {} tensor{}", dtype,
                               dtype == "F64" ? "rounded" : "widened",
                               dtype == "F64" ? "" : " (exact)", n, n == 1 ? "" : "s"));
  }
  return told;
}

}  // namespace limulus
