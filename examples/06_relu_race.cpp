// 06 ReLU against tanh and sigmoid
//
// Figure 1 of the AlexNet paper: a convolutional network of four layers comes to 25 % training
// error on CIFAR-10 six times sooner with ReLU than with tanh. Here is that race, with sigmoid as
// a third. As in the paper nothing regularizes, and each runs at the rate that suits it best.
//
//   example_06_relu_race                      a sketch: 50 bundled photographs, shrunk to 32 x 32
//   example_06_relu_race FOLDER [PLOT.svg]    the race (examples/get_data.py cifar10 FOLDER)
#include <cmath>
#include <cstdio>
#include <string>

#include "backends/registry.h"
#include "formats/atomic_file.h"
#include "layers/cross_entropy.h"
#include "models/cifar_convnet.h"
#include "models/initialize.h"
#include "training/loader.h"
#include "training/metrics.h"
#include "training/plot.h"
#include "training/sgd.h"
#include "training/statistics.h"

using namespace limulus;

struct Course {  // how long the race is
  std::int64_t images, batch;
  int trial, limit;  // epochs: of a trial of one rate, and at most
};

// The same first weights for all three, as far as their names agree: what differs is f.
std::shared_ptr<Sequential> fresh_network(Nonlinearity f, std::int64_t classes) {
  auto net = cifar_convnet(classes, device("cpu"), DType::f32, f);
  initialize(*net, Recipe::he, 1);
  return net;
}

Tensor loss_of(Module& net, const Batch& batch, Metrics* seen = nullptr) {
  Backend& cpu = device("cpu");
  const Tensor x = Tensor::from(batch.images, {batch.size, 3, 32, 32}, cpu);
  const Tensor logits = net(x);
  if (seen) seen->add(logits.to_vector<float>().data(), batch.labels.data(), batch.size);
  return cross_entropy(logits, Tensor::from(batch.labels, {batch.size}, cpu));
}

struct Curve {
  std::vector<double> epoch, error;  // the part of the epoch's images that was taken for another
  double loss = 0;                   // mean over the last epoch
};

// Plain training until 25 % error or `epochs`. Weight decay would be a regularizer: it is 0.
Curve train(Module& net, Loader& loader, double rate, int epochs, std::int64_t classes) {
  Sgd sgd(net.parameters(), {.lr = rate, .momentum = 0.9, .weight_decay = 0});
  Curve curve;
  Batch batch;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    Metrics seen(classes);
    curve.loss = 0;
    loader.start(epoch);
    while (loader.next(batch)) {
      const Tensor loss = loss_of(net, batch, &seen);
      curve.loss += loss.item() / static_cast<double>(loader.batches());
      loss.backward();
      sgd.step();
      sgd.zero_grad();
    }
    curve.epoch.push_back(epoch + 1);
    curve.error.push_back(1 - seen.top1());
    if (curve.error.back() <= 0.25) break;
  }
  return curve;
}

// Where f is flat: f' below a tenth of its largest value, 1, 1 and 1/4. No gradient to speak of gets
// through such a place. All three derivatives can be told from y (layers/activation.h).
double flat_part(Nonlinearity f, const Tensor& y) {
  std::int64_t flat = 0;
  for (const double v : y.to_doubles()) {
    const double slope = f == Nonlinearity::relu   ? v > 0
                         : f == Nonlinearity::tanh ? 1 - v * v
                                                   : 4 * v * (1 - v);
    flat += slope < 0.1;
  }
  return static_cast<double>(flat) / static_cast<double>(y.numel());
}

// One batch there and back: the size of the gradient that each layer's weights get (root of the
// mean square), and how much of each nonlinearity is flat.
void look_inside(Module& net, Nonlinearity f, const Batch& batch, const char* when) {
  std::printf("  %-7s %-6s", name_of(f), when);
  std::string flat;
  {
    const LayerObserver observe([&](const std::string& name, const Tensor& y) {
      if (!name.starts_with(name_of(f))) return;
      char text[16];
      std::snprintf(text, sizeof text, " %4.0f %%", 100 * flat_part(f, y));
      flat += text;
    });
    loss_of(net, batch).backward();
  }
  for (auto& [name, w] : net.parameters()) {
    double squares = 0;
    for (const double g : w.grad().to_doubles()) squares += g * g;
    if (name.ends_with(".weight")) std::printf(" %8.1e", std::sqrt(squares / w.numel()));
    w.zero_grad();
  }
  std::printf("   %s\n", flat.c_str());
}

int main(int argc, char** argv) {
  const bool sketch = argc < 2;
  const Course course = sketch ? Course{50, 10, 2, 6} : Course{10000, 64, 3, 80};
  Dataset data = open_dataset(sketch ? "data/flowers5" : argv[1]);
  const auto classes = static_cast<std::int64_t>(data.classes.size());

  // Every so many-th picture, 32 x 32, less the mean colour, divided by the pixels' deviation.
  std::vector<std::int64_t> some;
  for (std::int64_t i = 0; i < course.images; ++i)
    some.push_back(i * data.train.size() / course.images);
  auto images = std::make_shared<ImageCache>(data.train.subset(some), Prepare{.short_side = 32});
  const Normalization norm = make_normalization(measure_pixels(*images), 1.0F / 58);
  Loader loader(images, {.crop = 32, .random = false}, norm, {.batch = course.batch, .seed = 1});
  Batch first;
  loader.start(0);
  loader.next(first);

  LinePlot plot{.title = "Training error", .x_label = "epochs", .y_label = "training error"};
  plot.percent = true;
  plot.levels = {{"25 %", 0.25}};
  std::printf("%lld images of %lld classes, 3x32x32, batch %lld\n\n", (long long)images->size(),
              (long long)classes, (long long)course.batch);
  std::printf("  gradient (rms) of   conv1    conv2    conv3      fc4     f flat in 1, 2, 3\n");
  std::string results;
  for (const Nonlinearity f : {Nonlinearity::relu, Nonlinearity::tanh, Nonlinearity::sigmoid}) {
    // The best of four rates: the one with the smallest loss after the trial. NaN is never smaller.
    double best = 0, smallest = INFINITY;
    for (const double rate : {0.003, 0.01, 0.03, 0.1}) {
      const auto net = fresh_network(f, classes);
      const Curve trial = train(*net, loader, rate, course.trial, classes);
      if (trial.loss < smallest) best = rate, smallest = trial.loss;
    }
    const auto net = fresh_network(f, classes);
    look_inside(*net, f, first, "before");
    const Curve curve = train(*net, loader, best, course.limit, classes);
    look_inside(*net, f, first, "after");
    plot.series.push_back({name_of(f), curve.epoch, curve.error, (int)plot.series.size() + 1});
    char line[100];
    std::snprintf(line, sizeof line, "  %-7s rate %-5g error %3.0f %% after %d epochs\n",
                  name_of(f), best, 100 * curve.error.back(), (int)curve.epoch.size());
    results += line;
  }
  std::printf("\n%s", results.c_str());
  if (argc > 2) write_file_atomically(argv[2], plot_file(plot));
}
