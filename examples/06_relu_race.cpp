// 06 ReLU against tanh and sigmoid
//
// Figure 1 of the AlexNet paper: a convolutional network of four layers comes
// to 25 % training error on CIFAR-10 six times sooner with ReLU than with tanh.
// Here sigmoid runs, too, on 10,000 of the 50,000 pictures. The sketch proves
// nothing: on 50 photographs tanh even needs fewer epochs than ReLU.
//
//     example_06_relu_race                      a sketch: 50 photographs
//     example_06_relu_race FOLDER [PLOT.svg]    the race: 10,000 of CIFAR-10
#include <cmath>
#include <cstdio>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "formats/atomic_file.h"
#include "layers/cross_entropy.h"
#include "models/models.h"
#include "pages/plot.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/metrics.h"
#include "training/sgd.h"

using namespace limulus;

// The network: convolutions of 32, 32 and 64 filters of 5x5, a pool after each,
// one full connection. All three begin with the same weights: only f differs.
std::shared_ptr<Module> fresh_network(Nonlinearity f, double times = 1) {
  auto net = make_model("cifar-convnet", 10, device("cpu"), DType::f32,
                        {.nonlinearity = f});
  initialize(*net, Recipe::he, 1);
  const NoGrad only_numbers;
  for (auto& [name, w] : net->parameters()) w.copy_(w * times);
  return net;
}

Tensor loss_of(Module& net, const Batch& b, Metrics* seen = nullptr) {
  const Tensor x = Tensor::from(b.images, {b.size, 3, 32, 32}, device("cpu"));
  const Tensor y = net(x);
  if (seen) seen->add(y.to_vector<float>().data(), b.labels.data(), b.size);
  return cross_entropy(y, Tensor::from(b.labels, {b.size}, device("cpu")));
}

// ---- Training, until 25 % error ----
//
// The training error of an epoch (a pass through the pictures): the share that
// was classified wrongly in it. As in the paper nothing regularizes.
struct Curve : PlotSeries {
  double loss = 0;  // of the last epoch
};
Curve train(Module& net, Loader& loader, double rate, int epochs) {
  Sgd sgd(net.parameters(), {.lr = rate, .momentum = 0.9, .weight_decay = 0});
  Curve curve;
  Batch batch;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    Metrics seen(10);
    curve.loss = 0, loader.start(epoch);
    while (loader.next(batch)) {
      const Tensor loss = loss_of(net, batch, &seen);
      curve.loss += loss.item() / static_cast<double>(loader.batches());
      loss.backward();
      sgd.step(), sgd.zero_grad();
    }
    curve.x.push_back(epoch + 1);
    curve.y.push_back(1 - seen.top1());
    if (curve.y.back() <= 0.25) break;
  }
  return curve;
}

// ---- A look inside ----
//
// A place is flat where f' is below a tenth of its largest value: hardly any
// gradient passes. From y, f' is y > 0, or 1 - y^2, or y (1 - y), at most 1/4.
bool is_flat(Nonlinearity f, double y) {
  if (f == Nonlinearity::relu) return y <= 0;
  return (f == Nonlinearity::tanh ? 1 - y * y : 4 * y * (1 - y)) < 0.1;
}

// One batch forward and back: the share of each f that is flat, and the size of
// each layer's weight gradient (root mean square). "large": weights times 4.
void look_inside(Module& net, Nonlinearity f, const Batch& b,
                 const char* when) {
  std::printf("%-7s %-6s ", name_of(f), when);
  const LayerObserver observe([&](const std::string& name, const Tensor& y) {
    if (!name.starts_with(name_of(f))) return;
    int flat = 0;
    for (const double v : y.to_doubles()) flat += is_flat(f, v);
    std::printf(" %3.0f %%", 100.0 * flat / static_cast<double>(y.numel()));
  });
  loss_of(net, b).backward();
  for (auto& [name, w] : net.parameters()) {
    const double size = std::sqrt(mean(square(w.grad())).item());
    if (name.ends_with(".weight")) std::printf("  %7.1e", size);
    w.zero_grad();
  }
  std::printf("\n");
}

// ---- The race ----
int main(int argc, char** argv) try {
  const bool sketch = argc < 2;
  const std::int64_t count = sketch ? 50 : 10000, batch = sketch ? 10 : 64;
  const int trial = sketch ? 2 : 3, limit = sketch ? 10 : 80;  // epochs
  // Every so many-th picture, as 32 x 32; numbers around 0, of about size 1.
  const Dataset data = open_dataset(sketch ? "data/flowers5" : argv[1]);
  std::vector<std::int64_t> some;
  for (std::int64_t i = 0; i < count; ++i)
    some.push_back(i * data.train.size() / count);
  auto images = std::make_shared<ImageCache>(data.train.subset(some),
                                             Prepare{.short_side = 32});
  Loader loader(images, {.crop = 32, .random = false},
                make_normalization(measure_pixels(*images), 1.0F / 58),
                {.batch = batch, .seed = 1});
  Batch first;
  loader.start(0), loader.next(first);

  // The best of four rates has the smallest loss after some epochs; never NaN.
  LinePlot plot{.title = "Training error", .x_label = "epochs"};
  plot.percent = true, plot.levels = {{"25 %", 0.25}};
  if (sketch) std::puts("a sketch; for a race: examples/get_data.py cifar10\n");
  std::puts("                flat in 1, 2, 3     gradient in 1, 2, 3, fc4");
  for (const Nonlinearity f :
       {Nonlinearity::relu, Nonlinearity::tanh, Nonlinearity::sigmoid}) {
    double best = 0, smallest = INFINITY;
    for (const double rate : {0.003, 0.01, 0.03, 0.1}) {
      const double loss = train(*fresh_network(f), loader, rate, trial).loss;
      if (loss < smallest) best = rate, smallest = loss;
    }
    const auto net = fresh_network(f);
    look_inside(*net, f, first, "before");
    const Curve c = train(*net, loader, best, limit);
    look_inside(*net, f, first, "after");
    look_inside(*fresh_network(f, 4), f, first, "large");
    std::printf("        rate %g: %.1f %% error after %zu epochs\n", best,
                100 * c.y.back(), c.x.size());
    plot.series.push_back({name_of(f), c.x, c.y, 1 + int(f)});
  }
  const auto& race = plot.series;  // figure 1: tanh / relu = 6
  for (const PlotSeries& s : race)
    std::printf("%s / relu = %zu / %zu = %.1f%s\n", s.name.c_str(), s.x.size(),
                race[0].x.size(), 1.0 * s.x.size() / race[0].x.size(),
                s.y.back() > 0.25 ? ", 25 % not reached" : "");
  if (argc > 2) write_file_atomically(argv[2], plot_file(plot));
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
