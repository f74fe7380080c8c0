// 08 Dropout and augmentation against overfitting
//
// A network learns the pictures that it is shown. Whether it has learned
// flowers shows only on pictures that it never saw. Between the two lies
// overfitting, and the AlexNet paper (section 4) names two means against it:
// change the pictures (crops, mirror images, colours), and drop half of the
// hidden neurons in every step. Four runs: with neither, each, and both.
//
//     example_08_overfitting                    a sketch: 40 pictures, seconds
//     example_08_overfitting data/flowers5 [SEED [PLOT.svg]]    all 800
#include <cstdio>
#include <cstdlib>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/atomic_file.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "models/initialize.h"
#include "pages/plot.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/metrics.h"
#include "training/sgd.h"

using namespace limulus;

// ---- The network ----
//
// A small AlexNet for pictures of 40 x 40: 40, pooled to (40 - 3)/2 + 1 = 19,
// 9 and 4. Its weights are 32*75 + 64*800 + 128*576 + 512*2048 + 5*512 =
// 1,178,464. The labels of 800 pictures of 5 classes are 800 log2(5) = 1,858
// bits of knowledge: there is room enough to learn them by heart.
void build(Sequential& net, double drop) {
  Backend& cpu = device("cpu");
  const Conv2dOptions five{.kernel = 5, .pad = 2}, three{.kernel = 3, .pad = 1};
  const Pool2dOptions pool{.kernel = 3, .stride = 2};
  net.add<Conv2d>("conv1", 3, 32, five, cpu).add<ReLU>("relu1");
  net.add<MaxPool2d>("pool1", pool);
  net.add<Conv2d>("conv2", 32, 64, five, cpu).add<ReLU>("relu2");
  net.add<MaxPool2d>("pool2", pool);
  net.add<Conv2d>("conv3", 64, 128, three, cpu).add<ReLU>("relu3");
  net.add<MaxPool2d>("pool3", pool).add<Flatten>("flatten");
  net.add<Linear>("fc4", 128 * 4 * 4, 512, cpu).add<ReLU>("relu4");
  net.add<Dropout>("drop4", drop).add<Linear>("fc5", 512, 5, cpu);
}

Tensor images_of(const Batch& b) {
  return Tensor::from(b.images, {b.size, 3, b.side, b.side}, device("cpu"));
}
Tensor labels_of(const Batch& b) {
  return Tensor::from(b.labels, {b.size}, device("cpu"));
}

// ---- How good it is ----
//
// Without chance: the middle of each picture, all neurons. `eval` turns
// dropout off, NoGrad the recording of a graph that nobody goes back along.
struct Score {
  double loss = 0, accuracy = 0;
};
Score test(Module& net, Loader& loader) {
  const NoGrad looking_only;
  net.eval();
  Metrics seen(5);
  Score score;
  Batch batch;
  loader.start(0);
  while (loader.next(batch)) {
    const Tensor y = net(images_of(batch));
    seen.add(y.to_vector<float>().data(), batch.labels.data(), batch.size);
    score.loss += cross_entropy(y, labels_of(batch)).item() * batch.size;
  }
  score.loss /= static_cast<double>(seen.count());
  score.accuracy = seen.top1();
  net.train();
  return score;
}

int main(int argc, char** argv) try {
  const bool sketch = argc < 2;
  const std::int64_t count = sketch ? 40 : 800, epochs = sketch ? 5 : 40;
  const double rate = sketch ? 0.001 : 0.003;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  // Pictures of 48 x 48, decoded once. All of them, or every so many-th.
  const Dataset data = open_dataset(sketch ? "data/flowers5" : argv[1]);
  const auto pictures = [&](const ImageSet& all) {
    std::vector<std::int64_t> some;
    const std::int64_t n = std::min(count, all.size());
    for (std::int64_t i = 0; i < n; ++i) some.push_back(i * all.size() / n);
    return std::make_shared<ImageCache>(all.subset(some),
                                        Prepare{.short_side = 48});
  };
  const auto train = pictures(data.train), held_out = pictures(data.test);
  const Normalization norm =
      make_normalization(measure_pixels(*train), 1.F / 58);
  // Two ways to look at them. The middle 40 x 40, always the same; or one of
  // (48 - 40 + 1)^2 = 81 places, mirrored or not, in light of another colour.
  const Augment middle{.crop = 40, .random = false};
  const Augment anyhow{.crop = 40, .colour_sigma = 0.1};
  const LoaderOptions in_order{.batch = 40, .shuffle = false};
  Loader seen(train, middle, norm, in_order);
  Loader unseen(held_out, middle, norm, in_order);

  // ---- Four runs ----
  LinePlot plot{
      .title = "Held-out loss", .x_label = "epochs", .y_label = "loss"};
  std::printf("%d pictures to learn, %d held out, %d epochs, seed %d\n\n",
              (int)train->size(), (int)held_out->size(), (int)epochs,
              (int)seed);
  std::printf("                   learned           held out\n");
  std::printf("                   loss  accuracy    loss  accuracy\n");
  const char* const names[] = {"neither", "augmentation", "dropout", "both"};
  for (const int run : {0, 1, 2, 3}) {
    const bool augmented = run & 1, dropped = run & 2;
    Sequential net;
    build(net, dropped ? 0.5 : 0);
    initialize(net, Recipe::he, seed);
    Sgd sgd(net.parameters(), {.lr = rate, .weight_decay = 0});
    Loader loader(train, augmented ? anyhow : middle, norm,
                  {.batch = sketch ? 10 : 32, .seed = seed});
    PlotSeries curve{.name = names[run], .colour = run + 1};
    Batch batch;
    std::uint64_t step = 0;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
      loader.start(epoch);
      while (loader.next(batch)) {
        net.set_random(seed, step++);  // names the next dropout mask
        cross_entropy(net(images_of(batch)), labels_of(batch)).backward();
        sgd.step(), sgd.zero_grad();
      }
      curve.x.push_back(static_cast<double>(epoch + 1));
      curve.y.push_back(test(net, unseen).loss);
    }
    const Score a = test(net, seen), b = test(net, unseen);
    std::printf("  %-15s %5.2f   %5.1f %%    %5.2f   %5.1f %%\n", names[run],
                a.loss, 100 * a.accuracy, b.loss, 100 * b.accuracy);
    plot.series.push_back(curve);
  }
  if (argc > 3) write_file_atomically(argv[3], plot_file(plot));
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
