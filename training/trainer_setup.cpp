// Before the first step: the data, the network, and whether a checkpoint can be written.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/atomic_file.h"
#include "models/description.h"
#include "models/models.h"
#include "training/freeze.h"
#include "training/trainer.h"

namespace limulus {
namespace {

Dataset open_data(const TrainConfig& config) {
  check(config);
  DatasetOptions options;
  options.strict = config.strict;
  options.layout = parse_layout(config.layout);
  options.test_folder = config.test_folder;
  return open_dataset(config.data, options);
}

// The cache's bytes for training and held-out pictures, by their number: each of them is seen once
// in an epoch.
std::pair<std::size_t, std::size_t> divided(std::size_t bytes, std::int64_t train,
                                            std::int64_t test) {
  const double share =
      static_cast<double>(test) / static_cast<double>(std::max<std::int64_t>(1, train + test));
  const auto for_test = static_cast<std::size_t>(static_cast<double>(bytes) * share);
  return {bytes - for_test, for_test};
}

// A checkpoint keeps names as JSON, which is UTF-8; its writer is asked.
bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

std::shared_ptr<Module> build_model(const TrainConfig& c, std::int64_t classes, Backend& backend,
                                    DType dtype) {
  if (!c.network.empty()) {
    if (devices(c.device).size() > 1)
      throw DeviceError(fmt::format(
          "{} lives on one device, and was given two; alexnet-towers takes two", c.model));
    return network_from(c.network, classes, backend, dtype).network;
  }
  ModelOptions options;
  options.dropout = c.dropout;
  options.batch_norm = c.batch_norm;
  if (const auto all = devices(c.device); all.size() > 1) options.second = all[1];
  return make_model(c.model, classes, backend, dtype, options);
}

std::shared_ptr<Module> initial_model(const TrainConfig& c, std::int64_t classes,
                                      Backend& backend) {
  auto model = build_model(c, classes, backend);
  initialize(*model, c.recipe == "default" ? Recipe::he : recipe_from(c.recipe), c.seed);
  return model;
}

Trainer::Trainer(TrainConfig config, TrainerOptions options)
    : config_(std::move(config)),
      options_(std::move(options)),
      backend_(*devices(config_.device).front()),
      data_(open_data(config_)) {
  if (options_.ranks) compare_settings();
  prepare_folder();
  train_print_ = fingerprint(data_.train, data_.classes);
  test_print_ = fingerprint(data_.test, data_.classes);
  const int crop = config_.augment.crop;
  const auto [train_bytes, test_bytes] =
      divided(options_.cache_bytes, data_.train.size(), data_.test.size());
  train_images_ = std::make_shared<ImageCache>(data_.train, config_.prepare, train_bytes, crop);
  test_images_ = std::make_shared<ImageCache>(data_.test, config_.prepare, test_bytes, crop);
  pixels_ = try_images();
  normalization_ = make_normalization(pixels_, config_.pixel_scale, config_.subtract_mean_image);
  pixels_.mean_image.clear();

  model_ = initial_model(config_, static_cast<std::int64_t>(data_.classes.size()), backend_);
  model_->walk({config_.batch, config_.augment.channels, config_.augment.crop,
                config_.augment.crop});  // a size that does not fit is an error here, not in step 1
  if (!options_.init.empty()) begin_with(options_.init);
  if (!config_.freeze.empty()) frozen_ = frozen_layers(*model_, config_.freeze);
  config_.freeze = frozen_text(frozen_);
  freeze_layers(*model_, frozen_);
  optimizer_ = std::make_unique<Sgd>(trained_parameters(*model_), config_.sgd);
  check_space();
  apart_ = towers_in_ranks();
  if (apart_ == nullptr &&
      (config_.micro_batches > 1 || config_.exchange != Exchange::gradients || options_.ranks)) {
    if (!options_.ranks) alone_ = std::make_unique<Alone>();
    parallel_ = std::make_unique<ParallelStep>(*model_, backend_,
                                               options_.ranks ? *options_.ranks : *alone_, config_);
  }

  make_loader();
  batches_ = loader_->batches();
  schedule_ =
      std::make_unique<Schedule>(config_.sgd.lr, config_.schedule, config_.epochs * batches_);
}

Trainer::~Trainer() = default;

// A network that learned from pixels of another mean and scale would see other pictures: those of
// its checkpoint are kept. A mean image cannot be (it does not zoom, and has a size): its colour
// is. The axes of the colour noise stay those of this run's pictures.
void Trainer::begin_with(const std::filesystem::path& file) {
  initial_weights_ = start_from(file, config_.model, *model_, data_.classes);
  config_.init = file.string();
  if (!initial_weights_->normalization) return;
  normalization_.mean = initial_weights_->normalization->mean;
  normalization_.scale = initial_weights_->normalization->scale;
}

void Trainer::make_loader() {
  LoaderOptions loading;
  loading.batch = config_.batch;
  loading.workers = options_.workers;
  loading.seed = config_.seed;
  loading.shuffle_buffer = config_.shuffle_buffer;
  loading.strict = config_.strict;
  if (parallel_) {
    loading.pieces = config_.micro_batches;
    loading.first_piece = parallel_->share().begin;
    loading.end_piece = parallel_->share().end;
  }
  loader_ = std::make_unique<Loader>(train_images_, config_.augment, normalization_, loading);
}

// A checkpoint holds each weight and its velocity, and is written beside the one before it.
void Trainer::check_space() const {
  if (!leads()) return;
  std::uintmax_t needed = 0;
  for (const auto& [name, w] : model_->parameters()) needed += w.bytes();
  for (const auto& [name, v] : optimizer_->velocities()) needed += v.bytes();
  std::error_code unknown;
  const auto space = std::filesystem::space(options_.out, unknown);
  if (!unknown && space.available < needed)
    throw FileError(fmt::format(
        "{}: a checkpoint needs {:.1f} MB, and the disk has {:.1f} MB left; make room, or choose "
        "another folder with --out",
        options_.out.string(), static_cast<double>(needed) / 1e6,
        static_cast<double>(space.available) / 1e6));
}

// What would make the first checkpoint fail is an error now, not after an hour of training.
void Trainer::prepare_folder() const {
  if (!leads()) return;
  std::error_code error;
  std::filesystem::create_directories(options_.out, error);
  if (error)
    throw FileError(fmt::format(
        "{}: cannot make this folder for the checkpoint: {}; choose another one with --out",
        options_.out.string(), error.message()));
  for (const char* name :
       {"checkpoint.safetensors", "checkpoint.safetensors.previous", "report.html"}) {
    const auto status = std::filesystem::status(options_.out / name, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      throw FileError(fmt::format(
          "{}: is {}, but a file must be written there; move it away or choose another --out",
          (options_.out / name).string(),
          std::filesystem::is_directory(status) ? "a folder" : "not a regular file"));
  }
  const AtomicFile writable(checkpoint_path());  // never committed: it leaves nothing behind
  for (const std::string& name : data_.classes)
    if (!is_utf8(name))
      throw FileError(
          fmt::format("{}: the class folder \"{}\" has a name that is not UTF-8; rename it",
                      config_.data, name));
  if (!is_utf8(config_.test_folder))
    throw FileError(
        fmt::format("{}: this folder's name is not UTF-8; rename it", config_.test_folder));
  if (!is_utf8(options_.init.string()))
    throw FileError(fmt::format("{}: this path is not UTF-8; rename it", options_.init.string()));
  if (!is_utf8(config_.data))
    throw FileError(fmt::format("{}: this path is not UTF-8; rename the folder", config_.data));
}

}  // namespace limulus
