// Held-out images through a network: centre crop, or the paper's ten crops (section 4.1): the four
// corners and the middle, and their mirror images; the ten predictions are averaged.
#include "training/evaluate.h"

#include <algorithm>
#include <cmath>

#include "core/algebra.h"
#include "core/error.h"
#include "layers/softmax.h"
#include "training/data/loader.h"

namespace limulus {
namespace {

Augment without_chance(Augment augment, bool ten_crop) {
  augment.random = false;
  augment.ten_crop = ten_crop;
  return augment;
}

// logits [n * views, classes] -> the mean over the views of softmax(logits): [n, classes]
std::vector<float> mean_probabilities(const Tensor& logits, std::int64_t n, std::int64_t views) {
  const Tensor p = softmax(logits);
  const std::int64_t classes = logits.size(1);
  auto result = mean(reshape(p, {n, views, classes}), 1).to_vector<float>();
  for (const float value : result)
    if (!std::isfinite(value))
      throw ValueError(
          "evaluate: the network's output is not a number; its weights, or the mean and scale of "
          "the pixels in its checkpoint, are damaged or from a training that diverged: go back to "
          "an earlier checkpoint");
  return result;
}

}  // namespace

Evaluation evaluate_set(Module& model, Backend& backend, const TrainConfig& config,
                        const Normalization& normalization,
                        const std::shared_ptr<ImageCache>& images, std::int64_t classes,
                        bool ten_crop, int worst, int workers, const EvaluationWatch& watch) {
  const NoGrad not_learning;
  const EvalMode mode(model);
  LoaderOptions loading;
  loading.batch = ten_crop ? std::max<std::int64_t>(1, config.batch / 8) : config.batch;
  loading.shuffle = false;
  loading.workers = workers;
  loading.strict = config.strict;
  Loader loader(images, without_chance(config.augment, ten_crop), normalization, loading);

  struct Miss {
    std::int64_t source;
    Mistake mistake;  // its name and image follow for those that are kept
  };
  std::vector<Miss> misses;
  Evaluation result;
  result.metrics = Metrics(classes);
  Batch batch;
  loader.start(0);
  while (loader.next(batch)) {
    if (watch.stop != nullptr && watch.stop->load()) {
      if (!watch.keep_partial)
        throw Stopped("evaluate: stopped before the last of the held-out images");
      result.partial = true;
      break;
    }
    const Tensor x = Tensor::from(
        batch.images, {batch.size * batch.views, batch.channels, batch.side, batch.side}, backend);
    const std::vector<float> p = mean_probabilities(model.forward(x), batch.size, batch.views);
    result.metrics.add(p.data(), batch.labels.data(), batch.size);
    if (watch.on_images)
      watch.on_images(std::min((batch.index + 1) * loading.batch, images->size()), images->size());
    for (std::int64_t i = 0; i < batch.size; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const float* row = p.data() + i * classes;
      const std::int64_t guess = top_k(row, classes, 1)[0], truth = batch.labels[at];
      const double loss = -std::log(std::max(1e-30, static_cast<double>(row[truth])));
      result.loss += loss;
      result.guesses.push_back({batch.sources[at], guess, row[guess]});
      if (guess != truth)
        misses.push_back({batch.sources[at], {"", truth, guess, row[guess], loss, {}}});
    }
  }
  result.loss /= static_cast<double>(result.metrics.count());  // 0/0, of nothing, is NaN
  result.images = images->size();
  result.skipped = loader.skipped();

  std::stable_sort(misses.begin(), misses.end(),
                   [](const Miss& a, const Miss& b) { return a.mistake.loss > b.mistake.loss; });
  if (misses.size() > static_cast<std::size_t>(worst))
    misses.resize(static_cast<std::size_t>(worst));
  for (Miss& miss : misses) {
    miss.mistake.name = images->set().name(miss.source);
    try {
      miss.mistake.image = *images->get(miss.source);
    } catch (const FileError&) {  // it was there a moment ago; the mistake is still listed
    }
    result.worst.push_back(std::move(miss.mistake));
  }
  return result;
}

std::vector<float> classify(const TrainedModel& trained, const Image& image, bool ten_crop) {
  const NoGrad not_learning;
  const Augment augment_options = without_chance(trained.config.augment, ten_crop);
  check(augment_options, trained.normalization);
  const std::int64_t n = views(augment_options), side = augment_options.crop,
                     channels = augment_options.channels;
  std::vector<float> pixels(static_cast<std::size_t>(n * channels * side * side));
  augment(prepare(image, trained.config.prepare), {}, augment_options, trained.normalization,
          pixels.data());
  Backend& backend = trained.model->parameters().at(0).second.backend();
  const Tensor x = Tensor::from(pixels, {n, channels, side, side}, backend);
  return mean_probabilities(trained.model->forward(x), 1, n);
}

}  // namespace limulus
