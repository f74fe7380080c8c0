#pragma once
// What a training run is: every choice that its result depends on. It is kept in the checkpoint, so
// that a resumed run is the same run, and printed in the report.
#include <cstdint>
#include <string>

#include "training/data/augment.h"
#include "training/schedule.h"
#include "training/sgd.h"

namespace limulus {

// How ranks tell each other the gradients of fully connected layers: by their value, or by the two
// factors that they are a product of. A choice between two ways to add up, too, so that the bits
// differ.
enum class Exchange { gradients, factors };
const char* name_of(Exchange exchange);
Exchange parse_exchange(const std::string& name);  // ValueError

struct TrainConfig {
  std::string model = "alexnet";
  // Of a model that was a file ("net.onnx"): its layers (models/description.h), so that a
  // checkpoint needs no other file. Empty for a model that has a name in models.h.
  std::string network;
  std::string recipe = "default";  // or "paper", "filters": initialization, rate, schedule
  std::string data;                // a folder (training/data/dataset.h says which layouts)
  std::string layout = "auto";     // how it is read: name_of(Layout)
  std::string test_folder;         // DatasetOptions::test_folder
  std::string device = "cpu";
  std::int64_t epochs = 24;
  std::int64_t batch = 32;
  std::uint64_t seed = 1;
  std::int64_t shuffle_buffer = 10'000;  // LoaderOptions::shuffle_buffer
  SgdOptions sgd;
  ScheduleOptions schedule;
  Prepare prepare;
  Augment augment;
  bool subtract_mean_image = true;  // else the mean colour
  float pixel_scale = 1;            // a pixel less its mean is multiplied by this
  double dropout = 0.5;
  bool batch_norm = false;  // alexnet-keras
  bool strict = false;      // an image that cannot be used is an error, not skipped and counted
  // Each batch is cut into so many pieces; each goes through the network by itself, and their
  // gradients are added in a fixed order. Ranks share the pieces (training/parallel_step.h).
  std::int64_t micro_batches = 1;
  Exchange exchange = Exchange::gradients;
  // Layers that keep their weights (training/freeze.h): "conv1,conv2".
  std::string freeze;
  // The file whose weights the run began with; "": they were drawn from the seed. It is told, and
  // read only where TrainerOptions::init says so.
  std::string init;

  std::string to_json() const;
  static TrainConfig from_json(const std::string& text);  // ValueError names the key that is wrong
};

// ValueError names the setting that is out of its range.
void check(const TrainConfig& config);

// For people: one difference per line between two configurations; empty when they are the same.
std::string differences(const TrainConfig& a, const TrainConfig& b);

}  // namespace limulus
