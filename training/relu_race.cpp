#include "training/relu_race.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/cross_entropy.h"
#include "models/models.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/metrics.h"
#include "training/sgd.h"

namespace limulus {
namespace {

struct Curve {
  std::vector<double> errors;
  double loss = 0;  // mean of the last epoch
};

// All begin with the same weights: only the nonlinearity differs.
Curve train(Nonlinearity f, std::int64_t classes, double rate, std::int64_t epochs, Loader& loader,
            const RaceOptions& o) {
  Backend& cpu = device("cpu");
  const auto net = make_model("cifar-convnet", classes, cpu, DType::f32, {.nonlinearity = f});
  initialize(*net, Recipe::he, o.seed);
  Sgd sgd(net->parameters(), {.lr = rate, .momentum = 0.9, .weight_decay = 0});
  Curve curve;
  Batch b;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    Metrics seen(classes);
    double sum = 0;
    loader.start(epoch);
    while (loader.next(b)) {
      const Tensor y = (*net)(Tensor::from(b.images, {b.size, 3, 32, 32}, cpu));
      seen.add(y.to_vector<float>().data(), b.labels.data(), b.size);
      const Tensor loss = cross_entropy(y, Tensor::from(b.labels, {b.size}, cpu));
      sum += loss.item() * static_cast<double>(b.size);
      loss.backward();
      sgd.step();
      sgd.zero_grad();
    }
    if (seen.count() == 0) throw FileError("none of the training images can be used");
    curve.loss = sum / static_cast<double>(seen.count());
    curve.errors.push_back(1 - seen.top1());
    if (o.on_progress)
      o.on_progress(fmt::format("{}, rate {:g}: epoch {}, error {:.1f} %", name_of(f), rate,
                                epoch + 1, 100 * curve.errors.back()));
    if (curve.errors.back() <= o.goal || !std::isfinite(sum)) break;
  }
  return curve;
}

void check(const RaceOptions& o) {
  const bool right = o.images > 0 && o.epochs > 0 && o.batch > 0 && o.trial > 0 &&
                     !o.rates.empty() && o.goal > 0 && o.goal < 1;
  if (!right)
    throw ValueError(
        "race: images, epochs, batch and trial must be 1 or more, the goal must be between 0 and "
        "1, and at least one rate must be given");
}

}  // namespace

Race run_race(const ImageSet& training, std::int64_t classes, const RaceOptions& o) {
  check(o);
  const ImageSet chosen = evenly_spaced(training, o.images);
  const Prepare as_32x32 = {.short_side = 32};
  const auto images = std::make_shared<ImageCache>(chosen, as_32x32);
  const Normalization normal = make_normalization(measure_pixels(*images, 10000, 1), 1.0F / 58);
  Loader loader(images, {.crop = 32, .random = false}, normal,
                {.batch = o.batch, .workers = o.workers, .seed = o.seed});
  Race race;
  race.options = o;
  race.of = training.size();
  for (const Nonlinearity f : {Nonlinearity::relu, Nonlinearity::tanh}) {
    RaceRun run;
    run.nonlinearity = f;
    double smallest = INFINITY;  // a loss of NaN is never smaller
    for (const double rate : o.rates) {
      const double loss = train(f, classes, rate, o.trial, loader, o).loss;
      if (!(loss < smallest)) continue;
      smallest = loss;
      run.rate = rate;
    }
    if (run.rate == 0)
      throw Error(
          fmt::format("race: with {} the loss stopped being a number at every rate", name_of(f)));
    run.errors = train(f, classes, run.rate, o.epochs, loader, o).errors;
    run.reached = run.errors.back() <= o.goal;
    race.runs.push_back(std::move(run));
  }
  race.images = chosen.size() - static_cast<std::int64_t>(images->skipped().size());
  return race;
}

}  // namespace limulus
