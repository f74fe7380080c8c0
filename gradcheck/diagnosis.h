#pragma once
// Which well-known mistake would make a gradient look like this?
//
// A diagnosis is a guess, tested: each known mistake says what the analytic gradient would be if it
// had been made, computed from numbers that owe nothing to backward (the inputs, the results, the
// cotangent, the numeric gradient, the numeric Jacobian). With a = analytic, n = numeric and
// p = predicted, the share of the error that a guess leaves unexplained is
//
//     |a - p| / |a - n|          (norms over the entries that the guess speaks about)
//
// and the first guess that leaves less than a thousandth of it is given as the diagnosis. Guesses
// are ordered from particular to general. A false name is worse than none, and with as many free
// numbers as wrong entries anything can be fitted. So a guess has to explain more wrong entries
// than it has free numbers, and if only one is wrong, all of it but a millionth.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/shape.h"

namespace limulus {

// What is known of one tensor whose gradient is wrong.
struct GradcheckEvidence {
  Shape x_shape, y_shape;
  std::vector<double> x, y, v;   // input, result, cotangent
  std::vector<std::int64_t> at;  // the entries that were compared, as flat indices, ascending
  std::vector<double> analytic, numeric;  // dL/dx at these entries
  std::vector<char> wrong;                // 1 or 0, for each of them
  // For each of these entries, dy_k/dx_i for all results k; empty if that is too much to compute.
  std::vector<std::vector<double>> jacobian;

  std::size_t size() const { return at.size(); }
  std::size_t count_wrong() const {
    return static_cast<std::size_t>(std::count(wrong.begin(), wrong.end(), 1));
  }
  bool complete() const { return static_cast<std::int64_t>(at.size()) == x_shape.numel(); }
  bool same_shape() const { return x_shape == y_shape && !at.empty(); }
  // Whether it is known that y_i = f(x_i): no input acts on a result at another place.
  bool pointwise() const;
  // f(x, y, v) for each entry, of the numbers at its own place. Input and result must have the same
  // shape.
  template <class F>
  std::vector<double> at_own_place(F f) const {
    std::vector<double> out;
    for (const std::int64_t flat : at) {
      const auto i = static_cast<std::size_t>(flat);
      out.push_back(f(x[i], y[i], v[i]));
    }
    return out;
  }
};

struct GradcheckGuess {
  std::string mistake;                // "factor", "transposed": the name in docs/gradcheck.md
  std::string text;                   // the same in a sentence
  std::vector<double> predicted;      // one for each entry; NaN where the guess says nothing
  std::size_t fitted = 0;             // numbers in it that were chosen to fit
  std::optional<double> factor = {};  // if the mistake is one factor everywhere
};

using GradcheckGuesses = std::vector<GradcheckGuess>;
using GradcheckExpert = GradcheckGuesses (*)(const GradcheckEvidence&);

struct GradcheckDiagnosis {
  std::string mistake, text;  // empty where nothing fits
  std::optional<double> factor = {};
};
GradcheckDiagnosis diagnose(const GradcheckEvidence& evidence);

// The experts, by what they look at.
// diagnosis.cpp
GradcheckGuesses guess_factor(const GradcheckEvidence& e);
// diagnose_layout.cpp: the numeric gradient, moved
GradcheckGuesses guess_layout(const GradcheckEvidence& e);
GradcheckGuesses guess_group(const GradcheckEvidence& e);
// diagnose_terms.cpp: the Jacobian's diagonal, and the rest of it
GradcheckGuesses guess_pointwise(const GradcheckEvidence& e);
GradcheckGuesses guess_terms(const GradcheckEvidence& e);
// diagnose_channel.cpp: what is the same all over a tensor, or over a channel
GradcheckGuesses guess_offset(const GradcheckEvidence& e);
GradcheckGuesses guess_channel(const GradcheckEvidence& e);
// diagnose_sums.cpp: which results were added up
GradcheckGuesses guess_sums(const GradcheckEvidence& e);
GradcheckGuesses guess_windows(const GradcheckEvidence& e);

// diagnose_places.cpp: where the wrong entries are, in words; the last resort.
GradcheckDiagnosis locate(const GradcheckEvidence& e);

// c, and as a fraction where decimals do not show it: "2", "0.25", "0.333333 (1/3)", "0.8131".
std::string written(double c);
// Whether somebody would write c: a fraction with a small divisor, or 1/N.
bool plain(double c);
bool close(double a, double b);  // to five digits

// The share of the error that a prediction leaves unexplained; 1 or more when it speaks about too
// little, or is no better than the numeric gradient.
double unexplained(const GradcheckEvidence& e, const std::vector<double>& predicted);

}  // namespace limulus
