#pragma once
// The training loop: data in, weights out, and nothing lost in between.
//
//   for each epoch, for each batch:   loss = cross_entropy(model(x), labels)
//                                     loss.backward();  optimizer.step()
//   then the held-out images; then perhaps a checkpoint.
//
// All that a step depends on is (configuration, step number, weights, velocities): the data order,
// crops and dropout masks come from Philox, keyed by them. A run that was killed and resumed from a
// checkpoint therefore ends with the same bits as one that was not.
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "layers/module.h"
#include "training/config.h"
#include "training/data/dataset.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/initial_weights.h"
#include "training/parallel_step.h"
#include "training/records.h"
#include "training/run_progress.h"
#include "training/schedule.h"
#include "training/sgd.h"

namespace limulus {

class AlexNetTowers;

struct StepInfo {
  std::int64_t epoch = 0, epochs = 0;              // epoch counted from 1
  std::int64_t batch = 0, batches = 0;             // batch counted from 1
  std::int64_t step = 0;                           // of the whole run, counted from 1
  double loss = 0;                                 // of this batch
  double mean_loss = 0, mean_top1 = 0;             // of the epoch so far (of this sitting)
  double images_per_second = 0, seconds_left = 0;  // to the end of the run
  double lr = 0;
};

// The loss stopped being a number; the message says where that began.
struct LossError : Error {
  LossError(const std::string& message, double found) : Error(message), loss(found) {}
  double loss;
};

// A picture of the set as evaluation sees it: the middle of it, without chance.
struct Photograph {
  std::string name;  // of its file, without the folder
  std::string part;  // "held out", or "training" where nothing is held out
  std::int64_t label = 0;
  Image picture;  // the square that the network is shown
  Tensor input;   // [1, C, S, S]
};

struct TriedRate {
  double rate = 0;          // of the step before; 0: no step was made yet
  double loss = 0;          // of the batch behind it; perhaps not a number
  std::int64_t images = 0;  // in that batch
};

struct TrainerOptions {
  std::filesystem::path out = "runs/latest";  // checkpoint.safetensors goes there
  double checkpoint_seconds = 60;             // at most this much work is lost
  int workers = 1;                            // of the loader; no influence on the result
  // Bytes of decoded pictures that are kept, training and held-out ones together.
  std::size_t cache_bytes = std::size_t{1} << 30;
  // Weights to begin with (initial_weights.h); "": all are drawn. Not for a run that goes on.
  std::filesystem::path init;
  // The ranks that make this run together, each with a Trainer of the same settings; null: one
  // alone. Rank 0 alone writes. All calls of run() and resume() are collective then.
  std::shared_ptr<Communicator> ranks;
  // Set by Ctrl-C: finish the step, or leave the held-out images, save, return.
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const StepInfo&)> on_step;
  std::function<void(const EpochRecord&)> on_epoch;
  std::function<void(const std::string&)> on_message;  // "checkpoint written to ..."
};

class Trainer {
 public:
  // Opens the data, computes its mean, makes the network. Errors as those of open_dataset,
  // make_model, start_from, frozen_layers, Sgd and Schedule.
  Trainer(TrainConfig config, TrainerOptions options);
  ~Trainer();

  // Goes on where the file stopped. FileError when it is no checkpoint of this configuration; only
  // the place of the data and the device may differ, and there may be more epochs.
  void resume(const std::filesystem::path& path);
  // Of a resumed run that became longer: how that changed its rates, in a sentence; else "".
  const std::string& longer() const { return longer_; }
  // What was taken from TrainerOptions::init.
  const std::optional<InitialWeights>& initial_weights() const { return initial_weights_; }
  const std::vector<std::string>& frozen() const { return frozen_; }  // layers (freeze.h)

  // Trains to the last epoch; false when stopped before. LossError when the loss stops being a
  // number: it says in which step and layer and what to try. DeviceError when the device is lost or
  // its memory is full. Both leave the last checkpoint as it is.
  bool run();

  Evaluation evaluate(bool ten_crop, int worst = 0);  // Stopped when told to stop

  // Forward and backward on one batch, timed layer by layer; the weights stay as they are.
  std::vector<LayerTime> profile();

  // A step at each of these rates in turn, from the weights as they are, for rate_sweep.h. `seen`
  // is called with the loss before the first step, then with the loss behind each; it answers
  // whether to go on. Nothing is saved, and afterwards the trainer is of no use: its weights went
  // through rates that destroy them. FileError where an epoch has no image that can be used.
  void try_rates(const std::vector<double>& rates,
                 const std::function<bool(const TriedRate&)>& seen);

  // The first held-out picture that can be used, or the first training one; none where no picture
  // can be decoded any more.
  std::optional<Photograph> first_photograph() const;

  // What a report needs, as far as the trainer knows it; the caller adds the evaluations.
  RunReport report() const;

  bool divides_towers() const { return apart_ != nullptr; }  // between two ranks

  // What this rank sends in a step; empty where it has nobody to send to.
  std::vector<Traffic> traffic() const;
  ParallelStep::Travel travel() const;  // what that took

  Module& model() { return *model_; }
  const Module& model() const { return *model_; }
  const Dataset& dataset() const { return data_; }
  // All that takes no part, as far as it is known: what the folder holds besides the set, then the
  // training and held-out images that could not be used. Before the first step up to 10,000 images
  // of each were tried; the others are tried when an epoch comes to them.
  std::vector<Skipped> skipped() const;
  std::int64_t usable_train() const;  // of dataset().train, as far as it is known
  std::int64_t usable_test() const;
  const TrainConfig& config() const { return config_; }
  std::int64_t epoch() const { return progress_.epoch; }  // the one in work, from 0
  std::int64_t batch() const { return progress_.batch; }  // of it, the next one, from 0
  std::int64_t step() const { return progress_.step; }    // so many were made
  // Bytes of decoded pictures that are kept now, and the most that can be.
  std::size_t cached_bytes() const { return train_images_->bytes() + test_images_->bytes(); }
  std::size_t cache_limit() const { return train_images_->limit() + test_images_->limit(); }
  const PixelStatistics& pixels() const { return pixels_; }  // of the training pictures
  std::filesystem::path checkpoint_path() const { return options_.out / "checkpoint.safetensors"; }
  void save() const;

 private:
  void prepare_folder() const;
  void check_space() const;
  void make_loader();
  bool train_epochs();
  bool stopping() const;
  // Of a batch of all ranks; `mine` is this rank's part. No images: no step was made.
  ParallelStep::Result train_step(const Batch& mine, double rate);
  ParallelStep::Result step_alone(const Batch& batch);
  AlexNetTowers* towers_in_ranks() const;
  void share_towers();
  bool leads() const { return !options_.ranks || options_.ranks->rank() == 0; }
  void compare_settings() const;
  void compare_ranks() const;
  std::uint64_t weights_hash() const;
  void share_place();
  void gather_skipped();
  void evaluate_together(EpochRecord& record);
  bool lead_says(bool yes);
  bool any_rank_says(bool yes);
  std::string checkpoint_state() const;  // for messages: what is left when training fails
  [[noreturn]] void explain_nan(const Batch& batch, double loss);
  void finish_epoch();
  PixelStatistics try_images();
  void check_classes() const;
  void note_skipped(const Evaluation& test);
  void load_progress(const SafetensorsFile& file, const std::string& text, std::int64_t epochs);
  void load_run(const std::filesystem::path& path);
  void begin_with(const std::filesystem::path& file);

  TrainConfig config_;
  TrainerOptions options_;
  Backend& backend_;
  Dataset data_;
  PixelStatistics pixels_;  // without the mean image, which normalization_ has
  Normalization normalization_;
  std::shared_ptr<ImageCache> train_images_;
  std::shared_ptr<ImageCache> test_images_;  // decoded once, seen after every epoch
  std::map<std::int64_t, Skipped> train_skipped_, test_skipped_;  // by index
  std::uint64_t train_print_ = 0, test_print_ = 0;                // fingerprints of the set's parts
  std::unique_ptr<Loader> loader_;
  std::shared_ptr<Module> model_;
  std::optional<InitialWeights> initial_weights_;
  std::vector<std::string> frozen_;
  std::string longer_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Alone> alone_;            // who it talks to where there are no ranks
  std::unique_ptr<ParallelStep> parallel_;  // null: batches are not cut
  AlexNetTowers* apart_ = nullptr;          // the network, where each of two ranks has a tower
  std::uint64_t values_apart_ = 0, gradients_apart_ = 0;  // bytes that it sent the other tower
  std::int64_t steps_apart_ = 0;                          // ... in so many steps
  std::int64_t batches_ = 0;                              // per epoch
  RunProgress progress_;
};

// The weights of the first convolution [K, C, fh, fw]; undefined where there is none.
Tensor first_filters(const Module& model);

// The part of a report that follows from settings, network and course of a run; `device` is a name.
// The caller adds what needs the pictures.
RunReport report_of(const TrainConfig& config, const std::vector<std::string>& classes,
                    const Module& model, const RunProgress& progress, const std::string& device);

// The network that the configuration asks for; its weights are still to be set.
std::shared_ptr<Module> build_model(const TrainConfig& config, std::int64_t classes,
                                    Backend& backend, DType dtype = DType::f32);
// The same with the weights that its run begins with: they follow from the recipe and the seed.
std::shared_ptr<Module> initial_model(const TrainConfig& config, std::int64_t classes,
                                      Backend& backend);

// Where a forward pass of x first leaves the finite numbers, in words: a parameter, or a layer's
// output; "the loss itself" where all of both are finite.
std::string first_not_finite(Module& model, const Tensor& x);

}  // namespace limulus
