// 11 A new layer in one file, outside of the library
//
// Swish is a nonlinearity with something to learn (Ramachandran, Zoph and Le
// 2017), a number b for each channel:
//
//     y = x s(b x),     s(z) = 1 / (1 + exp(-z))
//
// With b = 0 it is the straight line x/2, with a large b it is ReLU: the
// network finds out which. Limulus does not have it. This file adds it, and
// needs only an installed copy and the `CMakeLists.txt` below.
#include <cmath>
#include <cstdio>

#include <limulus/backends/registry.h>
#include <limulus/core/algebra.h>
#include <limulus/core/autograd.h>
#include <limulus/core/error.h>
#include <limulus/core/rng.h>
#include <limulus/gradcheck/layer.h>
#include <limulus/layers/activation.h>
#include <limulus/layers/conv2d.h>
#include <limulus/layers/flatten.h>
#include <limulus/layers/linear.h>
#include <limulus/layers/walk.h>
#include <limulus/models/initialize.h>
#include <limulus/training/sgd.h>

using namespace limulus;

// ---- The derivative ----
//
// With s' = s (1 - s) and the chain rule, from dy:
//
//     dx = dy (s + b x s')
//     db = dy x x s', summed up
//
// b is shared by all images and places of a channel. It was stretched to the
// shape of x, so its gradient is the sum over all that it was stretched to:
// `sum_to`.
struct SwishOp : Op {
  const char* name() const override { return "swish"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x, b] = saved<2>();
    const Tensor s = sigmoid(b * x), ds = s - s * s;
    return {dy * (s + b * x * ds), sum_to(dy * x * x * ds, b.shape())};
  }
};

// ---- The function ----
//
// Forward is computed on detached tensors, whose operations are not noted; then
// all of it is noted as one operation, with what backward reads. Without an Op,
// as x * sigmoid(b * x), it would work too: autograd finds the derivative of
// each piece, but keeps the sigmoid's result in memory besides x.
Tensor swish(const Tensor& x, const Tensor& b) {
  const Tensor v = x.detach();
  return record<SwishOp>(v * sigmoid(b.detach() * v), {x, b}, {x, b});
}

// ---- The module ----
//
// A module owns what is learned, under a name, so that optimizers, checkpoints
// and gradient checks find it. `walk` tells its sizes without computing.
class Swish : public Module {
 public:
  Swish(std::int64_t channels, Backend& backend, DType dtype)
      : b(add_parameter("b", Tensor::full({channels}, 1, dtype, backend))) {}
  const char* kind() const override { return "Swish"; }

  // x is [N, C] or [N, C, H, W]. Sizes are aligned at the right, so for images
  // b becomes [C, 1, 1].
  Tensor forward(const Tensor& x) override {
    walk(x.shape());
    std::vector<std::int64_t> sizes(x.shape().rank() - 1, 1);
    sizes[0] = b.size(0);
    return swish(x, reshape(b, Shape(sizes)));
  }

  // An error shows the sizes and says which layer it comes from.
  std::vector<WalkStep> walk(const Shape& in) const override {
    if (in.rank() < 2 || in[1] != b.size(0))
      throw ShapeError("swish: has " + std::to_string(b.size(0)) +
                       " channels, and the input is " + in.str());
    WalkStep step = make_step(*this, in, in);
    step.formula = "as its input";
    return {step};
  }

  Tensor b;  // [C]
};

int main() {
  Backend& cpu = device("cpu");

  // ---- The gradient check ----
  //
  // Before anything else. One call for a layer or a whole network; parameters
  // of type f64.
  Sequential net;
  net.add<Conv2d>("conv", 2, 3, Conv2dOptions{.kernel = 3}, cpu, DType::f64);
  net.add<Swish>("swish", 3, cpu, DType::f64).add<Flatten>("flatten");
  net.add<Linear>("fc", 27, 4, cpu, DType::f64);
  initialize(net, Recipe::he, 1);
  Tensor images = Tensor::empty({2, 2, 5, 5}, DType::f64, cpu);
  Rng rng(2);
  fill_normal(images, 0, 1, rng);
  std::printf("%s\n", walk_text(net.walk(images.shape())).c_str());
  const GradcheckReport report = gradcheck(net, images);
  for (const GradcheckTensor& t : report.tensors)
    std::printf("%-12s %3d compared  %s\n", t.name.c_str(),
                static_cast<int>(t.compared), name_of(t.verdict));
  std::printf("\n");

  // ---- The layer at work ----
  //
  // One hidden layer of four learns a sine wave from 32 points. Each b begins
  // at 1 and goes where the gradient takes it.
  std::vector<double> points, waves;
  for (int i = 0; i < 32; ++i) {
    points.push_back(i / 8.0 - 2);
    waves.push_back(std::sin(2 * points.back()));
  }
  const Tensor x = Tensor::from(points, {32, 1}, cpu);
  const Tensor wave = Tensor::from(waves, {32, 1}, cpu);
  auto hidden = std::make_shared<Swish>(4, cpu, DType::f64);
  Sequential model;
  model.add<Linear>("fc1", 1, 4, cpu, DType::f64).add("swish", hidden);
  model.add<Linear>("fc2", 4, 1, cpu, DType::f64);
  initialize(model, Recipe::pytorch, 1);
  Sgd sgd(model.parameters(), {.lr = 0.01, .momentum = 0.9, .weight_decay = 0});
  for (int step = 0; step <= 1000; ++step) {
    const Tensor loss = mean(square(model(x) - wave));
    if (step % 250 == 0) {
      const std::vector<double> b = hidden->b.to_doubles();
      std::printf("step %4d  loss %.3f  b %.2f %.2f %.2f %.2f\n", step,
                  loss.item(), b[0], b[1], b[2], b[3]);
    }
    sgd.zero_grad();
    loss.backward();
    sgd.step();
  }

  // Its errors are like those of the library's own layers.
  try {
    hidden->forward(images);
  } catch (const ShapeError& error) {
    std::printf("\n%s\n", error.what());
  }
}
