#include "tools/run_pictures.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "training/data/class_names.h"

namespace limulus::tools {
namespace {

// Of a larger set so many are compared, evenly spaced: the values of 10,000 photographs behind fc7
// are 164 MB, and to compute them takes AlexNet minutes.
constexpr std::int64_t kMostCompared = 10'000;

}  // namespace

bool same_path(const std::string& a, const std::string& b) {
  std::error_code no_folder;
  return a == b || std::filesystem::equivalent(a, b, no_folder);
}

Dataset open_pictures(const std::string& checkpoint, const TrainedModel& trained,
                      const std::string& folder, const PictureChoice& choice) {
  if (folder.empty())
    throw FileError(
        fmt::format("{}: no pictures belong to it, as its weights were imported", checkpoint));
  const bool trained_on = same_path(folder, trained.config.data);
  DatasetOptions options;
  options.strict = choice.strict;
  options.layout = parse_layout(choice.layout ? *choice.layout
                                : trained_on  ? trained.config.layout
                                              : std::string("auto"));
  options.test_folder = choice.test_folder ? *choice.test_folder
                        : trained_on       ? trained.config.test_folder
                                           : std::string();
  options.classes = trained.classes;
  Dataset data = open_dataset(folder, options);
  if (!same_names(data.classes, trained.classes))
    throw FileError(fmt::format("{}: its classes ({}) are not those of {} ({})", folder,
                                names_text(data.classes), checkpoint, names_text(trained.classes)));
  return data;
}

void add_neighbour_options(CLI::App& command, NeighbourOptions& o) {
  CLI::Option* data =
      command.add_option("--neighbours", o.data,
                         "The set whose training part is searched for the nearest photographs "
                         "(default: that of the run, if it is still there)");
  CLI::Option* none =
      command.add_flag("--no-neighbours", o.none, "Do not search for the nearest photographs")
          ->excludes(data);
  add_layout_options(command, o.layout, o.test_folder);
  for (const char* of_data : {"--layout", "--test-folder"}) none->excludes(of_data);
}

TrainingPhotographs::TrainingPhotographs(const std::string& checkpoint, const TrainedModel& trained,
                                         const NeighbourOptions& options) {
  if (options.none) {
    missing_ = "The training photographs were not looked at: --no-neighbours.";
    return;
  }
  if (!options.data.empty()) {
    open(checkpoint, trained, options, options.data);
    return;
  }
  try {
    open(checkpoint, trained, options, trained.config.data);
  } catch (const FileError& error) {
    values_.reset();
    missing_ = fmt::format(
        "The training photographs could not be looked at: {}. --neighbours names another place.",
        error.what());
  }
}

void TrainingPhotographs::open(const std::string& checkpoint, const TrainedModel& trained,
                               const NeighbourOptions& options, const std::string& folder) {
  data_ = open_pictures(checkpoint, trained, folder, {options.layout, options.test_folder, false});
  if (data_->train.size() == 0)
    throw FileError(fmt::format("{}: the set has no training part", folder));
  const std::uint64_t print = fingerprint(data_->train, data_->classes);
  if (print != 0 && trained.train_print != 0 && print != trained.train_print)
    note_ = "They are not the photographs that the network was trained on, or not all of them.";
  StatusLine line;
  line.draw("training photographs through the network ...");
  try {
    values_ = hidden_values(trained, data_->train, kMostCompared, options.workers);
  } catch (const FileError& error) {
    throw FileError(fmt::format("{}: {}", folder, error.what()));
  }
  line.clear();
}

Neighbours TrainingPhotographs::nearest_to(const TrainedModel& trained,
                                           const Image& photograph) const {
  Neighbours found;
  if (values_)
    found = nearest(*values_, hidden_values(trained, photograph));
  else
    found.missing = missing_;
  found.note = note_;
  return found;
}

}  // namespace limulus::tools
