#pragma once
// What a run was, as data; and the one page that shows it (report.cpp).
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "layers/module.h"
#include "training/config.h"
#include "training/image.h"
#include "training/metrics.h"
#include "training/profile.h"

namespace limulus {

struct EpochRecord {
  std::int64_t epoch = 0;  // counted from 1
  double train_loss = 0, train_top1 = 0;
  double test_loss = 0, test_top1 = 0, test_top5 = 0;  // centre crop, held-out images
  double lr = 0;                                       // of the last step
  double seconds = 0, images_per_second = 0;           // of training, without the test
  double waiting = 0;  // fraction of `seconds` spent waiting for data
};

struct Mistake {  // a held-out image that was taken for something else
  std::string name;
  std::int64_t truth = 0, guess = 0;
  double probability = 0;  // given to the guess
  double loss = 0;
  Image image;  // as it was prepared
};

struct Guess {
  std::int64_t guess;
  float probability;
};

struct Evaluation {
  Metrics metrics;
  double loss = 0;
  std::vector<Mistake> worst;  // largest loss first
  std::vector<Guess> guesses;  // of each image, in the set's order
};

struct RunReport {
  TrainConfig config;
  std::vector<std::string> classes;
  std::vector<WalkStep> walk;
  std::vector<float> step_losses;  // one per step
  std::vector<EpochRecord> epochs;
  Evaluation single, ten;  // centre crop; mean over ten crops (metrics.count() = 0: not done)
  Tensor filters;          // first convolution's weights [K, C, fh, fw]; may be undefined
  std::vector<LayerTime> layer_times;  // of one step
  std::vector<std::string> skipped;    // images that could not be read, with the reason
  bool finished = true;                // false: stopped early
  // Shown as they are: processor, instruction set, threads, commit, compiler and flags, date ...
  std::vector<std::pair<std::string, std::string>> provenance;
};

// One self-contained page: curves, filters, confusion matrix, worst mistakes, time per layer,
// provenance. Written atomically.
void write_report(const std::filesystem::path& path, const RunReport& run);

// The processor's name, the compiler, its flags and the commit of this build, for provenance.
std::vector<std::pair<std::string, std::string>> build_provenance();

}  // namespace limulus
