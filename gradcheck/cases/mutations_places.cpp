// Mistakes that are known by where they are or by what they add: an offset, an entry, a row; and a
// forward that backward does not belong to.
#include <algorithm>
#include <functional>
#include <vector>

#include "core/algebra.h"
#include "gradcheck/cases/changed_gradient.h"
#include "gradcheck/cases/mutations.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

Change add(double c, std::size_t begin = 0, std::size_t end = ~std::size_t{0}) {
  return [=](Values& d) {
    for (std::size_t i = begin; i < std::min(end, d.size()); ++i) d[i] += c;
  };
}
Change multiply(double c, std::size_t begin, std::size_t end) {
  return [=](Values& d) {
    for (std::size_t i = begin; i < end; ++i) d[i] *= c;
  };
}
// Junk: another factor for each of these.
Change spoil(const std::vector<std::size_t>& at) {
  return [=](Values& d) {
    for (std::size_t k = 0; k < at.size(); ++k) d[at[k]] *= 1.7 + 0.31 * static_cast<double>(k);
  };
}

using Function = std::function<Tensor(const In&)>;

Mutation entry(
    const char* name, const char* what, const char* mistake, const Shape& x, const Change& change,
    const Function& f = [](const In& in) { return exp(in[0]); }) {
  return {name,
          what,
          "x",
          mistake,
          {"a layer", "a layer with a mistake", {{"x", x}}, [=](const In& in) {
             return f({changed(in[0], change)});
           }}};
}

// The inputs of a convolution, or of a linear layer, with the function of them.
OpCase convolution(const Function& f) {
  return {
      "conv2d", "conv2d with a mistake", {{"x", {2, 2, 5, 6}}, {"w", {3, 2, 3, 3}}, {"b", {3}}}, f};
}
OpCase product(const Function& f) {
  return {"linear", "linear with a mistake", {{"x", {4, 5}}, {"w", {3, 5}}, {"b", {3}}}, f};
}
Tensor conv(const In& in) { return conv2d(in[0], in[1], in[2], {.pad = 1}); }

// y = c f(inputs), while backward is that of f.
Mutation forward_times(const char* name, const char* what, double c, OpCase layer) {
  layer.f = [f = layer.f, c](const In& in) {
    const Tensor y = f(in);
    return y + y.detach() * (c - 1);
  };
  return {name, what, "all", "common factor", layer};
}

}  // namespace

std::vector<Mutation> place_mutations() {
  const auto lrn = [](const In& in) { return local_response_norm(in[0], {.alpha = 0.5}); };
  const auto fc = [](const In& in) { return linear(in[0], in[1], in[2]); };
  const auto loss = [](const In& in) { return mean(square(in[0] - in[1])); };
  std::vector<std::size_t> row, column;  // of [4, 7], and of the images of [2, 2, 5, 6]
  for (std::size_t i = 7; i < 14; ++i) row.push_back(i);
  for (std::size_t i = 5; i < 120; i += 6) column.push_back(i);
  return {
      entry("offset", "dx + 0.01", "offset", {4, 7}, add(0.01)),
      entry("offset-minus", "dx - 0.5 of a vector", "offset", {9}, add(-0.5)),
      entry("offset-normalized", "dx + 0.01 of a normalization", "offset", {2, 4, 3, 3}, add(0.01),
            lrn),
      entry("offset-channel", "dx + 0.2 in one channel", "offset", {1, 3, 4, 5}, add(0.2, 20, 40)),
      {"offset-weight", "dw + 0.01", "w", "offset", convolution([](const In& in) {
         return conv({in[0], changed(in[1], add(0.01)), in[2]});
       })},
      {"offset-all", "0.01 is added to dx, dw and db", "all", "offset", product([=](const In& in) {
         return fc(
             {changed(in[0], add(0.01)), changed(in[1], add(0.01)), changed(in[2], add(0.01))});
       })},
      entry("entry", "dx is wrong at [0, 3]", "single entry", {4, 7}, spoil({3})),
      entry("entry-corner", "dx is wrong at the first entry", "single entry", {2, 3, 4, 5},
            spoil({0})),
      entry("entry-two", "dx is wrong at [0, 3] and [2, 1]", "few entries", {4, 7}, spoil({3, 15})),
      entry("entry-two-corners", "dx is wrong at both ends of the last row", "few entries", {4, 7},
            spoil({21, 27})),
      entry("row", "dx is wrong in the second row", "one index", {4, 7}, spoil(row)),
      entry("row-twice", "dx is twice too large in the last row", "one index", {4, 7},
            multiply(2, 21, 28)),
      entry("column", "dx is wrong in the last column of the images", "border", {2, 2, 5, 6},
            spoil(column)),
      forward_times("forward-twice", "forward is twice too large", 2, convolution(conv)),
      forward_times("forward-half", "forward is half of what it should be", 0.5, product(fc)),
      forward_times("forward-sign", "forward has the wrong sign", -1, product(fc)),
      forward_times("forward-sum", "forward adds up where backward takes the mean", 20,
                    {"loss", "a loss with a mistake", {{"a", {4, 5}}, {"b", {4, 5}}}, loss}),
  };
}

}  // namespace limulus
