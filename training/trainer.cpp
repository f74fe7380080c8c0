#include "training/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/cross_entropy.h"
#include "layers/pad2d.h"
#include "models/alexnet_towers.h"
#include "training/data/statistics.h"
#include "training/evaluate.h"
#include "training/provenance.h"

namespace limulus {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Tensor images_of(const Batch& batch, Backend& backend) {
  return Tensor::from(batch.images,
                      {batch.size * batch.views, batch.channels, batch.side, batch.side}, backend);
}

std::int64_t count_right(const std::vector<float>& logits, const std::vector<std::int64_t>& labels,
                         std::int64_t classes) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    right +=
        top_k(logits.data() + static_cast<std::int64_t>(i) * classes, classes, 1)[0] == labels[i];
  return right;
}

bool is_file(const std::filesystem::path& path) {
  std::error_code unknown;
  return std::filesystem::is_regular_file(path, unknown);
}

// For the length of a step.
class TowersApart {
 public:
  TowersApart(AlexNetTowers* towers, Communicator* ranks) : towers_(towers) {
    if (towers_ != nullptr) towers_->live_apart(ranks);
  }
  ~TowersApart() {
    if (towers_ != nullptr) towers_->live_apart(nullptr);
  }
  TowersApart(const TowersApart&) = delete;
  TowersApart& operator=(const TowersApart&) = delete;

 private:
  AlexNetTowers* towers_;
};

bool all_finite(const Tensor& t) {
  const std::vector<float> values = t.to_vector<float>();
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

// ---- one step -------------------------------------------------------------------------------

// A loss that is not a number is given back before it does damage: no step is made.
ParallelStep::Result Trainer::train_step(const Batch& mine, double rate) {
  optimizer_->set_lr(rate);
  const auto step = static_cast<std::uint64_t>(progress_.step);
  const ParallelStep::Result result =
      parallel_ ? parallel_->run(mine, step, stopping()) : step_alone(mine);
  if (!std::isfinite(result.loss) || result.images == 0) return result;
  optimizer_->step();
  optimizer_->zero_grad();
  return result;
}

// Of the whole batch: by this process alone, or by two ranks that have a tower each.
ParallelStep::Result Trainer::step_alone(const Batch& batch) {
  ParallelStep::Result result{.images = batch.size};
  const TowersApart apart(apart_, options_.ranks.get());
  const auto sent = [this] { return apart_ != nullptr ? options_.ranks->bytes_sent() : 0; };
  const std::uint64_t before = sent();
  const Tensor x = images_of(batch, backend_);
  const Tensor labels = Tensor::from(batch.labels, {batch.size}, backend_);
  model_->set_random(config_.seed, static_cast<std::uint64_t>(progress_.step));

  const Tensor logits = model_->forward(x);
  const std::uint64_t between = sent();
  const Tensor loss = cross_entropy(logits, labels);
  result.loss = loss.item();
  if (!std::isfinite(result.loss)) return result;
  result.right =
      static_cast<double>(count_right(logits.to_vector<float>(), batch.labels, logits.size(1)));
  loss.backward();
  values_apart_ += between - before;
  gradients_apart_ += sent() - between;
  ++steps_apart_;
  return result;
}

std::string first_not_finite(Module& model, const Tensor& x) {
  for (const auto& [name, w] : model.parameters())
    if (!all_finite(w)) return fmt::format("{} (the step before made it infinite)", name);
  std::set<std::string>
      borders;  // minus infinity stands around what a max pooling reads, on purpose
  model.visit([&](const std::string& name, Module& m) {
    if (dynamic_cast<const Pad2d*>(&m) != nullptr) borders.insert(name);
  });
  std::string where = "the loss itself";
  bool found = false;
  const NoGrad looking_only;
  const LayerObserver observe([&](const std::string& name, const Tensor& y) {
    if (found || borders.contains(name) || all_finite(y)) return;
    found = true;
    where = "the output of layer " + name;
  });
  model.forward(x);
  return where;
}

void Trainer::explain_nan(const Batch& batch, double loss) {
  share_towers();
  const std::string unknown = "the loss itself";
  std::string where =
      batch.size == 0 ? unknown : first_not_finite(*model_, images_of(batch, backend_));
  if (options_.ranks)  // the first that has found the place
    for (const std::string& found : gather_texts(*options_.ranks, where))
      if (where == unknown) where = found;
  const std::string message = fmt::format(
      "train: the loss became {} in step {} (epoch {}); the first value that is not a number is in "
      "{}. The learning rate {:g} is probably too high: try --lr {:g}, or --recipe default. If "
      "that "
      "changes nothing, LIMULUS_CONV=direct in the environment tells whether Winograd's "
      "convolutions "
      "are the reason (docs/performance/winograd.md). {}",
      loss, progress_.step + 1, progress_.epoch + 1, where, optimizer_->options().lr,
      optimizer_->options().lr / 4, checkpoint_state());
  throw LossError(message, loss);
}

std::string Trainer::checkpoint_state() const {
  return is_file(checkpoint_path()) ? checkpoint_path().string() + " was not touched."
                                    : std::string("There is no checkpoint of this run yet.");
}

// ---- the loop -------------------------------------------------------------------------------

bool Trainer::run() {
  if (options_.ranks) compare_ranks();
  try {
    return train_epochs();
  } catch (const DeviceError& error) {  // its weights cannot be read any more
    throw DeviceError(
        fmt::format("train: step {} (epoch {}): {}. {}{}", progress_.step + 1, progress_.epoch + 1,
                    error.what(), checkpoint_state(),
                    is_file(checkpoint_path()) ? " The same command with --resume goes on." : ""));
  }
}

bool Trainer::train_epochs() {
  Batch batch;
  auto saved_at = Clock::now();
  double sitting_seconds = 0;
  std::int64_t sitting_images = 0;
  model_->train();
  while (progress_.epoch < config_.epochs) {
    loader_->start(progress_.epoch, progress_.batch);
    for (;;) {
      const auto started = Clock::now();
      if (!loader_->next(batch)) break;
      const double waited = seconds_since(started);
      const ParallelStep::Result made = train_step(batch, schedule_->rate(progress_.step));
      if (made.images == 0) continue;  // no rank has an image that can be used
      const double loss = made.loss;
      if (!std::isfinite(loss)) explain_nan(batch, loss);
      const double seconds = seconds_since(started);

      RunProgress& p = progress_;
      ++p.step;
      p.batch = batch.index + 1;
      p.epoch_loss += loss * static_cast<double>(made.images);
      p.epoch_right += made.right;
      p.epoch_images += made.images;
      p.epoch_seconds += seconds;
      p.epoch_waiting += waited;
      p.step_losses.push_back(static_cast<float>(loss));
      sitting_seconds += seconds;
      sitting_images += made.images;

      if (options_.on_step) {
        StepInfo info;
        info.epoch = p.epoch + 1;
        info.epochs = config_.epochs;
        info.batch = p.batch;
        info.batches = batches_;
        info.step = p.step;
        info.loss = loss;
        info.mean_loss = p.epoch_loss / static_cast<double>(p.epoch_images);
        info.mean_top1 = p.epoch_right / static_cast<double>(p.epoch_images);
        info.images_per_second = static_cast<double>(sitting_images) / sitting_seconds;
        const auto left = (config_.epochs - p.epoch) * usable_train() - p.epoch_images;
        info.seconds_left = static_cast<double>(left) / info.images_per_second;
        info.lr = optimizer_->options().lr;
        options_.on_step(info);
      }
      // Ranks stop behind the same step, as one of them was told to before it. Those with a tower
      // each ask one another here, as both are needed for a checkpoint.
      const bool stop = parallel_           ? made.stop
                        : apart_ != nullptr ? any_rank_says(stopping())
                                            : stopping();
      bool due = seconds_since(saved_at) > options_.checkpoint_seconds;
      if (apart_ != nullptr) due = lead_says(due);
      if (stop || due) {
        share_towers();
        save();
        saved_at = Clock::now();
        // Told so while it was saving.
        if (stop || (!parallel_ && apart_ == nullptr && stopping())) return false;
      }
    }
    bool stop = false;
    try {
      finish_epoch();
    } catch (const Stopped&) {  // while it looked at the held-out images, which --resume does again
      stop = true;
    }
    if (lead_says(stop)) {
      save();
      return false;
    }
    if (lead_says(stopping())) break;
  }
  save();
  return progress_.epoch >= config_.epochs;
}

bool Trainer::stopping() const { return options_.stop != nullptr && options_.stop->load(); }

void Trainer::finish_epoch() {
  RunProgress& p = progress_;
  if (p.epoch_images == 0) {
    const auto skipped = loader_->skipped();
    throw FileError(fmt::format(
        "train: none of the {} training images in {} can be used{}", data_.train.size(),
        config_.data, skipped.empty() ? "" : "; the first is " + text_of(skipped.begin()->second)));
  }
  share_towers();
  const auto images = static_cast<double>(p.epoch_images);
  EpochRecord record;
  record.epoch = p.epoch + 1;
  record.train_loss = p.epoch_loss / images;
  record.train_top1 = p.epoch_right / images;
  record.seconds = p.epoch_seconds;
  record.images_per_second = images / p.epoch_seconds;
  record.waiting = p.epoch_waiting / p.epoch_seconds;
  record.lr = schedule_->rate(p.step - 1);  // of the last step, which another sitting may have made
  evaluate_together(record);
  check_classes();
  if (std::isfinite(record.test_top1)) schedule_->after_epoch(1 - record.test_top1);

  p.epochs.push_back(record);
  ++p.epoch;
  p.batch = 0;
  p.epoch_loss = p.epoch_right = p.epoch_seconds = p.epoch_waiting = 0;
  p.epoch_images = 0;
  if (options_.on_epoch) options_.on_epoch(record);
}

Evaluation Trainer::evaluate(bool ten_crop, int worst) {
  Evaluation seen = evaluate_set(*model_, backend_, config_, normalization_, test_images_,
                                 static_cast<std::int64_t>(data_.classes.size()), ten_crop, worst,
                                 options_.workers, {.stop = options_.stop});
  note_skipped(seen);
  return seen;
}

std::vector<LayerTime> Trainer::profile() {
  Batch batch;
  loader_->start(0, 0);
  if (!loader_->next(batch)) return {};
  // Timing must not change the network, but a training pass moves BatchNorm's statistics.
  std::vector<std::pair<Tensor, Tensor>> before;
  for (const auto& [name, buffer] : model_->buffers()) before.emplace_back(buffer, buffer.clone());
  const bool training = model_->training();
  model_->train();
  const Tensor x = images_of(batch, backend_);
  const Tensor labels = Tensor::from(batch.labels, {batch.size}, backend_);
  std::vector<LayerTime> times;
  for (int round = 0; round < 2; ++round) {  // the first warms caches and the allocator
    const Profile profile;
    cross_entropy(model_->forward(x), labels).backward();
    times = profile.layers();
    optimizer_->zero_grad();
  }
  for (auto& [buffer, values] : before) buffer.copy_(values);
  model_->train(training);
  return times;
}

// ---- results --------------------------------------------------------------------------------

Tensor first_filters(const Module& model) {
  for (const auto& [name, w] : model.parameters())
    if (w.shape().rank() == 4) return w.detach();
  return {};
}

RunReport report_of(const TrainConfig& config, const std::vector<std::string>& classes,
                    const Module& model, const RunProgress& progress, const std::string& device) {
  RunReport r;
  r.config = config;
  r.classes = classes;
  const Augment& input = config.augment;
  r.walk = model.walk({config.batch, input.channels, input.crop, input.crop});
  r.step_losses = progress.step_losses;
  r.epochs = progress.epochs;
  r.finished = progress.epoch >= config.epochs;
  r.epochs_done = progress.epoch;
  r.filters = first_filters(model);
  r.provenance = build_provenance();
  r.provenance.insert(r.provenance.begin(),
                      {{"seed", std::to_string(config.seed)}, {"device", description_of(device)}});
  return r;
}

RunReport Trainer::report() const {
  RunReport r = report_of(config_, data_.classes, *model_, progress_, config_.device);
  r.layout = data_.how_read();
  r.train_images = data_.train.size();
  r.held_out = data_.test.size();
  r.skipped = skipped();
  return r;
}

}  // namespace limulus
