#pragma once
// One element of one layer, as arithmetic with real numbers, in the order of the textbook loops
// (backends/reference): what `limulus explain --element` prints, and what the pages of browser/
// show.
//
//   explain_forward.cpp    an element of a layer's output, term by term
//   explain_backward.cpp   an element of the gradient of its input, weight or bias
//   explain_network.cpp    runs a network up to the layer, and back
//   explain_text.cpp       for people
#include <cstdint>
#include <string>
#include <vector>

#include "layers/module.h"

namespace limulus::explain {

using Index = std::vector<std::int64_t>;
std::string at(const std::string& tensor, const Index& index);  // "x[5, 10, 10]"

// A tensor's values on the host, without the axis of the batch, which holds one image.
struct Values {
  Shape shape;
  std::vector<double> data;
  double operator[](const Index& index) const {
    return data[static_cast<std::size_t>(flat_of(index, shape))];
  }
};

// A layer, and everything that went through it.
struct LayerRun {
  std::string name;  // "conv2"
  const Module* layer = nullptr;
  Shape in;                       // with the batch
  Values x, y, weight, bias;      // what a layer does not have stays empty
  Values dy, dx, dweight, dbias;  // with backward
  std::int64_t label = 0;         // the class whose loss is differentiated
};

struct Term {
  std::string what;     // "x[0, 8, 8] w[5, 0, 0, 0]"
  std::string numbers;  // "0.12 * -0.03"
  double value = 0;
  // Which element of the other tensor it is made with: of x forward, of dy backward; empty where
  // there is none.
  Index place = {};
};

struct Explanation {
  std::string element;             // "y[5, 10, 10]"
  std::string formula;             // with the layer's sizes put in
  std::vector<std::string> notes;  // which part of the input is looked at
  bool maximum = false;            // the terms' maximum is taken, not their sum
  std::vector<Term> terms;
  std::vector<std::string> then;  // what is done with the sum, line by line
  double value = 0;               // of the element, from the terms
  double tensor = 0;              // of the element, as the layer's kernel computed it
};

// Calls visit(fh, fw, ih, iw) for the taps inside of the image, in row-major order.
template <class Visit>
void for_taps(const Window2d& window, std::int64_t oh, std::int64_t ow, Visit visit) {
  const auto& [h, w] = window;
  for (std::int64_t fh = 0; fh < h.kernel; ++fh)
    for (std::int64_t fw = 0; fw < w.kernel; ++fw) {
      const std::int64_t ih = oh * h.stride + fh * h.dilation - h.pad;
      const std::int64_t iw = ow * w.stride + fw * w.dilation - w.pad;
      if (0 <= ih && ih < h.in && 0 <= iw && iw < w.in) visit(fh, fw, ih, iw);
    }
}

// By what an average pool divides the sum of this window.
std::int64_t averaged_taps(const Pool2dShape& s, std::int64_t oh, std::int64_t ow);

// ValueError for layers without an explanation; ShapeError for an index outside of the tensor.
Explanation explain_forward(const LayerRun& run, const Index& index);
Explanation explain_backward(const LayerRun& run, const std::string& of, const Index& index);

// An element of a layer in a network, or of a gradient there: of the loss -log p, p being the
// probability of `label`.
struct Element {
  std::string layer;  // "conv2", or "softmax", which follows the last one
  Index index;
  bool backward = false;
  std::string of = "input";  // with backward: input, weight, bias
  std::int64_t label = 0;
};
// Of one image, [1, C, H, W]. Gradients of the network's parameters stay as they are. ValueError
// for a layer that is not there, a network in training mode, or one whose layers do not follow one
// another; and as above.
Explanation explain_in_network(Module& network, const Tensor& image, const Element& element);

// Some lines, with so many of the terms.
std::string text_of(const Explanation& e, std::int64_t terms);

void check_index(const std::string& tensor, const Shape& shape, const Index& index);
double sum_of(const std::vector<Term>& terms);

}  // namespace limulus::explain
