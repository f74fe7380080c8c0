// 09 AlexNet on Flowers-17, as in Keras
//
// A well-known tutorial trains AlexNet on the 17 flowers of Oxford in Keras:
// load the data, look at its shapes, build the model, print a summary, compile,
// fit. Here are the same steps. What Keras does behind `compile` and `fit` is
// twenty lines, and they are all here.
//
//     example_09_flowers17            a sketch: 10 photographs of data/flowers5
//     example_09_flowers17 FOLDER     1,088 to learn from, 272 held out
#include <algorithm>
#include <cstdio>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/cross_entropy.h"
#include "layers/walk.h"
#include "models/models.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/metrics.h"
#include "training/schedule.h"
#include "training/sgd.h"

using namespace limulus;

Tensor images_of(const Batch& b) {
  return Tensor::from(b.images, {b.size, 3, b.side, b.side}, device("cpu"));
}
Tensor labels_of(const Batch& b) {
  return Tensor::from(b.labels, {b.size}, device("cpu"));
}

// ---- evaluate ----
Metrics evaluate(Module& net, Loader& loader, std::int64_t classes) {
  const NoGrad looking_only;
  net.eval();
  Metrics seen(classes);
  Batch batch;
  loader.start(0);
  while (loader.next(batch))
    seen.add(net(images_of(batch)).to_vector<float>().data(),
             batch.labels.data(), batch.size);
  net.train();
  return seen;
}

int main(int argc, char** argv) try {
  const bool sketch = argc < 2;
  const std::int64_t epochs = sketch ? 2 : 12, size = sketch ? 5 : 16;

  // ---- Load ----
  //
  // `image_0001.jpg` to `image_1360.jpg`, eighty of each flower: the label is
  // (n - 1) / 80. A fifth of each is held out, as with validation_split=0.2,
  // but drawn from every class.
  Dataset data = open_dataset(sketch ? "data/flowers5" : argv[1]);
  if (sketch) {
    std::printf("a sketch; for all: examples/get_data.py flowers17\n\n");
    data.train =
        data.train.subset({0, 80, 160, 240, 320, 400, 480, 560, 640, 720});
    data.test = data.test.subset({0, 40, 80, 120, 160});
  }
  const auto classes = static_cast<std::int64_t>(data.classes.size());
  const auto train = std::make_shared<ImageCache>(data.train);
  const auto test = std::make_shared<ImageCache>(data.test);
  const Normalization norm =
      make_normalization(measure_pixels(*train), 1.F / 58);
  Loader loader(train, {.crop = 224}, norm, {.batch = size, .seed = 1});
  Loader held_out(test, {.crop = 224, .random = false}, norm,
                  {.batch = size, .shuffle = false});

  // ---- Check the shapes ----
  //
  // Channels come first here: Keras would say (5, 224, 224, 3). A label is one
  // number, not a row with a single 1 in it.
  Batch batch;
  loader.start(0);
  loader.next(batch);
  const Tensor x = images_of(batch), y = labels_of(batch);
  const auto [low, high] =
      std::minmax_element(batch.images.begin(), batch.images.end());
  std::printf("x %s, from %.1f to %.1f\ny %s, of %d classes\n\n",
              x.shape().str().c_str(), *low, *high, y.shape().str().c_str(),
              static_cast<int>(classes));

  // ---- Model and summary ----
  //
  // conv1 without padding makes (224 - 11)/4 + 1 = 54.25 of 224, so 54; pools
  // make 26, 12 and 5; 'same' convolutions keep what they get. 256*5*5 = 6400
  // values enter fc6. With 17 classes there are 46,816,657 parameters.
  const auto net = make_model("alexnet-keras", classes, device("cpu"));
  std::printf("%s\n", walk_text(net->walk({1, 3, 224, 224})).c_str());

  // ---- Compile ----
  //
  // Keras asks for a loss, an optimizer and metrics. The loss is cross-entropy;
  // the optimizer is SGD with momentum, its rate rising over the first twelfth
  // and then falling to 0 along half a cosine; the metric is accuracy. A loss
  // above ln(classes) at first is no mistake: with He's weights logits are
  // larger than 1, and answers are sure before they are right.
  initialize(*net, Recipe::he, 1);
  const double rate = sketch ? 0.0002 : 0.003;
  Sgd sgd(net->parameters(), {.lr = rate});
  const Schedule schedule(rate,
                          {.kind = ScheduleKind::cosine, .warmup = 1.0 / 12},
                          epochs * loader.batches());

  // ---- Fit ----
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    Metrics seen(classes);
    double loss_sum = 0;
    loader.start(epoch);
    while (loader.next(batch)) {
      net->set_random(1, static_cast<std::uint64_t>(step));
      sgd.set_lr(schedule.rate(step++));
      const Tensor logits = (*net)(images_of(batch));
      const Tensor loss = cross_entropy(logits, labels_of(batch));
      loss.backward();
      sgd.step();
      sgd.zero_grad();
      loss_sum += loss.item() * static_cast<double>(batch.size);
      seen.add(logits.to_vector<float>().data(), batch.labels.data(),
               batch.size);
    }
    const Metrics val = evaluate(*net, held_out, classes);
    std::printf(
        "epoch %2d  loss %.2f  accuracy %4.1f %%  val %4.1f %%  top-5 "
        "%4.1f %%\n",
        static_cast<int>(epoch + 1),
        loss_sum / static_cast<double>(seen.count()), 100 * seen.top1(),
        100 * val.top1(), 100 * val.top5());
    std::fflush(stdout);
  }
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
