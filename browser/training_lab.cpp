// "Train it here": LeNet-5 learns from some digits, a few batches at a time, so that whoever asks
// can show how far it is, and stop.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "backends/registry.h"
#include "browser/answer.h"
#include "browser/digits.h"
#include "browser/shelf.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/cross_entropy.h"
#include "models/lenet5.h"
#include "models/models.h"
#include "training/sgd.h"

namespace limulus::browser {
namespace {

constexpr std::int64_t pixels = digit_side * digit_side;

struct Digits {
  std::vector<std::uint8_t> images, labels;
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

Digits digits_of(const std::string& part) {
  const auto images = idx_images(bytes_of("train", part + "-images"));
  const auto labels = idx_labels(bytes_of("train", part + "-labels"));
  Digits d = {{images.begin(), images.end()}, {labels.begin(), labels.end()}};
  if (d.count() == 0 || static_cast<std::int64_t>(images.size()) != d.count() * pixels)
    throw FileError(fmt::format("digits: {} images and {} labels",
                                static_cast<std::int64_t>(images.size()) / pixels, d.count()));
  return d;
}

struct Run {
  Digits train, test;
  double mean = 0, deviation = 1;  // of all training pixels
  std::int64_t batch = 0, step = 0;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> order;  // of this epoch
  std::shared_ptr<Sequential> network;
  std::optional<Sgd> sgd;
};
std::optional<Run>& current() {
  static std::optional<Run> run;
  return run;
}
Run& run_of(const char* op) {
  if (!current()) throw ValueError(fmt::format("{}: training has not begun", op));
  return *current();
}

// The digits `which` as a batch, and their labels.
std::pair<Tensor, Tensor> batch_of(const Run& run, const Digits& d,
                                   const std::vector<std::int64_t>& which) {
  std::vector<float> x;
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : which) {
    const auto first = d.images.begin() + i * pixels;
    std::transform(first, first + pixels, std::back_inserter(x), [&](std::uint8_t pixel) {
      return static_cast<float>((pixel - run.mean) / run.deviation);
    });
    labels.push_back(d.labels[static_cast<std::size_t>(i)]);
  }
  const auto n = static_cast<std::int64_t>(which.size());
  Backend& backend = device("reference");
  return {Tensor::from(x, {n, 1, digit_side, digit_side}, backend),
          Tensor::from(labels, {n}, backend)};
}

// A new order for each epoch (Fisher and Yates), a function of the seed.
void shuffle(Run& run, std::int64_t epoch) {
  run.order.resize(static_cast<std::size_t>(run.train.count()));
  std::iota(run.order.begin(), run.order.end(), 0);
  Rng rng(run.seed, stream_of("shuffle", static_cast<std::uint64_t>(epoch)));
  for (std::size_t i = run.order.size(); i > 1; --i)
    std::swap(run.order[i - 1], run.order[rng.below(i)]);
}

double learn(Run& run) {
  const std::int64_t batches = run.train.count() / run.batch;  // of an epoch; a rest is left out
  if (run.step % batches == 0) shuffle(run, run.step / batches);
  const auto first = run.order.begin() + run.step % batches * run.batch;
  const auto [x, labels] = batch_of(run, run.train, {first, first + run.batch});
  run.sgd->zero_grad();
  const Tensor loss = cross_entropy(run.network->forward(x), labels);
  loss.backward();
  run.sgd->step();
  ++run.step;
  return loss.item();
}

}  // namespace

// {"seed": 1, "rate": 0.01, "batch": 20}, and the files of IDX "train-images" ... "test-labels".
Json train_begin(const Json& request) {
  current().reset();
  Run run;
  run.train = digits_of("train");
  run.test = digits_of("test");
  run.batch = whole(request, "batch");
  if (run.batch < 1 || run.batch > run.train.count())
    throw ValueError(
        fmt::format("train: a batch of {} digits, of {}", run.batch, run.train.count()));
  run.seed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, whole(request, "seed")));
  double sum = 0, squares = 0;
  for (const std::uint8_t pixel : run.train.images) {
    sum += pixel;
    squares += double{1} * pixel * pixel;
  }
  const auto n = static_cast<double>(run.train.images.size());
  run.mean = sum / n;
  run.deviation = std::max(1.0, std::sqrt(squares / n - run.mean * run.mean));
  run.network = lenet5(10, device("reference"));
  initialize(*run.network, Recipe::he, run.seed);
  run.sgd.emplace(run.network->parameters(), SgdOptions{.lr = number(request, "rate")});
  const std::int64_t batches = run.train.count() / run.batch;
  Json said = {{"train", run.train.count()},
               {"test", run.test.count()},
               {"batches", batches},
               {"mean", run.mean},
               {"deviation", run.deviation}};
  current() = std::move(run);
  return said;
}

// {"count": 5}: so many batches; each one's loss.
Json train_steps(const Json& request) {
  Run& run = run_of("train/steps");
  const std::int64_t count = whole(request, "count");
  if (count < 1 || count > 10000)
    throw ValueError(fmt::format("train/steps: {} batches; take 1 to 10000", count));
  run.network->train();
  std::vector<double> losses;
  for (std::int64_t i = 0; i < count; ++i) losses.push_back(learn(run));
  put_values("conv1", run.network->parameters().front().second.to_doubles());
  return {{"step", run.step}, {"losses", losses}};
}

// Of the held-out digits: how many are recognized, and the mean loss.
Json train_test(const Json&) {
  Run& run = run_of("train/test");
  run.network->eval();
  const NoGrad only_looking;
  std::int64_t right = 0;
  double loss = 0;
  constexpr std::int64_t at_once = 50;
  for (std::int64_t begin = 0; begin < run.test.count(); begin += at_once) {
    std::vector<std::int64_t> which(
        static_cast<std::size_t>(std::min(at_once, run.test.count() - begin)));
    std::iota(which.begin(), which.end(), begin);
    const auto [x, labels] = batch_of(run, run.test, which);
    const Tensor logits = run.network->forward(x);
    loss += cross_entropy(logits, labels).item() * static_cast<double>(which.size());
    const std::vector<double> values = logits.to_doubles();
    for (std::size_t i = 0; i < which.size(); ++i) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(10 * i);
      right += std::max_element(row, row + 10) - row ==
               run.test.labels[static_cast<std::size_t>(which[i])];
    }
  }
  return {{"right", right},
          {"of", run.test.count()},
          {"loss", loss / static_cast<double>(run.test.count())}};
}

}  // namespace limulus::browser
