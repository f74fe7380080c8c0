#pragma once
// Gradient checking: is backward() the derivative of forward()?
//
//   GradcheckReport r = gradcheck([&](const std::vector<Tensor>& in) { return f(in[0], in[1]); },
//                                 {{"x", x}, {"w", w}});
//   std::cout << r.text();
//
// The function's result y is turned into one number L = sum of v y with a random cotangent v.
// (A plain sum would hide mistakes: the sum over a softmax is constant.) backward(v) gives dL/dx;
// and, knowing nothing of backward, so do central differences,
//
//     D(h) = (L(x + h) - L(x - h)) / 2h = L'(x) + O(h^2),
//
// at two step sizes. (4 D(h/2) - D(h)) / 3 cancels the h^2 term, and |D(h/2) - D(h)| / 3 is what
// was cancelled: each numeric value comes with an uncertainty. Where L has a kink, because a sign
// changes (ReLU at 0) or another element becomes the maximum (max pooling at a tie), the slopes to
// the left and to the right differ and there is no derivative to compare with: such entries are
// skipped, and counted. Where a kink is only near, smaller steps avoid it.
//
// A check can pass without having checked anything. So memory is poisoned with NaN (a gradient that
// is never written cannot look right by luck), everything runs twice (and must give the same bits),
// and VACUOUS is the verdict when both sides are zero or too few entries could be compared. If a
// tensor has more entries than are compared one by one, all of them are also compared together,
// along one random direction.
//
// The inputs are nudged in place and put back, so that a module's own parameters can be checked:
//   gradcheck([&](auto& in) { return conv.forward(in[0]); }, {{"x", x}, {"w", conv.weight}});
// Leaves that f uses but that are not listed keep what backward adds to their grad.
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace limulus {

struct GradcheckOptions {
  double tolerance = 1e-6;            // relative, on top of the numeric value's uncertainty
  double step = 0x1p-10;              // h, times max(1, |x|); halved until the differences settle
  std::int64_t max_entries = 200;     // per tensor; corners, and every row and channel, among them
  double max_skipped = 0.5;           // VACUOUS when a larger part of the entries had to be skipped
  std::size_t show = 10;              // worst entries to keep for each tensor
  std::uint64_t seed = 1;             // of the cotangent and of the choice of entries
  bool curves = false;                // also try many steps on one entry of each tensor
  std::function<void()> before_pass;  // called before each forward pass; it may throw, to stop
};

enum class GradcheckVerdict { ok, vacuous, nondeterministic, wrong };  // from good to bad
const char* name_of(GradcheckVerdict verdict);  // "OK", "VACUOUS", "NONDETERMINISTIC", "WRONG"

struct GradcheckEntry {
  std::vector<std::int64_t> index;
  double analytic = 0, numeric = 0, uncertainty = 0;
  double step = 0;            // h
  double relative_error = 0;  // |analytic - numeric| / max(|analytic|, |numeric|)
  double error = 0;           // the same, but relative to the typical size at least
  bool wrong = false;
};

// Where in a tensor the errors are: the largest error of the entries that share two indices. For a
// convolution's weight [K, C, FH, FW] there are two: over the taps, and over filters and channels.
// Long axes are cut into at most 64 pieces.
struct GradcheckMap {
  int row_axis = -1, column_axis = 0;  // -1: there is one row only
  std::int64_t rows = 1, columns = 1;
  std::vector<double> error;                  // [rows, columns]; NaN where nothing was compared
  std::vector<std::int64_t> compared, wrong;  // [rows, columns]
};

// The error of the textbook's differences over the step, from 1e-1 to 1e-10, for one entry: first
// it falls (truncation), then it rises (rounding): a V. Relative to the analytic gradient; where
// that is wrong, the V has a flat bottom at the size of the mistake.
struct GradcheckCurve {
  std::vector<std::int64_t> index;
  std::vector<double> step, forward, central;
};

struct GradcheckTensor {
  // Of `error`: below 1e-16, then a bin for each power of ten, and 1 or more.
  static constexpr std::size_t bins = 18;

  std::string name;
  Shape shape;
  GradcheckVerdict verdict = GradcheckVerdict::ok;
  std::int64_t compared = 0, skipped = 0, wrong = 0;
  double together_error = -1;         // along one direction; -1: not needed, or not possible
  std::vector<GradcheckEntry> worst;  // the wrong ones first
  std::array<std::int64_t, bins> histogram{};
  std::vector<GradcheckMap> maps;  // of the last two axes, and of the two before them
  GradcheckCurve curve;            // empty unless asked for
  std::string mistake;             // which of the known mistakes fits, in a word or two; else empty
  std::string diagnosis;           // the same in a sentence
};

struct GradcheckReport {
  std::vector<GradcheckTensor> tensors;  // one per input of type f64, in their order
  // What all tensors have in common, where it is a known mistake; else empty.
  std::string mistake, diagnosis;

  GradcheckVerdict verdict() const;  // the worst of all
  bool ok() const { return verdict() == GradcheckVerdict::ok; }
  std::string text() const;  // a table for people
  std::string json() const;
};

using GradcheckFunction = std::function<Tensor(const std::vector<Tensor>&)>;

// DTypeError unless the inputs are f64 (labels and indices may come along and are not checked) and
// so is the result. ValueError where an input is not finite, or where f changes one in place.
GradcheckReport gradcheck(const GradcheckFunction& f,
                          const std::vector<std::pair<std::string, Tensor>>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace limulus
