// What the ranks of a run say to each other besides gradients (parallel_step.h): whether they fit
// together, where a resumed run goes on, what rank 0 saw in the held-out images.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "backends/cpu/cpu_backend.h"
#include "core/environment.h"
#include "core/error.h"
#include "models/alexnet_towers.h"
#include "training/evaluate.h"
#include "training/provenance.h"
#include "training/trainer.h"

namespace limulus {
namespace {

using Json = nlohmann::json;

// FNV-1a, eight bytes at a time.
std::uint64_t hash_of(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::string hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

template <class T>
void broadcast_value(Communicator& ranks, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  ranks.broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
}

// Where a run goes on, but for its history, which rank 0 alone writes.
struct Place {
  std::int64_t step, epoch, batch, epoch_images;
  double epoch_loss, epoch_right;
  Schedule::State schedule;
  std::array<float, 3> mean, scale;
  std::array<std::array<float, 3>, 3> colour_axes;
  int mean_side;
};

}  // namespace

// ---- do they fit together? --------------------------------------------------------------------

// Each rank computes the same update from the same gradients, and nobody sends weights. So whatever
// could make two of them compute something else must be the same, the order of additions in the
// kernels included.
void Trainer::compare_settings() const {
  std::vector<Common> terms;
  for (const auto& [what, value] : build_provenance())
    if (what == "limulus" || what == "compiler" || what == "flags")
      terms.push_back({"the program (" + what + ")", value});
  terms.push_back({"the instruction set of its kernels", cpu_instruction_set()});
  for (const char* variable : {"LIMULUS_CONV", "LIMULUS_FUSE"}) {
    const std::string value = environment::value(variable);
    terms.push_back({variable, value.empty() ? "not set" : value});
  }
  Json settings = Json::parse(config_.to_json());
  for (const char* of_the_machine : {"data", "init"}) settings.erase(of_the_machine);
  for (const auto& [key, value] : settings.items())
    terms.push_back({fmt::format("the setting \"{}\"", key), value.dump()});
  agree(*options_.ranks, terms);
}

void Trainer::compare_ranks() const {
  std::uint64_t pixels = hash_of(std::as_bytes(std::span(normalization_.mean)));
  pixels = hash_of(std::as_bytes(std::span(normalization_.scale)), pixels);
  pixels = hash_of(std::as_bytes(std::span(normalization_.mean_image)), pixels);
  pixels = hash_of(std::as_bytes(std::span(normalization_.colour_axes)), pixels);
  std::vector<std::int64_t> labels;  // a set in one file has no fingerprint of its files
  for (std::int64_t i = 0; i < data_.train.size(); ++i) labels.push_back(data_.train.label(i));
  agree(*options_.ranks,
        {{"the number of training images", std::to_string(data_.train.size())},
         {"the fingerprint of the training images", hex(train_print_)},
         {"the fingerprint of their labels", hex(hash_of(std::as_bytes(std::span(labels))))},
         {"the fingerprint of the held-out images", hex(test_print_)},
         {"the fingerprint of the pixels' mean", hex(pixels)},
         {"the next step", std::to_string(progress_.step + 1)},
         {"the fingerprint of the weights", hex(weights_hash())}});
}

std::uint64_t Trainer::weights_hash() const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& tensors : {model_->parameters(), optimizer_->velocities()})
    for (const auto& [name, t] : tensors) {
      const std::vector<float> values = t.to_vector<float>();
      hash = hash_of(std::as_bytes(std::span(values)), hash);
    }
  return hash;
}

// ---- a tower in each of two ranks ---------------------------------------------------------------

// The network, if two ranks are to divide it and not the batch; else null.
AlexNetTowers* Trainer::towers_in_ranks() const {
  auto* towers = dynamic_cast<AlexNetTowers*>(model_.get());
  if (towers == nullptr || !options_.ranks || options_.ranks->size() != 2 ||
      config_.micro_batches > 1 || config_.exchange != Exchange::gradients)
    return nullptr;
  check_memory(backend_);
  if (!frozen_.empty())
    throw ValueError(fmt::format(
        "train: two ranks with a tower each train all layers, and {} is not to be trained; leave "
        "out --freeze, or divide the batch: --micro-batches 2",
        frozen_.front()));
  return towers;
}

// Each rank has trained its tower, and gets the other's weights: before they are saved, or looked
// at, as rank 0 alone does both.
void Trainer::share_towers() {
  if (apart_ == nullptr) return;
  const NoGrad setting_on_purpose;
  for (const auto& tensors : {model_->parameters(), optimizer_->velocities()})
    for (auto [name, t] : tensors)
      options_.ranks->broadcast(std::as_writable_bytes(t.mutable_values<float>()),
                                name.starts_with("tower0.") ? 0 : 1);
}

// ---- what rank 0 knows ------------------------------------------------------------------------

// The checkpoint is read by rank 0: on other machines there need not be one.
void Trainer::share_place() {
  Communicator& ranks = *options_.ranks;
  RunProgress& p = progress_;
  Normalization& n = normalization_;
  Place place{p.step,           p.epoch, p.batch, p.epoch_images, p.epoch_loss, p.epoch_right,
              schedule_->state, n.mean,  n.scale, n.colour_axes,  n.mean_side};
  broadcast_value(ranks, place);
  p.step = place.step, p.epoch = place.epoch, p.batch = place.batch;
  p.epoch_images = place.epoch_images;
  p.epoch_loss = place.epoch_loss, p.epoch_right = place.epoch_right;
  schedule_->state = place.schedule;
  n.mean = place.mean, n.scale = place.scale, n.colour_axes = place.colour_axes;
  n.mean_side = place.mean_side;
  n.mean_image.resize(
      n.mean_image.empty() && n.mean_side == 0 ? 0 : std::size_t{3} * n.mean_side * n.mean_side);
  ranks.broadcast(std::as_writable_bytes(std::span(n.mean_image)), 0);
  const NoGrad setting_on_purpose;
  for (const auto& tensors : {model_->parameters(), model_->buffers(), optimizer_->velocities()})
    for (auto [name, t] : tensors)
      ranks.broadcast(std::as_writable_bytes(t.mutable_values<float>()), 0);
}

// What rank 0 says holds for all of them.
bool Trainer::lead_says(bool yes) {
  if (options_.ranks) broadcast_value(*options_.ranks, yes);
  return yes;
}

bool Trainer::any_rank_says(bool yes) {
  const auto all = gather(*options_.ranks, std::vector<std::uint8_t>{yes});
  return std::find(all.begin(), all.end(), 1) != all.end();
}

// Rank 0 looks at the held-out images; what it has seen decides the rates of all.
void Trainer::evaluate_together(EpochRecord& record) {
  bool stopped = false;
  if (leads()) {
    try {
      const Evaluation test = evaluate(false);
      record.test_loss = test.loss;
      record.test_top1 = test.metrics.top1();
      record.test_top5 = test.metrics.top5();
    } catch (const Stopped&) {
      stopped = true;
    }
  }
  if (lead_says(stopped)) throw Stopped("train: stopped while rank 0 looked at held-out images");
  if (!options_.ranks) return;
  broadcast_value(*options_.ranks, record.test_loss);
  broadcast_value(*options_.ranks, record.test_top1);
  broadcast_value(*options_.ranks, record.test_top5);
  gather_skipped();
  agree(*options_.ranks, {{"the fingerprint of the weights after an epoch", hex(weights_hash())}});
}

// Each rank has decoded its share of the images, and knows which of those cannot be used.
void Trainer::gather_skipped() {
  train_skipped_ = loader_->skipped();
  Json mine = Json::array();
  for (const auto& [index, skip] : train_skipped_)
    mine.push_back({index, skip.name, skip.reason, static_cast<int>(skip.rule)});
  const auto any_name = Json::error_handler_t::replace;  // also one that is not UTF-8
  for (const std::string& text : gather_texts(*options_.ranks, mine.dump(-1, ' ', false, any_name)))
    for (const Json& skip : Json::parse(text))
      train_skipped_.try_emplace(
          skip[0].get<std::int64_t>(),
          Skipped{skip[1], skip[2], static_cast<SkipRule>(skip[3].get<int>())});
}

ParallelStep::Travel Trainer::travel() const {
  return parallel_ ? parallel_->travel() : ParallelStep::Travel{};
}

std::vector<Traffic> Trainer::traffic() const {
  if (apart_ != nullptr && steps_apart_ > 0) {
    const auto steps = static_cast<double>(steps_apart_);
    return {{"the other tower", "values", static_cast<double>(values_apart_) / steps},
            {"the other tower", "gradients", static_cast<double>(gradients_apart_) / steps}};
  }
  return parallel_ && options_.ranks ? parallel_->traffic() : std::vector<Traffic>{};
}

}  // namespace limulus
