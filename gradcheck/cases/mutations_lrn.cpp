// Mistakes in the gradient of local response normalization,
//
//     dx_i = dy_i s_i^-beta - 2 alpha beta x_i * sum over j whose window holds i of
//                                                dy_j x_j s_j^(-beta - 1).
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "gradcheck/cases/mutations.h"
#include "layers/local_response_norm.h"

namespace limulus {
namespace {

using In = std::vector<Tensor>;

OpCase lrn(const Shape& x, const LrnOptions& o) {
  return {"lrn", "lrn with a mistake", {{"x", x}}, [o](const In& t) {
            return local_response_norm(t[0], o);
          }};
}

// The backward pass across channels, with its parts open to change.
struct Formula {
  double own = 1, cross = 1;  // factors of the two terms
  double own_power = 1;       // the first term is dy s^(-own_power beta)
  double extra_power = 1;     // the second term has s^(-beta - extra_power)
  bool per_size = false;      // the second term is divided by the window's size
  bool only_self = false;     // the sum is over j = i alone
  bool own_window = false;    // the sum is over i's window, not over those that hold i
};

WrongPrimitives across(const Formula& f) {
  WrongPrimitives p;
  p.lrn_across = [f](const LrnShape& s, const double* x, const double* dy, double* dx) {
    const std::int64_t plane = s.h * s.w;
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t at = n * s.c * plane; at < n * s.c * plane + plane; ++at) {
        const auto value = [&](const double* array, std::int64_t c) {
          return array[at + c * plane];
        };
        const auto window = [&](std::int64_t c) {
          const std::int64_t first = c - s.size / 2;
          return std::pair(std::max<std::int64_t>(first, 0), std::min(first + s.size, s.c));
        };
        const auto scale = [&](std::int64_t c) {
          double squares = 0;
          for (auto [j, end] = window(c); j < end; ++j) squares += value(x, j) * value(x, j);
          return s.k + s.alpha * squares;
        };
        for (std::int64_t i = 0; i < s.c; ++i) {
          double sum = 0;
          for (std::int64_t j = 0; j < s.c; ++j) {
            const auto [begin, end] = window(f.own_window ? i : j);
            const std::int64_t held = f.own_window ? j : i;
            if (held < begin || held >= end || (f.only_self && j != i)) continue;
            sum += value(dy, j) * value(x, j) * std::pow(scale(j), -s.beta - f.extra_power);
          }
          const double factor = f.per_size ? f.cross / static_cast<double>(s.size) : f.cross;
          dx[at + i * plane] = f.own * value(dy, i) * std::pow(scale(i), -f.own_power * s.beta) -
                               factor * 2 * s.alpha * s.beta * value(x, i) * sum;
        }
      }
  };
  return p;
}

}  // namespace

std::vector<Mutation> lrn_mutations() {
  const LrnOptions usual{.alpha = 1, .beta = 0.75, .k = 2};
  LrnOptions paper, even = usual;
  even.size = 4;
  const Shape x = {1, 7, 3, 4};
  WrongPrimitives
      within;  // one term alone; s from forward's y is not at hand, so it is summed again
  within.lrn_within = [](const LrnShape& s, const double* x_, const double* dy, double* dx) {
    const auto clip = [](std::int64_t i, std::int64_t limit) {
      return std::clamp<std::int64_t>(i, 0, limit);
    };
    for (std::int64_t i = 0; i < s.n * s.c * s.h * s.w; ++i) {
      const std::int64_t plane = i / (s.h * s.w), h = i / s.w % s.h, w = i % s.w, back = s.size / 2;
      double squares = 0;
      for (auto r = clip(h - back, s.h); r < clip(h - back + s.size, s.h); ++r)
        for (auto c = clip(w - back, s.w); c < clip(w - back + s.size, s.w); ++c) {
          const double v = x_[(plane * s.h + r) * s.w + c];
          squares += v * v;
        }
      dx[i] = dy[i] * std::pow(s.k + s.alpha * squares, -s.beta);
    }
  };
  LrnOptions within_options = usual;
  within_options.size = 3;
  within_options.region = LrnRegion::within_channel;
  return {
      {"lrn-cross-term-paper", "the second term is missing, at the paper's alpha = 1e-4", "x",
       "missing term", lrn(x, paper), across({.cross = 0})},
      {"lrn-cross-term", "the second term is missing", "x", "missing term", lrn(x, usual),
       across({.cross = 0})},
      {"lrn-cross-channels", "the second term is there for j = i alone", "x", "missing term",
       lrn(x, usual), across({.only_self = true})},
      {"lrn-two", "the 2 of the second term is missing", "x", "second term", lrn(x, usual),
       across({.cross = 0.5})},
      {"lrn-sign", "the second term is added, not subtracted", "x", "second term", lrn(x, usual),
       across({.cross = -1})},
      {"lrn-per-size", "alpha is divided by n once more in the second term", "x", "second term",
       lrn(x, usual), across({.per_size = true})},
      {"lrn-exponent", "the second term has s^-beta instead of s^(-beta - 1)", "x", "exponent",
       lrn(x, usual), across({.extra_power = 0})},
      {"lrn-scale", "the first term is dy without s^-beta", "x", "first term", lrn(x, usual),
       across({.own_power = 0})},
      {"lrn-even-window", "an even window is not mirrored", "x", "window", lrn(x, even),
       across({.own_window = true})},
      {"lrn-within-cross-term", "within a channel, the second term is missing", "x", "missing term",
       lrn({1, 2, 5, 6}, within_options), within},
  };
}

}  // namespace limulus
