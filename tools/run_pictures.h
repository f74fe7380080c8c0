#pragma once
// The pictures of a run, opened again for its checkpoint.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "training/data/dataset.h"
#include "training/report/neighbours.h"
#include "training/trained_model.h"

namespace limulus::tools {

bool same_path(const std::string& a, const std::string& b);

struct PictureChoice {
  std::optional<std::string> layout, test_folder;  // else as the run had them, in its own folder
  bool strict = false;
};

// The set in `folder`, its labels indices of the network's classes. FileError where its classes are
// not those.
Dataset open_pictures(const std::string& checkpoint, const TrainedModel& trained,
                      const std::string& folder, const PictureChoice& choice);

// ---- nearest training photographs, of `look` and `figure` ---------------------------------------

struct NeighbourOptions {
  std::string data;  // "": the folder that the checkpoint names, where it is there
  bool none = false;
  std::optional<std::string> layout, test_folder;
  int workers = 1;
};

// --neighbours, --no-neighbours, --layout and --test-folder. `options` has to live until the
// command has run.
void add_neighbour_options(CLI::App& command, NeighbourOptions& options);

// The training photographs through the network, once for all photographs that are looked at.
class TrainingPhotographs {
 public:
  // FileError where the set that was asked for cannot be used. Where the one that the checkpoint
  // names cannot, every answer of nearest_to() says why.
  TrainingPhotographs(const std::string& checkpoint, const TrainedModel& trained,
                      const NeighbourOptions& options);

  Neighbours nearest_to(const TrainedModel& trained, const Image& photograph) const;

  const std::optional<Dataset>& data() const { return data_; }  // where it could be opened
  const std::string& missing() const { return missing_; }

 private:
  void open(const std::string& checkpoint, const TrainedModel& trained,
            const NeighbourOptions& options, const std::string& folder);

  std::optional<Dataset> data_;
  std::optional<HiddenValues> values_;
  std::string missing_, note_;
};

}  // namespace limulus::tools
