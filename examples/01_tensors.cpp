// 01 Tensors and shapes
//
// A tensor is an array with a shape, and a shape is a list of sizes, outermost
// first. Images come as [N, C, H, W]: N images, each of C channels, each of H
// rows of W values. The values lie in memory one after the other; all the rest
// is arithmetic, and this is the place to get used to it.
#include <cstdio>
#include <string>
#include <vector>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"

using namespace limulus;

// Prints what a tensor is: its shape, its type, and its first values.
void show(const char* name, const Tensor& t) {
  std::printf("%-9s %-14s %s ", name, t.shape().str().c_str(),
              name_of(t.dtype()));
  const std::vector<double> values = t.to_doubles();
  for (std::size_t i = 0; i < values.size() && i < 8; ++i)
    std::printf(" %g", values[i]);
  std::printf("%s\n", values.size() > 8 ? " ..." : "");
}

// The values from, from + 1, from + 2 ... in a tensor of 32-bit floats, f32. A
// tensor lives on a device, which computes with it: "cpu" is the processor.
Tensor count(const Shape& shape, float from = 0) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i)
    values.push_back(from + static_cast<float>(i));
  return Tensor::from(values, shape, device("cpu"));
}

int main() {
  // ---- Where an element lies ----
  //
  // Two images of 3 channels, 4 rows and 5 columns are 2 * 3 * 4 * 5 = 120
  // values. Element [n, c, h, w] is number
  //
  //     ((n * C + c) * H + h) * W + w
  //
  // for one step in n is C * H * W = 60 values long, one in c is H * W = 20,
  // one in h is W = 5, and one in w is 1.
  const Tensor x = count({2, 3, 4, 5});
  show("x", x);
  const std::int64_t place = flat_of({1, 2, 0, 3}, x.shape());
  std::printf("          [1, 2, 0, 3] is number ((1*3 + 2)*4 + 0)*5 + 3 = %d\n",
              static_cast<int>(place));

  // ---- The same values under another shape ----
  //
  // A fully connected layer, in which each output depends on all inputs, does
  // not care where a value came from: it wants one row for each image.
  // `reshape` gives the same memory another shape, and copies nothing; a size
  // of -1 is computed from the others, here 120 / 2 = 60.
  show("rows", reshape(x, {2, -1}));

  // Copying a Tensor copies a handle. A change in place is seen through every
  // handle and every view; `clone` makes values of one's own.
  Tensor a = count({2, 2}), same = a, own = a.clone();
  a.fill_(7);
  show("same", reshape(same, {4}));
  show("own", own);

  // ---- Parts, and parts put together ----
  //
  // Columns 1 and 2 of each row: axis 1, from 1 on, 2 of them. Then both halves
  // side by side again. AlexNet was cut into two halves, the towers, one for
  // each GPU: `narrow` and `concat` are how they part and meet.
  const Tensor m = count({2, 4});
  const Tensor left = narrow(m, 1, 0, 2), right = narrow(m, 1, 2, 2);
  show("m", m);
  show("right", right);
  show("swapped", concat({right, left}, 1));

  // ---- Arithmetic ----
  //
  // Element by element, where the shapes agree.
  show("m + m", m + m);

  // Where they do not, shapes are aligned at the right, and a size that is
  // missing or 1 is stretched to the other's. So a bias, a number to be added,
  // for each channel, [3, 1, 1], meets images [2, 3, 4, 5] at 20 places each.
  const Tensor bias = count({3, 1, 1}, 1000);
  const Tensor y = x + bias;
  show("x + bias", y);
  show("its means", mean(reshape(y, {2, 3, 20}), 2));

  // A product of matrices sums over what both have: [2, 4] times [4, 3] is
  // [2, 3]. Row 0 of m is 0 1 2 3, column 0 of w is 0 3 6 9, and
  // 0*0 + 1*3 + 2*6 + 3*9 = 42.
  const Tensor w = count({4, 3});
  show("m w", matmul(m, w));

  // ---- Types ----
  //
  // f32 has 24 bits for the digits of a number: enough to learn with, and
  // half the memory of f64. Above 2^24 = 16777216 not every integer is an f32,
  // and a sum that large loses a 1 that is added. Gradients are checked in f64.
  const Tensor large = Tensor::full({1}, 16777216, DType::f32, device("cpu"));
  std::printf("f32       2^24 + 1 = %.0f\n", (large + 1.0).item());
  std::printf("f64       2^24 + 1 = %.0f\n",
              (large.to_dtype(DType::f64) + 1.0).item());

  // ---- When sizes do not fit ----
  //
  // Every mistake is an exception that shows the sizes; nothing is guessed.
  // Reading such a message is a skill, so here are three.
  for (const int mistake : {1, 2, 3}) {
    try {
      if (mistake == 1) matmul(m, m);
      if (mistake == 2) x + count({4});
      if (mistake == 3) reshape(x, {7, -1});
    } catch (const ShapeError& error) {
      std::printf("%s\n", error.what());
    }
  }
}
