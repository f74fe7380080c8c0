#pragma once
// What a run was, as data: its epochs, its evaluations, and all that a report shows.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "layers/module.h"
#include "pages/pixels.h"
#include "training/config.h"
#include "training/data/skipped.h"
#include "training/metrics.h"
#include "training/profile.h"

namespace limulus {

struct EpochRecord {
  std::int64_t epoch = 0;  // counted from 1
  double train_loss = 0, train_top1 = 0;
  // Centre crop, held-out images; NaN when there are none.
  double test_loss = 0, test_top1 = 0, test_top5 = 0;
  double lr = 0;                              // of the last step
  double seconds = 0, images_per_second = 0;  // of training, without the test
  double waiting = 0;                         // fraction of `seconds` spent waiting for data
};

struct Mistake {  // a held-out image that was taken for something else
  std::string name;
  std::int64_t truth = 0, guess = 0;
  double probability = 0;  // given to the guess
  double loss = 0;
  Image image;  // as it was prepared
};

struct Guess {
  std::int64_t image;  // its index in the set
  std::int64_t guess;
  float probability;
};

struct Evaluation {
  Metrics metrics;                          // of the images that could be used
  double loss = 0;                          // their mean; NaN when there are none
  std::int64_t images = 0;                  // in the set, with those that could not be used
  bool partial = false;                     // stopped: of the first images of the set alone
  std::map<std::int64_t, Skipped> skipped;  // those, by index
  std::vector<Mistake> worst;               // largest loss first
  std::vector<Guess> guesses;               // in the set's order
};

struct RunReport {
  TrainConfig config;
  std::vector<std::string> classes;
  std::vector<WalkStep> walk;
  std::vector<float> step_losses;  // one per step
  std::vector<EpochRecord> epochs;
  Evaluation single, ten;  // centre crop; mean over ten crops (metrics.count() = 0: not done)
  Tensor filters;          // first convolution's weights [K, C, fh, fw]; may be undefined
  std::vector<LayerTime> layer_times;           // of one step
  std::int64_t train_images = 0, held_out = 0;  // listed in the set; of these some may be skipped
  std::string layout;                           // how the folder was read, in a sentence
  std::vector<Skipped> skipped;                 // what takes no part, training and held out
  bool finished = true;                         // false: stopped early
  std::int64_t epochs_done = 0;                 // also where `epochs` does not have them
  std::int64_t snapshots = 0;  // shown by snapshots.html beside the page; 0: there is none
  // For a page that is made after the run: what it cannot show and why, a sentence each.
  std::vector<std::string> missing;
  // Shown as they are: processor, instruction set, threads, commit, compiler and flags, date ...
  std::vector<std::pair<std::string, std::string>> provenance;
};

}  // namespace limulus
