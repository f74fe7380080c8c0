// 02 A gradient by hand and by autograd
//
// Learning needs one thing: how much the loss L changes when a weight changes
// by a little, dL/dw. Here is that number three times: derived by hand, by
// autograd (the library notes what was computed, and derives it by itself), and
// by trying it out. The network is as small as one can be and still have a
// chain to differentiate:
//
//     z = w x + b,   h = tanh(z),   y = v h,   L = (y - t)^2
//
// with an input x and a target t, which are given, and w, b, v to learn.
#include <cmath>
#include <cstdio>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "layers/activation.h"

using namespace limulus;

const double x = 2, t = 1;
struct Weights {
  double w = 0.5, b = -0.25, v = -0.5;
};

double loss(const Weights& p) {
  const double y = p.v * std::tanh(p.w * x + p.b);
  return (y - t) * (y - t);
}

// A number with a gradient: a tensor of shape [], in f64.
Tensor scalar(double value) {
  return Tensor::from(std::vector<double>{value}, {}, device("cpu"));
}

int main() {
  // ---- By hand: forward ----
  //
  // First the values, in order. Backward will need h and y again: what a
  // network keeps in memory while it learns is just this.
  const Weights p;
  const double z = p.w * x + p.b, h = std::tanh(z), y = p.v * h;
  std::printf("z = %.2f  h = %.6f  y = %.6f  L = %.6f\n\n", z, h, y, loss(p));

  // ---- By hand: backward ----
  //
  // Then the derivatives of L, from the end to the beginning. Each is the one
  // before it times one local derivative: that is the chain rule, and all that
  // there is to backpropagation.
  //
  // - L = (y - t)^2, so dL/dy = 2 (y - t)
  // - y = v h, so dL/dv = dL/dy h and dL/dh = dL/dy v
  // - h = tanh(z), so dL/dz = dL/dh (1 - h^2)
  // - z = w x + b, so dL/dw = dL/dz x and dL/db = dL/dz
  const double dy = 2 * (y - t);
  const double dv = dy * h, dh = dy * p.v;
  const double dz = dh * (1 - h * h);
  const double dw = dz * x, db = dz;
  std::printf("by hand        dw %.6f  db %.6f  dv %.6f\n", dw, db, dv);

  // ---- By autograd ----
  //
  // The same forward pass with tensors. Each operation on a tensor that
  // requires a gradient is noted, with what its derivative will need.
  // `backward` walks the notes from the end and does what we did above.
  Tensor w = scalar(p.w), b = scalar(p.b), v = scalar(p.v);
  for (Tensor* leaf : {&w, &b, &v}) leaf->set_requires_grad();
  Tensor L = square(v * tanh(w * x + b) - t);
  L.backward();
  std::printf("by autograd    dw %.6f  db %.6f  dv %.6f\n", w.grad().item(),
              b.grad().item(), v.grad().item());

  // ---- By trying it out ----
  //
  // Move one weight by a little to both sides and watch L. This knows nothing
  // of derivatives, so it can confirm them; but it costs two forward passes for
  // each weight, and AlexNet has 60,965,224 of them. Backward costs about two
  // forward passes for all together.
  const auto slope = [&](double Weights::*weight) {
    const double e = 1e-5;
    Weights right = p, left = p;
    right.*weight += e;
    left.*weight -= e;
    return (loss(right) - loss(left)) / (2 * e);
  };
  std::printf("by differences dw %.6f  db %.6f  dv %.6f\n\n",
              slope(&Weights::w), slope(&Weights::b), slope(&Weights::v));

  // ---- Two paths add up ----
  //
  // L may depend on a value along several paths, and each brings a gradient.
  // In a * a both factors are a: each path brings a, together 2 a = 6. The
  // second backward adds to what is there, so 6 becomes 12, until zero_grad.
  Tensor a = scalar(3);
  a.set_requires_grad();
  Tensor aa = a * a;
  aa.backward();
  std::printf("d(a a)/da at a = 3: %g\n", a.grad().item());
  (a * a).backward();
  std::printf("and once more, without zero_grad: %g\n", a.grad().item());

  // The notes are thrown away as backward passes over them, so the same result
  // cannot be walked twice.
  try {
    aa.backward();
  } catch (const GraphError& error) {
    std::printf("%s\n\n", error.what());
  }

  // ---- What it is good for ----
  //
  // The gradient points where L grows fastest, so L falls fastest the other
  // way. A step of learning is: forward, backward, and every weight a little
  // against its gradient. Here that is 0.1 of it, a factor that is called the
  // learning rate. The step itself must not be recorded, hence NoGrad.
  for (int step = 0; step <= 20; ++step) {
    L = square(v * tanh(w * x + b) - t);
    if (step % 4 == 0) std::printf("step %2d  L = %.6f\n", step, L.item());
    for (Tensor* leaf : {&w, &b, &v}) leaf->zero_grad();
    L.backward();
    const NoGrad no_grad;
    for (Tensor* leaf : {&w, &b, &v}) leaf->copy_(*leaf - 0.1 * leaf->grad());
  }
}
