#include "training/checkpoint.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/threads.h"
#include "core/error.h"
#include "core/printable.h"
#include "training/sgd.h"

namespace limulus {
namespace {

const std::string velocity_prefix = "velocity/";
const std::string data_prefix = "data/";
const std::string history_prefix = "history/";

std::string some(const std::vector<std::string>& names) {
  const std::size_t shown = std::min<std::size_t>(names.size(), 5);
  std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

// The index of the first value that is infinite or NaN, or n. All threads search, since AlexNet's
// weights are 244 MB. A run of values is first tested as a whole, so that the compiler can compare
// a vector of them at once.
template <class T>
std::int64_t first_not_finite(const T* values, std::int64_t n) {
  constexpr std::int64_t run = 1 << 16;
  const auto finite = [](T x) { return std::abs(x) <= std::numeric_limits<T>::max(); };  // not NaN
  std::atomic<std::int64_t> first = n;
  const auto look = [&](std::int64_t task) {
    const std::int64_t begin = task * run, end = std::min(n, begin + run);
    int bad = 0;
    for (std::int64_t i = begin; i < end; ++i) bad |= !finite(values[i]);
    for (std::int64_t i = begin; bad != 0 && i < end; ++i) {
      if (finite(values[i])) continue;
      std::int64_t seen = first;
      while (i < seen && !first.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  };
  const std::int64_t runs = (n + run - 1) / run;
  if (n < 1 << 20) {  // threads are worth starting for megabytes
    for (std::int64_t i = 0; i < runs; ++i) look(i);
    return first;
  }
  cpu::Team team;
  team.share(
      runs, cpu_default_threads(),
      [](const void* body, std::int64_t task, int) {
        (*static_cast<const decltype(look)*>(body))(task);
      },
      &look);
  return first;
}

template <class T>
void check_finite(const SafetensorsFile& file, const SafetensorsEntry& entry, const T* values) {
  const std::int64_t n = entry.numel(), bad = first_not_finite(values, n);
  if (bad < n)
    throw FileError(
        fmt::format("{}: value {} of '{}' is {}: the training that wrote this file had diverged; "
                    "go back to an earlier checkpoint",
                    file.path().string(), bad, entry.name, values[bad]));
}

// The values where they lie in the mapped file, checked; null if they are no aligned floats.
float* floats_there(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  auto* there = const_cast<std::byte*>(entry.bytes.data());  // of a private mapping
  if (entry.dtype != "F32" || reinterpret_cast<std::uintptr_t>(there) % alignof(float) != 0)
    return nullptr;
  auto* values = reinterpret_cast<float*>(there);
  check_finite(file, entry, values);
  return values;
}

// The entry as a tensor of floats that lies in the mapped file; undefined if that is impossible.
Tensor in_place(const SafetensorsFile& file, const SafetensorsEntry& entry, Backend& backend) {
  float* values = backend.host_memory() ? floats_there(file, entry) : nullptr;
  if (values == nullptr) return {};
  return Tensor::on_memory(values, file.mapping(), DType::f32, Shape(entry.shape), backend);
}

// The entry's values as T (f32 or f64), checked: same number, all finite.
template <class T>
std::vector<T> values_of(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  std::vector<T> values;
  if (entry.dtype == "F64") {
    std::vector<double> wide(static_cast<std::size_t>(entry.numel()));
    if (!wide.empty()) std::memcpy(wide.data(), entry.bytes.data(), entry.bytes.size());
    values.assign(wide.begin(), wide.end());
  } else {
    const std::vector<float> floats = file.to_floats(entry);
    values.assign(floats.begin(), floats.end());
  }
  check_finite(file, entry, values.data());
  return values;
}

Tensor read_like(const SafetensorsFile& file, const SafetensorsEntry& entry, DType dtype,
                 Backend& backend) {
  const Shape shape{std::vector<std::int64_t>(entry.shape)};
  if (dtype == DType::f64) return Tensor::from(values_of<double>(file, entry), shape, backend);
  if (const float* values = dtype == DType::f32 ? floats_there(file, entry) : nullptr)
    return Tensor::from_host(values, entry.numel(), DType::f32, shape, backend);
  return Tensor::from(values_of<float>(file, entry), shape, backend);
}

// Reads a replacement for every target before any of them is changed. With `adopt` a target gives
// up its memory for that of the replacement, which may be the mapped file's.
void load_all(const SafetensorsFile& file, const std::vector<NamedTensor>& targets,
              const std::string& prefix, bool adopt = false) {
  std::vector<Tensor> loaded;
  for (const auto& [name, target] : targets) {
    const SafetensorsEntry& entry = file.at(prefix + name);
    if (Shape(entry.shape) != target.shape())
      throw FileError(fmt::format("{}: '{}' has shape {} but the network needs {}",
                                  file.path().string(), entry.name, Shape(entry.shape).str(),
                                  target.shape().str()));
    Tensor there;
    if (adopt && target.dtype() == DType::f32) there = in_place(file, entry, target.backend());
    loaded.push_back(there.defined() ? there
                                     : read_like(file, entry, target.dtype(), target.backend()));
  }
  const NoGrad setting_values;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Tensor target = targets[i].second;
    if (adopt && loaded[i].dtype() == target.dtype())
      target.adopt_(loaded[i]);
    else
      target.copy_(loaded[i]);
  }
}

}  // namespace

std::vector<NamedTensor> state_of(const Module& model) {
  std::vector<NamedTensor> all = model.parameters();
  for (NamedTensor& buffer : model.buffers()) all.push_back(std::move(buffer));
  return all;
}

std::vector<std::string> layers_with_weights(const Module& model) {
  std::vector<std::string> layers;
  for (const auto& [name, t] : model.parameters())
    if (const std::string layer = layer_of(name); layers.empty() || layers.back() != layer)
      layers.push_back(layer);
  return layers;
}

std::string layer_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

bool is_velocity(const std::string& name) { return name.starts_with(velocity_prefix); }

bool belongs_to_model(const std::string& name) {
  return !is_velocity(name) && !name.starts_with(data_prefix) && !name.starts_with(history_prefix);
}

void save_checkpoint(const std::filesystem::path& path, const Module& model, const Sgd& optimizer,
                     const Checkpoint& rest) {
  std::vector<NamedTensor> all = state_of(model);
  for (const auto& [name, v] : optimizer.velocities()) all.emplace_back(velocity_prefix + name, v);
  all.insert(all.end(), rest.extra.begin(), rest.extra.end());

  std::vector<std::vector<char>> copies;  // of tensors that are not in host memory
  std::vector<SafetensorsItem> items;
  for (const auto& [name, t] : all) {
    const void* host = t.data();
    if (!t.backend().host_memory()) {
      copies.emplace_back(t.bytes());
      t.backend().download(copies.back().data(), t.data(), t.bytes());
      host = copies.back().data();
    }
    items.push_back({name, t.dtype(), t.shape().sizes(), host});
  }
  auto metadata = rest.metadata;
  metadata.insert_or_assign("limulus", std::string(1, '1'));
  write_safetensors(path, std::move(items), metadata, {.keep_previous = true});
}

void load_weights(const SafetensorsFile& file, Module& model, bool in_place,
                  const std::vector<std::string>& left_out) {
  std::vector<NamedTensor> targets = state_of(model);
  for (const std::string& layer : left_out)
    if (std::erase_if(targets, [&](const NamedTensor& target) {
          return layer_of(target.first) == layer;
        }) == 0)
      throw FileError(fmt::format(
          "{}: it leaves out the layer '{}', and the network has none of this name with weights",
          file.path().string(), printable(layer)));
  std::vector<std::string> missing, unknown;
  for (const auto& [name, t] : targets)
    if (file.find(name) == nullptr) missing.push_back(name);
  for (const SafetensorsEntry& entry : file.entries()) {
    if (!belongs_to_model(entry.name)) continue;
    bool known = false;
    for (const auto& [name, t] : targets) known = known || name == entry.name;
    if (!known) unknown.push_back(printable(entry.name));
  }
  if (!missing.empty() || !unknown.empty())
    throw FileError(
        fmt::format("{}: these weights are for another network:{}{}", file.path().string(),
                    missing.empty() ? "" : fmt::format(" the file lacks {};", some(missing)),
                    unknown.empty() ? "" : fmt::format(" the network has no {}", some(unknown))));
  load_all(file, targets, "", in_place);
}

void load_velocities(const SafetensorsFile& file, Sgd& optimizer) {
  load_all(file, optimizer.velocities(), velocity_prefix);
}

Tensor load_tensor(const SafetensorsFile& file, const std::string& name, Backend& backend) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr) return Tensor();
  return read_like(file, *entry, entry->dtype == "F64" ? DType::f64 : DType::f32, backend);
}

}  // namespace limulus
