// 10 AlexNet, 2012
//
// The network of Krizhevsky, Sutskever and Hinton, layer by layer, with the
// arithmetic of each size and of each number of weights. Then what the paper
// does with a batch: crops, mirror images, colours, forward, backward, update.
// `./run alexnet` trains it to the end, with everything that belongs to that.
//
//     example_10_alexnet                 a sketch: 3 steps, 8 photographs
//     example_10_alexnet data/flowers5   an epoch: 50 steps, 800 photographs
#include <cmath>
#include <cstdio>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/walk.h"
#include "models/models.h"
#include "training/data/loader.h"
#include "training/data/statistics.h"
#include "training/sgd.h"

using namespace limulus;

// ---- The network ----
void build(Sequential& net, std::int64_t classes) {
  Backend& cpu = device("cpu");
  const Pool2dOptions overlapping{.kernel = 3, .stride = 2};  // section 3.4
  const auto conv = [&](const char* name, std::int64_t in, std::int64_t out,
                        const Conv2dOptions& options) {
    net.add<Conv2d>(name, in, out, options, cpu);
  };

  // 3x227x227 comes in. 96 filters of 3x11x11, 4 pixels apart: (227 - 11)/4 + 1
  // = 55 places along each side. Weights and biases: 96*363 + 96 = 34,944.
  conv("conv1", 3, 96, {.kernel = 11, .stride = 4});
  net.add<ReLU>("relu1").add<LocalResponseNorm>("lrn1");
  // Windows of 3 that are 2 apart overlap: (55 - 3)/2 + 1 = 27.
  net.add<MaxPool2d>("pool1", overlapping);
  // Two groups, one for each GPU of 2012: 128 filters see channels 0 to 47, 128
  // the others. Padding 2 keeps 27. 256*(48*25) + 256 = 307,456.
  conv("conv2", 96, 256, {.kernel = 5, .pad = 2, .groups = 2});
  net.add<ReLU>("relu2").add<LocalResponseNorm>("lrn2");
  net.add<MaxPool2d>("pool2", overlapping);  // (27 - 3)/2 + 1 = 13

  // The one convolution through which the halves meet: 384*(256*9) + 384 =
  // 885,120. Then two in groups: 384*(192*9) + 384 = 663,936 and
  // 256*(192*9) + 256 = 442,624.
  conv("conv3", 256, 384, {.kernel = 3, .pad = 1});
  net.add<ReLU>("relu3");
  conv("conv4", 384, 384, {.kernel = 3, .pad = 1, .groups = 2});
  net.add<ReLU>("relu4");
  conv("conv5", 384, 256, {.kernel = 3, .pad = 1, .groups = 2});
  net.add<ReLU>("relu5");
  net.add<MaxPool2d>("pool5", overlapping);  // (13 - 3)/2 + 1 = 6

  // 256*6*6 = 9216 numbers, all connected to 4096, these to 4096 more:
  // 9216*4096 + 4096 = 37,752,832 and 4096*4096 + 4096 = 16,781,312. Most of
  // the weights are here, so here is dropout.
  net.add<Flatten>("flatten");
  net.add<Linear>("fc6", 256 * 6 * 6, 4096, cpu).add<ReLU>("relu6");
  net.add<Dropout>("drop6", 0.5);
  net.add<Linear>("fc7", 4096, 4096, cpu).add<ReLU>("relu7");
  net.add<Dropout>("drop7", 0.5);

  // One number per class: 4096*1000 + 1000 = 4,097,000 in the paper.
  net.add<Linear>("fc8", 4096, classes, cpu);
}

int main(int argc, char** argv) try {
  // ---- Sixty million ----
  //
  // Walking through the network needs no weights. The paper says 60 million;
  // the sum of the numbers above is 60,965,224.
  {
    const UnfilledParameters no_values;
    Sequential imagenet;
    build(imagenet, 1000);
    std::printf("%s\n", walk_text(imagenet.walk({1, 3, 227, 227})).c_str());
  }

  // ---- Pictures ----
  //
  // 256 x 256 of them, from which `Augment` takes 227 x 227 anywhere, mirrored
  // or not, its colours shifted along their principal axes (section 4.1).
  const bool sketch = argc < 2;
  const Dataset data = open_dataset(sketch ? "data/flowers5" : argv[1]);
  const ImageSet few =
      data.train.subset({0, 100, 250, 300, 400, 500, 600, 700});
  auto images = std::make_shared<ImageCache>(sketch ? few : data.train);
  const Normalization norm =
      make_normalization(measure_pixels(*images), 1.F / 58);
  Loader loader(images, {.crop = 227, .colour_sigma = 0.1}, norm,
                {.batch = sketch ? 8 : 16, .seed = 1});

  // ---- Weights ----
  //
  // The paper's N(0, 0.01) needs its 1.2 million pictures to get going
  // (docs/training.md); He's rule keeps the size of signals from the start.
  // Its logits are larger than 1, so the first loss is above that of a guess.
  const int classes = static_cast<int>(data.classes.size());
  Sequential net;
  build(net, classes);
  initialize(net, Recipe::he, 1);

  // ---- Training ----
  //
  // Section 5: v <- 0.9 v - 0.0005 lr w - lr dw, then w <- w + v.
  Backend& cpu = device("cpu");
  Sgd sgd(net.parameters(),
          {.lr = 5e-4, .momentum = 0.9, .weight_decay = 5e-4});
  std::printf("of %d equally likely classes: loss ln %d = %.2f\n", classes,
              classes, std::log(classes));
  Batch b;
  for (int step = 0; step < (sketch ? 3 : 50); ++step) {
    if (sketch || step == 0) loader.start(step);
    loader.next(b);
    net.set_random(1, static_cast<std::uint64_t>(step));  // names its masks
    const Tensor y = net(Tensor::from(b.images, {b.size, 3, 227, 227}, cpu));
    const Tensor loss = cross_entropy(y, Tensor::from(b.labels, {b.size}, cpu));
    loss.backward(), sgd.step(), sgd.zero_grad();
    if (sketch || step % 10 == 9)
      std::printf("step %2d  loss %.2f\n", step + 1, loss.item());
  }

  // ---- The same as the library's ----
  //
  // `models/alexnet.cpp` has the same layers under the same names: with these
  // weights its logits are equal to the last bit.
  const auto same = make_model("alexnet", classes, cpu);
  const auto ours = net.parameters(), theirs = same->parameters();
  const NoGrad looking_only;
  for (std::size_t i = 0; i < ours.size(); ++i)
    Tensor(theirs[i].second).copy_(ours[i].second);
  net.eval(), same->eval();
  const Tensor x = Tensor::full({1, 3, 227, 227}, 1, DType::f32, cpu);
  const Tensor difference = sum(abs(net(x) - (*same)(x)));
  std::printf("difference from models/alexnet.cpp: %g\n", difference.item());
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
