#include "training/slim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <list>
#include <utility>

#include "core/error.h"
#include "training/checkpoint.h"
#include "training/trained_model.h"

namespace limulus {

std::vector<Bf16> rounded_to_bf16(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  const std::vector<float> values = file.to_floats(entry);
  std::vector<Bf16> rounded(values.size());
  std::transform(values.begin(), values.end(), rounded.begin(), round_to_bf16);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isfinite(values[i]) && !std::isfinite(widen(rounded[i])))
      throw FileError(fmt::format("{}: value {} of '{}' is {:g}, which is too large for bf16",
                                  file.path().string(), i, entry.name, values[i]));
  return rounded;
}

Slimmed save_slim(const std::filesystem::path& checkpoint, const std::filesystem::path& to,
                  DType dtype) {
  load_trained(checkpoint, "reference");  // whether it is whole
  const SafetensorsFile file(checkpoint);
  Slimmed saved;
  std::list<std::vector<float>> floats;
  std::list<std::vector<Bf16>> halves;
  std::list<std::vector<double>> doubles;
  std::vector<SafetensorsItem> items;
  const auto add = [&](const SafetensorsEntry& entry, DType as, const void* data) {
    items.push_back({entry.name, as, entry.shape, data});
  };
  for (const SafetensorsEntry& entry : file.entries()) {
    if (is_velocity(entry.name)) continue;
    const bool weight = belongs_to_model(entry.name);
    if (weight) saved.numbers += entry.numel();
    if (weight && dtype == DType::bf16) {
      add(entry, DType::bf16, halves.emplace_back(rounded_to_bf16(file, entry)).data());
    } else if (entry.dtype == "F64") {  // the history
      std::vector<double>& values = doubles.emplace_back(static_cast<std::size_t>(entry.numel()));
      std::copy(entry.bytes.begin(), entry.bytes.end(),
                reinterpret_cast<std::byte*>(values.data()));
      add(entry, DType::f64, values.data());
    } else {
      add(entry, DType::f32, floats.emplace_back(file.to_floats(entry)).data());
    }
  }
  write_safetensors(to, std::move(items), file.metadata());
  saved.bytes_before = std::filesystem::file_size(checkpoint);
  saved.bytes_after = std::filesystem::file_size(to);
  return saved;
}

}  // namespace limulus
