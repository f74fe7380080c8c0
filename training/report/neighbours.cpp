#include "training/report/neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "layers/activation.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "training/data/loader.h"
#include "training/data/resize.h"
#include "training/report/look.h"

namespace limulus {
namespace {

struct Body {  // the layers before the last fully connected one
  std::vector<SeenLayer> layers;
  HiddenLayer hidden;
};

bool passes_on(const Module& m) {
  return dynamic_cast<const ReLU*>(&m) != nullptr || dynamic_cast<const Dropout*>(&m) != nullptr ||
         dynamic_cast<const Flatten*>(&m) != nullptr;
}

Body body_of(const TrainedModel& trained) {
  Body body;
  body.layers = layers_of(*trained.model);
  while (!body.layers.empty() && dynamic_cast<const Linear*>(body.layers.back().module) == nullptr)
    body.layers.pop_back();
  if (body.layers.size() < 2)
    throw ValueError(
        fmt::format("look: {} has no hidden layer: nothing stands before its fully connected layer",
                    trained.config.model));
  body.hidden.width = dynamic_cast<const Linear&>(*body.layers.back().module).weight.size(1);
  body.layers.pop_back();
  for (const SeenLayer& layer : body.layers)
    if (!passes_on(*layer.module)) body.hidden.name = layer.name;
  return body;
}

// x [N, C, S, S] -> [N, width]
Tensor through(const Body& body, Tensor x) {
  for (const SeenLayer& layer : body.layers) x = layer.module->forward(x);
  return x;
}

Tensor input_of(const TrainedModel& trained, const std::vector<float>& pixels, std::int64_t n) {
  const Augment& shown = trained.config.augment;
  const Tensor any = trained.model->parameters().at(0).second;
  const Tensor x = Tensor::from(pixels, {n, shown.channels, shown.crop, shown.crop}, any.backend());
  return any.dtype() == DType::f64 ? x.to_dtype(DType::f64) : x;
}

Augment middle_of(const TrainedModel& trained) {
  Augment shown = trained.config.augment;
  shown.random = shown.ten_crop = false;
  check(shown, trained.normalization);
  return shown;
}

}  // namespace

HiddenLayer last_hidden(const TrainedModel& trained) { return body_of(trained).hidden; }

std::vector<float> hidden_values(const TrainedModel& trained, const Image& photograph) {
  const NoGrad only_looking;
  const Augment shown = middle_of(trained);
  std::vector<float> pixels(static_cast<std::size_t>(shown.channels) * shown.crop * shown.crop);
  augment(prepare(photograph, trained.config.prepare), {}, shown, trained.normalization,
          pixels.data());
  return floats_of(through(body_of(trained), input_of(trained, pixels, 1)));
}

HiddenValues hidden_values(const TrainedModel& trained, const ImageSet& set, std::int64_t most,
                           int workers) {
  const NoGrad only_looking;
  const Body body = body_of(trained);
  const ImageSet chosen = evenly_spaced(set, most);
  HiddenValues found;
  found.layer = body.hidden;
  found.of = set.size();
  found.side = trained.config.augment.crop;
  found.images = std::make_shared<ImageCache>(chosen, trained.config.prepare, std::size_t{1} << 28,
                                              trained.config.augment.crop);
  LoaderOptions loading;
  loading.batch = std::clamp<std::int64_t>(trained.config.batch, 1, 64);
  loading.shuffle = false;
  loading.workers = workers;
  Loader loader(found.images, middle_of(trained), trained.normalization, loading);
  Batch batch;
  loader.start(0);
  while (loader.next(batch)) {
    const std::vector<float> values =
        floats_of(through(body, input_of(trained, batch.images, batch.size)));
    found.sources.insert(found.sources.end(), batch.sources.begin(), batch.sources.end());
    found.values.insert(found.values.end(), values.begin(), values.end());
  }
  if (found.sources.empty()) {
    const auto skipped = loader.skipped();
    throw FileError(
        fmt::format("none of the {} training images can be used{}", chosen.size(),
                    skipped.empty() ? "" : "; the first is " + text_of(skipped.begin()->second)));
  }
  return found;
}

Neighbours nearest(const HiddenValues& set, const std::vector<float>& values, int count) {
  const auto width = static_cast<std::size_t>(set.layer.width);
  if (values.size() != width)
    throw ShapeError(fmt::format("nearest: {} values, but {} has {}", values.size(), set.layer.name,
                                 set.layer.width));
  const std::size_t images = set.sources.size();
  std::vector<double> squares(images);
  for (std::size_t n = 0; n < images; ++n) {
    const float* other = set.values.data() + n * width;
    for (std::size_t i = 0; i < width; ++i) {
      const double off = double{values[i]} - other[i];
      squares[n] += off * off;
    }
    if (!std::isfinite(squares[n]))
      throw ValueError(
          fmt::format("look: {} gives values that are not numbers; the checkpoint is damaged, or "
                      "from a training that diverged",
                      set.layer.name));
  }
  std::vector<std::size_t> order(images);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return squares[a] < squares[b]; });
  order.resize(std::min<std::size_t>(images, static_cast<std::size_t>(std::max(0, count))));

  Neighbours found;
  found.missing.clear();
  found.layer = set.layer.name;
  found.width = set.layer.width;
  found.searched = static_cast<std::int64_t>(images);
  found.of = set.of;
  for (const std::size_t n : order) {
    Neighbour near;
    near.image = set.sources[n];
    near.label = set.images->set().label(near.image);
    near.distance = std::sqrt(squares[n]);
    near.name = set.images->set().name(near.image);
    try {
      const auto prepared = set.images->get(near.image);
      near.picture = crop_middle(*prepared, set.side, set.side);
    } catch (const FileError&) {  // it was there a moment ago; the neighbour is still listed
    }
    found.nearest.push_back(std::move(near));
  }
  return found;
}

}  // namespace limulus
