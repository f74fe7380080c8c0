// 05 LeNet-5 on MNIST
//
// The whole of training, once, in the open: pictures in, a network, a loss, its
// gradient, a step; again and again; then a test on pictures that it never saw.
// LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) read the digits on cheques, and
// AlexNet is its grandchild: convolutions and pools, then full connections.
//
//     example_05_lenet5            a sketch: digits that this program draws
//     example_05_lenet5 FOLDER     MNIST: 60,000 handwritten ones, 10,000 more
#include <cstdio>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/cross_entropy.h"
#include "layers/softmax.h"
#include "layers/walk.h"
#include "models/models.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/metrics.h"
#include "training/sgd.h"

using namespace limulus;

// ---- Pictures ----
//
// Without MNIST: digits of 3 x 5 dots, each dot 4 x 4 pixels, somewhere on
// 28 x 28 pixels of noise. A row of dots is an octal digit: 7 is all three.
ImageSet draw_digits(std::size_t count, std::uint64_t seed) {
  const int dots[10] = {075557, 026227, 071747, 071717, 055711,
                        074717, 074757, 071122, 075757, 075717};
  Rng rng(seed);
  std::vector<std::uint8_t> pixels(count * 28 * 28);
  std::vector<std::int64_t> labels;
  for (std::size_t n = 0; n < count; ++n) {
    labels.push_back(static_cast<std::int64_t>(rng.below(10)));
    const auto left = rng.below(28 - 12 + 1), top = rng.below(28 - 20 + 1);
    const int dim = static_cast<int>(rng.below(100));  // how faint it is
    for (std::size_t i = 0; i < 28 * 28; ++i) {
      const auto x = i % 28 - left, y = i / 28 - top;  // huge where negative
      const bool ink = x < 12 && y < 20 &&
                       dots[labels[n]] >> (3 * (4 - y / 4) + 2 - x / 4) & 1;
      pixels[n * 28 * 28 + i] =
          static_cast<std::uint8_t>((ink ? 200 - dim : 0) + rng.below(56));
    }
  }
  return ImageSet::from_pixels("drawn digits", pixels, labels, 1, 28, 28);
}

Tensor images_of(const Batch& b) {
  return Tensor::from(b.images, {b.size, 1, 28, 28}, device("cpu"));
}
Tensor labels_of(const Batch& b) {
  return Tensor::from(b.labels, {b.size}, device("cpu"));
}

// ---- The test ----
//
// Ten numbers per picture come out; the largest is the answer.
double accuracy(Module& net, Loader& loader) {
  const NoGrad looking_only;  // nobody will ask for a gradient
  Metrics seen(10);
  Batch batch;
  loader.start(0);
  while (loader.next(batch))
    seen.add(net(images_of(batch)).to_vector<float>().data(),
             batch.labels.data(), batch.size);
  return seen.top1();
}

int main(int argc, char** argv) try {
  const bool sketch = argc < 2;
  Dataset data;
  if (sketch) {
    std::printf("drawn digits; for MNIST: examples/get_data.py mnist\n\n");
    data.train = draw_digits(2000, 1);
    data.test = draw_digits(200, 2);
  } else {
    data = open_mnist(argv[1]);
  }

  // Pixels of 0 to 255 become numbers around 0, of about size 1: less the mean
  // of all training pixels, divided by 78, MNIST's deviation. What is learned
  // from the training pictures must be used on the others: the mean, too.
  const Prepare as_they_are{.short_side = 0, .square = false};
  auto train = std::make_shared<ImageCache>(data.train, as_they_are);
  auto held_out = std::make_shared<ImageCache>(data.test, as_they_are);
  const Normalization norm =
      make_normalization(measure_pixels(*train), 1.F / 78);

  // In batches of 32, in a new order in every epoch; and the middle 28 x 28 of
  // 28 x 28: all of it.
  const Augment grey{.crop = 28, .channels = 1, .random = false};
  Loader loader(train, grey, norm, {.batch = 32, .seed = 1});
  Loader unseen(held_out, grey, norm, {.batch = 100, .shuffle = false});

  // ---- The network ----
  //
  // The table shows each size as arithmetic. conv1 has 6 filters of 5x5 and 6
  // biases: 6*25 + 6 = 156 numbers to learn. Most, 48,120 of them, are in fc3.
  // In 1998 pictures were 32x32, pools learned, too, conv2 saw some maps only.
  const auto net = make_model("lenet5", 10, device("cpu"));
  initialize(*net, Recipe::he, 1);
  std::printf("%s\n", walk_text(net->walk({1, 1, 28, 28})).c_str());

  // ---- Learning ----
  //
  // The loss says how surprised the network is by the right answer; of ten
  // equally likely ones it would be ln 10 = 2.30. `backward` finds for each
  // weight how the loss changes with it, and `step` goes a little downhill. In
  // the last epoch steps are a tenth as long, so that they settle.
  Sgd sgd(net->parameters(), {.lr = 0.01, .momentum = 0.9});
  Batch batch;
  for (int epoch = 0; epoch < 3; ++epoch) {
    double total = 0;
    if (epoch == 2) sgd.set_lr(0.001);
    loader.start(epoch);
    while (loader.next(batch)) {
      const Tensor loss =
          cross_entropy((*net)(images_of(batch)), labels_of(batch));
      total += loss.item();
      loss.backward();
      sgd.step();
      sgd.zero_grad();  // or the next batch's gradient would be added to it
    }
    std::printf("epoch %d  loss %.1f\n", epoch + 1,
                total / static_cast<double>(loader.batches()));
  }
  std::printf("held out: %.1f %% right\n", 100 * accuracy(*net, unseen));

  // ---- One answer ----
  //
  // The first test picture, every second row of it, and what the network makes
  // of it: softmax turns ten numbers into ten probabilities.
  unseen.start(0);
  unseen.next(batch);
  const auto p = softmax((*net)(images_of(batch))).to_vector<float>();
  for (std::size_t i = 0; i < 28 * 28; ++i)
    if (i / 28 % 2 == 0)
      std::printf("%s%s", batch.images[i] > 1 ? "#" : ".",
                  i % 28 == 27 ? "\n" : "");
  for (int digit = 0; digit < 10; ++digit)
    std::printf("%d: %.0f %%\n", digit, 100 * p[digit]);
  std::printf("It is a %d.\n", static_cast<int>(batch.labels[0]));
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
