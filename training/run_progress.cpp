// The course of a run as tensors of a checkpoint, and back.
#include "training/run_progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "training/checkpoint.h"
#include "training/json_value.h"

namespace limulus {
namespace {

using SortedJson = nlohmann::json;

// One list serves reading and writing: f(key, value) for each.
template <class Progress, class F>
void each_field(Progress& p, F f) {
  f("step", p.step);
  f("epoch", p.epoch);
  f("batch", p.batch);
  f("epoch_loss", p.epoch_loss);
  f("epoch_right", p.epoch_right);
  f("epoch_images", p.epoch_images);
  f("epoch_seconds", p.epoch_seconds);
  f("epoch_waiting", p.epoch_waiting);
}

// An epoch's numbers, as a row of "history/epochs".
constexpr std::int64_t epoch_columns = 10;
using EpochRow = std::array<double, epoch_columns>;

EpochRow row_of(const EpochRecord& e) {
  return {static_cast<double>(e.epoch),
          e.train_loss,
          e.train_top1,
          e.test_loss,
          e.test_top1,
          e.test_top5,
          e.lr,
          e.seconds,
          e.images_per_second,
          e.waiting};
}

EpochRecord record_of(const EpochRow& r) {
  return {static_cast<std::int64_t>(r[0]), r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9]};
}

// A tensor of the history, element by element; empty where the file has none.
template <class T>
std::vector<T> history_of(const SafetensorsFile& file, const std::string& name, DType dtype) {
  const SafetensorsEntry* entry = file.find(name);
  if (entry == nullptr) return {};
  if (file.dtype(*entry) != dtype)
    throw ValueError(fmt::format("'{}' is {}, not {}", name, entry->dtype, name_of(dtype)));
  std::vector<T> values(entry->bytes.size() / sizeof(T));
  // Empty in a run that was stopped in its first epoch, and memcpy takes no null pointer.
  if (!values.empty()) std::memcpy(values.data(), entry->bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

std::string state_json(const RunProgress& progress, const std::vector<std::int64_t>& skipped,
                       std::int64_t images, const Schedule::State& schedule) {
  SortedJson j;
  each_field(progress, [&](const char* key, const auto& value) { j[key] = value; });
  j["images"] = images;
  j["skipped"] = skipped;  // so that the next sitting knows them from the start
  j["schedule"] = {schedule.best_error, schedule.epochs_without_better, schedule.divisions};
  return j.dump();
}

// Losses are not required to be finite: they are shown, and nothing is computed from them.
void save_history(const RunProgress& progress, Checkpoint* to) {
  Backend& host = device("reference");
  const auto steps = static_cast<std::int64_t>(progress.step_losses.size());
  const auto epochs = static_cast<std::int64_t>(progress.epochs.size());
  std::vector<double> rows;
  for (const EpochRecord& e : progress.epochs)
    for (const double value : row_of(e)) rows.push_back(value);
  to->extra.emplace_back("history/step_losses", Tensor::from(progress.step_losses, {steps}, host));
  to->extra.emplace_back("history/epochs", Tensor::from(rows, {epochs, epoch_columns}, host));
}

RunProgress read_progress(const SafetensorsFile& file, const std::string& state) {
  const SortedJson j = SortedJson::parse(state);
  const auto read = [&](const char* key, auto& value) { read_value(j.at(key), key, value); };
  RunProgress p;
  each_field(p, read);
  if (j.contains("step_losses"))  // of an early version, and its epochs below
    read("step_losses", p.step_losses);
  else
    p.step_losses = history_of<float>(file, "history/step_losses", DType::f32);
  const auto numbers = history_of<double>(file, "history/epochs", DType::f64);
  for (std::size_t at = 0; at + epoch_columns <= numbers.size(); at += epoch_columns) {
    EpochRow row;
    std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(at), epoch_columns, row.begin());
    if (!(row[0] >= 0 && row[0] <= 1e9))
      throw ValueError(fmt::format("the number of an epoch is {}", row[0]));
    p.epochs.push_back(record_of(row));
  }
  const auto number = [](const SortedJson& value) {
    // JSON has no NaN: the accuracy of nothing is null.
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  };
  if (j.contains("epochs"))
    for (const SortedJson& e : j.at("epochs")) {
      std::int64_t epoch = 0;
      read_value(e.at(0), "the number of an epoch", epoch);
      p.epochs.push_back({epoch, number(e.at(1)), number(e.at(2)), number(e.at(3)), number(e.at(4)),
                          number(e.at(5)), number(e.at(6)), number(e.at(7)), number(e.at(8)),
                          number(e.at(9))});
    }
  if (j.contains("skipped"))
    for (const SortedJson& index : j.at("skipped"))
      read_value(index, "the number of a skipped image", p.skipped.emplace_back());
  return p;
}

}  // namespace limulus
