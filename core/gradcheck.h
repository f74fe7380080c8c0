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
// was cancelled: each numeric value comes with an uncertainty. Where L has a kink, as ReLU at 0,
// the slopes to the left and to the right differ and there is no derivative to compare with: such
// entries are skipped, and counted. Where a kink is only near, smaller steps avoid it.
//
// A check can pass without having checked anything. So memory is poisoned with NaN (a gradient that
// is never written cannot look right by luck), everything runs twice (and must give the same bits),
// and VACUOUS is the verdict when both sides are zero or too few entries could be compared.
//
// The inputs are nudged in place and put back, so that a module's own parameters can be checked:
//   gradcheck([&](auto& in) { return conv.forward(in[0]); }, {{"x", x}, {"w", conv.weight()}});
// Leaves that f uses but that are not listed keep what backward adds to their grad.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace limulus {

struct GradcheckOptions {
  double tolerance = 1e-6;         // relative, on top of the numeric value's uncertainty
  double step = 0x1p-10;           // h, times max(1, |x|); halved until the differences settle
  std::int64_t max_entries = 200;  // per tensor; corners are always among them
  double max_skipped = 0.5;        // VACUOUS when a larger part of the entries had to be skipped
  std::size_t show = 5;            // worst entries to keep for each tensor
  std::uint64_t seed = 1;          // of the cotangent and of the choice of entries
};

enum class GradcheckVerdict { ok, vacuous, nondeterministic, wrong };  // from good to bad
const char* name_of(GradcheckVerdict verdict);  // "OK", "VACUOUS", "NONDETERMINISTIC", "WRONG"

struct GradcheckEntry {
  std::vector<std::int64_t> index;
  double analytic = 0, numeric = 0, uncertainty = 0;
  double relative_error = 0;  // |analytic - numeric| / max(|analytic|, |numeric|)
  bool wrong = false;
};

struct GradcheckTensor {
  std::string name;
  Shape shape;
  GradcheckVerdict verdict = GradcheckVerdict::ok;
  std::int64_t compared = 0, skipped = 0, wrong = 0;
  std::vector<GradcheckEntry> worst;  // the wrong ones first
  std::string diagnosis;              // in words, where a known mistake fits; else empty
};

struct GradcheckReport {
  std::vector<GradcheckTensor> tensors;  // one per input of type f64, in their order

  GradcheckVerdict verdict() const;  // the worst of all
  bool ok() const { return verdict() == GradcheckVerdict::ok; }
  std::string text() const;  // a table for people
  std::string json() const;
};

// DTypeError unless the inputs are f64 (labels and indices may come along and are not checked) and
// so is the result.
GradcheckReport gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                          const std::vector<std::pair<std::string, Tensor>>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace limulus
