#pragma once
// The experiment of the paper's figure 1: a network of four layers (cifar-convnet) is trained once
// with ReLU and once with tanh, without any regularization, and the training error is followed.
// examples/06_relu_race.cpp is the same by hand, with sigmoid and a look inside.
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/nonlinearity.h"
#include "training/data/image_set.h"

namespace limulus {

struct RaceOptions {
  std::int64_t images = 10'000;  // of a larger set so many are taken, evenly spaced
  std::int64_t epochs = 60;      // at most; a run ends earlier if it reaches the goal
  std::int64_t batch = 64;
  double goal = 0.25;  // training error, as in the paper
  std::uint64_t seed = 1;
  int workers = 1;
  // As in the paper, each network gets the rate that makes it learn fastest: the one with the
  // smallest loss after `trial` epochs.
  std::vector<double> rates = {0.003, 0.01, 0.03, 0.1};
  std::int64_t trial = 3;
  std::function<void(const std::string&)> on_progress;  // "tanh, rate 0.01: epoch 3, error 61.2 %"
};

struct RaceRun {
  Nonlinearity nonlinearity = Nonlinearity::relu;
  double rate = 0;             // the one that was chosen
  std::vector<double> errors;  // of each epoch: the share of its images that was misclassified
  bool reached = false;        // the goal
};

struct Race {
  std::int64_t images = 0, of = 0;  // usable ones that were trained on; of the set
  RaceOptions options;
  std::vector<RaceRun> runs;  // ReLU, then tanh
};

// ValueError for options out of range; FileError where no image can be used.
Race run_race(const ImageSet& training, std::int64_t classes, const RaceOptions& options);

}  // namespace limulus
