#include "training/report/snapshot_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "pages/image_encode.h"
#include "training/report/snapshot_page.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;
using SeriesJson = nlohmann::ordered_json;

std::string series_text(const SeriesJson& json) {
  return json.dump(1, ' ', false, SeriesJson::error_handler_t::replace);
}

// In whatever order the keys stand.
bool same_value(const SeriesJson& a, const SeriesJson& b) {
  return nlohmann::json::parse(a.dump()) == nlohmann::json::parse(b.dump());
}

SeriesJson finite_or_null(double value) {
  return std::isfinite(value) ? SeriesJson(value) : SeriesJson();
}

// The run, wherever its pictures lie, whatever computes it, and however long it becomes.
SeriesJson settings_of(TrainConfig config) {
  config.data.clear();
  config.device.clear();
  config.epochs = 1;
  config.init.clear();
  return SeriesJson::parse(config.to_json());
}

// Whether an index was written by a run of these settings, perhaps an earlier version's.
bool same_settings(const SeriesJson& stored, const TrainConfig& config) {
  try {
    const TrainConfig was = TrainConfig::from_json(stored.dump());
    return same_value(settings_of(was), settings_of(config));
  } catch (const ValueError&) {
    return false;
  }
}

SeriesJson head_of(const SeriesSubject& subject) {
  return {{"limulus", 1},
          {"settings", settings_of(subject.config)},
          {"classes", subject.classes},
          {"photograph", printable(subject.photograph.name)},
          {"part", subject.photograph.part},
          {"label", subject.photograph.label},
          {"snapshots", SeriesJson::array()}};
}

// The epoch in a name that picture_name() has made; -1 for another one.
std::int64_t epoch_of(const std::string& name) {
  const std::string_view begin = "epoch-", end = ".png";
  if (!name.starts_with(begin) || !name.ends_with(end)) return -1;
  std::int64_t epoch = 0;
  std::size_t at = begin.size();
  for (; at < name.size() && at < begin.size() + 9 &&
         std::isdigit(static_cast<unsigned char>(name[at])) != 0;
       ++at)
    epoch = 10 * epoch + (name[at] - '0');
  return at > begin.size() && at < name.size() && name[at] == '-' ? epoch : -1;
}

// Whether all pictures of a snapshot have names that picture_name() could have made.
bool has_pictures(const SeriesJson& snapshot) {
  for (const SeriesJson& picture : snapshot["pictures"]) {
    if (!picture.is_object() || !picture.contains("file") || !picture["file"].is_string())
      return false;
    const auto name = picture["file"].get<std::string>();
    if (epoch_of(name) < 0 || name.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
      return false;
  }
  return true;
}

SeriesJson read_index(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  bool deep = false;  // JSON is copied and written by recursion, as deep as it is nested
  const auto not_deep = [&](int depth, SeriesJson::parse_event_t, SeriesJson&) {
    deep = deep || depth > 8;
    return depth <= 8;
  };
  SeriesJson index = SeriesJson::parse(bytes, not_deep, false);
  bool whole = !deep && index.is_object() && index.contains("settings") &&
               index.contains("snapshots") && index["snapshots"].is_array();
  if (whole)
    for (const SeriesJson& s : index["snapshots"])
      whole = whole && s.is_object() && s.contains("epoch") && s["epoch"].is_number_unsigned() &&
              s["epoch"].get<std::uint64_t>() <= 1'000'000'000 && s.contains("pictures") &&
              s["pictures"].is_array() && has_pictures(s) && s.contains("probabilities") &&
              s["probabilities"].is_array();
  if (!whole)
    throw FileError(fmt::format(
        "{}: this is not the index of a run's snapshots, or it is damaged; move the folder away, "
        "and a new series begins",
        path.string()));
  return index;
}

std::string picture_name(std::int64_t epoch, const std::string& what) {
  return fmt::format("epoch-{:04}-{}.png", epoch, what);
}

std::vector<std::uint8_t> png_of(const html::Picture& p) {
  return encode_png(p.values, p.width, p.height, p.channels);
}

std::uintmax_t write_png(const fs::path& path, const html::Picture& p) {
  const std::vector<std::uint8_t> png = png_of(p);
  write_file_atomically(path, {reinterpret_cast<const char*>(png.data()), png.size()});
  return png.size();
}

}  // namespace

struct SnapshotSeries::Index {
  SeriesJson json = {{"snapshots", SeriesJson::array()}};
};

SnapshotSeries::SnapshotSeries(fs::path run)
    : run_(std::move(run)), index_(std::make_unique<Index>()) {
  make_folders(folder());
  for (const fs::path& path : {folder() / "index.json", page()})
    const AtomicFile never_committed(path);  // nothing is left behind
}

SnapshotSeries::~SnapshotSeries() = default;

void SnapshotSeries::remove_pictures(std::int64_t behind) const {
  std::error_code error;
  for (fs::directory_iterator it(folder(), error), end; !error && it != end; it.increment(error))
    if (epoch_of(it->path().filename().string()) > behind) {
      std::error_code stays;
      fs::remove(it->path(), stays);
    }
}

void SnapshotSeries::begin(const SeriesSubject& subject, bool resumed, std::int64_t epoch) {
  subject_ = subject;
  SeriesJson head = head_of(subject_);
  const fs::path path = folder() / "index.json", shown = folder() / "photograph.png";
  const Image& picture = subject_.photograph.picture;
  const html::Picture photograph = {picture.width, picture.height, 3, picture.rgb};
  std::error_code unknown;
  if (resumed && fs::exists(path, unknown)) {
    const SeriesJson before = read_index(path);
    const auto another = [&](const char* what) {
      return FileError(fmt::format(
          "{}: these snapshots are of another run or photograph ({} differs), so that they and "
          "those to come would be no series; move the folder away, and a new one begins",
          path.string(), what));
    };
    if (!same_settings(before["settings"], subject_.config)) throw another("settings");
    for (const char* key : {"classes", "photograph", "part", "label"})
      if (!before.contains(key) || !same_value(before[key], head[key])) throw another(key);
    if (fs::exists(shown, unknown) && read_file(shown) != png_of(photograph))
      throw another("photograph.png");
    for (const SeriesJson& snapshot : before["snapshots"])
      if (snapshot["epoch"].get<std::int64_t>() <= epoch) head["snapshots"].push_back(snapshot);
  }
  index_->json = std::move(head);
  write_png(shown, photograph);
  // The page is made before anything is removed: it may find that pictures are missing.
  const std::string text = count() > 0 ? snapshot_page(folder(), index_->json, subject_) : "";
  remove_pictures(count() > 0 ? epoch : -1);
  write_index();
  if (!text.empty()) write_file_atomically(page(), text);
}

void SnapshotSeries::add(std::int64_t epoch, const Snapshot& snapshot, const EpochRecord* record) {
  SeriesJson pictures = SeriesJson::array();
  std::uintmax_t size = 0;
  const auto keep = [&](const std::string& what, const std::string& text,
                        const html::Picture& picture) {
    const std::string name = picture_name(epoch, what);
    size += write_png(folder() / name, picture);
    pictures.push_back({{"file", name}, {"text", text}, {"width", picture.width}});
  };
  if (!snapshot.filters_size.empty())
    keep("filters", "the first convolution's filters, " + snapshot.filters_size, snapshot.filters);
  for (const SnapshotMaps& maps : snapshot.maps) keep(maps.layer, maps_text(maps), maps.picture);
  SeriesJson entry = {{"epoch", epoch}};
  if (record != nullptr) {
    entry["training_loss"] = finite_or_null(record->train_loss);
    entry["training_top1"] = finite_or_null(record->train_top1);
    entry["held_out_top1"] = finite_or_null(record->test_top1);
  }
  entry["probabilities"] = SeriesJson::array();
  for (const float p : snapshot.probabilities)
    entry["probabilities"].push_back(finite_or_null(static_cast<double>(p)));
  entry["pictures"] = pictures;
  entry["bytes"] = size;
  SeriesJson& all = index_->json["snapshots"];
  const auto same = std::find_if(all.begin(), all.end(),
                                 [&](const SeriesJson& s) { return s["epoch"] == epoch; });
  if (same != all.end())
    *same = std::move(entry);
  else
    all.push_back(std::move(entry));
  write_index();
  write_page();
}

std::int64_t SnapshotSeries::count() const {
  return static_cast<std::int64_t>(index_->json["snapshots"].size());
}

std::uintmax_t SnapshotSeries::bytes() const {
  std::uintmax_t sum = 0;
  for (const SeriesJson& s : index_->json["snapshots"])
    if (s.contains("bytes") && s["bytes"].is_number_unsigned())
      sum += s["bytes"].get<std::uintmax_t>();
  return sum;
}

std::uintmax_t SnapshotSeries::page_bytes() const {
  std::error_code unknown;
  const std::uintmax_t size = fs::file_size(page(), unknown);
  return unknown ? 0 : size;
}

void SnapshotSeries::write_index() const {
  write_file_atomically(folder() / "index.json", series_text(index_->json));
}

void SnapshotSeries::write_page() const {
  write_file_atomically(page(), snapshot_page(folder(), index_->json, subject_));
}

std::int64_t snapshots_beside(const fs::path& checkpoint, const TrainConfig& config,
                              const std::vector<std::string>& classes) {
  std::error_code unknown;
  const fs::path run = checkpoint.parent_path(), path = run / "snapshots" / "index.json";
  if (!fs::exists(path, unknown) || !fs::exists(run / "snapshots.html", unknown)) return 0;
  try {
    const SeriesJson index = read_index(path);
    if (!index.contains("classes") || !same_settings(index["settings"], config) ||
        !same_value(index["classes"], SeriesJson(classes)))
      return 0;
    return static_cast<std::int64_t>(index["snapshots"].size());
  } catch (const FileError&) {  // a report is no worse without them
    return 0;
  }
}

}  // namespace limulus
