// 04 Checking a gradient, and catching a planted mistake
//
// A wrong gradient does not crash, and often it even learns. So every layer
// deserves a check, and one call makes it: `gradcheck` compares what `backward`
// says with slopes that it measures on `forward`. Here is how that works, then
// a correct layer, then a layer with four mistakes to choose from.
#include <cmath>
#include <cstdio>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/autograd.h"
#include "core/rng.h"
#include "gradcheck/layer.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/init.h"

using namespace limulus;

// Numbers between -1 and 1, in f64: a slope is a difference of nearly equal
// values, and in f32 rounding is as large as that difference. The device
// "reference" computes with textbook loops, which are fast enough here.
Tensor numbers(const Shape& shape, std::uint64_t stream) {
  Tensor t = Tensor::empty(shape, DType::f64, device("reference"));
  Rng rng(1, stream);
  fill_uniform(t, -1, 1, rng);
  return t.set_requires_grad();
}

// ---- A layer with room for mistakes ----
//
// Write w' for w transposed. The fully connected layer is y = x w' + b, with
// x [N, in] and w [out, in]. Each gradient has the shape of what it is the
// gradient of, and shapes leave little choice:
//
//     dx [N, in]   = dy w
//     dw [out, in] = dy' x
//     db [out]     = sum over N of dy
//
// But when in = out, a product with the wrong factor transposed fits, too.
enum class Mistake { none, dw_transposed, db_mean, dx_transposed, dx_missing };

struct LinearOp : Op {
  explicit LinearOp(Mistake m) : mistake(m) {}
  const char* name() const override { return "my linear"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x, w] = saved<2>();
    Tensor dx = matmul(dy, w), dw = matmul(dy, x, true), db = sum(dy, 0);
    if (mistake == Mistake::dw_transposed) dw = matmul(x, dy, true);
    if (mistake == Mistake::db_mean) db = mean(dy, 0);
    if (mistake == Mistake::dx_transposed) dx = matmul(dy, w, false, true);
    if (mistake == Mistake::dx_missing) dx = dx * 0.0;
    return {dx, dw, db};
  }
  Mistake mistake;
};

// Forward computes y; `record` notes the operation, its inputs, and what its
// backward needs.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, Mistake m) {
  const Tensor y = matmul(x.detach(), w.detach(), false, true) + b.detach();
  return record<LinearOp>(y, {x, w, b}, {x, w}, m);
}

// What gradcheck says of it: the gradients of all three are checked.
GradcheckReport check(Mistake m) {
  return gradcheck([m](auto& in) { return linear(in[0], in[1], in[2], m); },
                   {{"x", numbers({3, 4}, 1)},
                    {"w", numbers({4, 4}, 2)},
                    {"b", numbers({4}, 3)}});
}

// Two such layers with ReLU between them learn eight points. The loss
// after so many steps.
double learn(Mistake m, int steps) {
  const Tensor x = numbers({8, 4}, 1).detach(), t = numbers({8, 4}, 2).detach();
  Tensor weights[] = {numbers({4, 4}, 3), numbers({4}, 4),  //
                      numbers({4, 4}, 5), numbers({4}, 6)};
  for (int step = 0;; ++step) {
    const Tensor h = relu(linear(x, weights[0], weights[1], m));
    const Tensor y = linear(h, weights[2], weights[3], m);
    const Tensor loss = mean(square(y - t));
    if (step == steps) return loss.item();
    for (Tensor& w : weights) w.zero_grad();
    loss.backward();
    const NoGrad no_grad;
    for (Tensor& w : weights) w.copy_(w - 0.05 * w.grad());
  }
}

int main() {
  // ---- How long a step? ----
  //
  // A slope is measured by a step to both sides, (f(x + h) - f(x - h)) / 2h.
  // For x^3 at 1, where it is 3, a long step is off by h^2, as x^3 bends. A
  // short one is off by rounding, 1e-16 / h: the difference of two numbers near
  // 1 has few digits left. So gradcheck tries two steps, h and h/2, cancels
  // the h^2, and says of each slope how uncertain it is.
  for (double h = 0.1; h > 1e-12; h /= 100) {
    const double r = 1 + h, l = 1 - h;
    std::printf("h = %.0e  slope off by %.0e\n", h,
                std::fabs((r * r * r - l * l * l) / (2 * h) - 3));
  }

  // ---- A layer that is right ----
  //
  // A module is a layer with its weights. Gradcheck checks those and the input.
  // The result has many elements; they are added with random factors, because
  // in a plain sum mistakes can cancel. The table shows each tensor's worst.
  Conv2d conv(2, 4, {.kernel = 3, .pad = 1}, device("reference"), DType::f64);
  Rng rng(1);
  init::uniform(conv.weight, -1, 1, rng);
  std::printf("\nconv2d:\n%s",
              gradcheck(conv, numbers({2, 2, 5, 5}, 2)).text().c_str());

  // ---- Four that are wrong ----
  //
  // A line for each: first what you would see without a check, the loss, then
  // which tensor gradcheck finds wrong, and what mistake explains all of its
  // error, if a known one does. Guess before you read on: for which of the four
  // does the loss fall, and which would you notice?
  std::printf("\n%14s  loss   after 200 steps  gradcheck\n", "");
  const char* names[] = {"right", "dw transposed", "db a mean", "dx transposed",
                         "dx missing"};
  for (int i = 0; i < 5; ++i) {
    const Mistake m = static_cast<Mistake>(i);
    const GradcheckReport report = check(m);
    std::printf("%-14s  %.3f  %-15.3f  %s", names[i], learn(m, 0),
                learn(m, 200), name_of(report.verdict()));
    for (const GradcheckTensor& t : report.tensors)
      if (t.wrong > 0)
        std::printf(", %s: %s", t.name.c_str(),
                    t.mistake.empty() ? "unknown" : t.mistake.c_str());
    std::printf("\n");
  }

  // ---- What the table shows ----
  //
  // The loss falls for all four. Two even end with a smaller one than the right
  // layer; for the other two you would suspect the learning rate. Gradcheck
  // finds all four. For "dx transposed" no known mistake explains the error:
  // dy w' is not the right dx with its axes exchanged.
  //
  // Last, the whole report of the transposed dw. The map shows where in w the
  // errors are: not on the diagonal, which stays the same when a matrix is
  // transposed. Even without a diagnosis that is the clue.
  std::printf("\n%s", check(Mistake::dw_transposed).text().c_str());
}
