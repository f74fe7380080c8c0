// Mistakes that move the right numbers to the wrong places, or leave a part of them out: the
// analytic gradient is the numeric one, indexed otherwise.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "gradcheck/diagnosis.h"

namespace limulus {
namespace {

using Index = std::vector<std::int64_t>;
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

// predicted(i) = numeric(source(i)). No prediction if source(i) is not an element or was not
// compared; 0 if it is -1.
template <class Source>
GradcheckGuess moved(const GradcheckEvidence& e, std::string mistake, std::string text,
                     Source source) {
  GradcheckGuess guess{std::move(mistake), std::move(text), {}};
  for (std::size_t i = 0; i < e.size(); ++i) {
    const std::optional<std::int64_t> from = source(index_of(e.at[i], e.x_shape), e.at[i]);
    const auto found = std::lower_bound(e.at.begin(), e.at.end(), from.value_or(-1));
    const bool there = from && found != e.at.end() && *found == *from;
    guess.predicted.push_back(there ? e.numeric[static_cast<std::size_t>(found - e.at.begin())]
                                    : nothing);
  }
  return guess;
}

// The same element with the index of some axes replaced; nullopt if an index leaves its axis.
std::optional<std::int64_t> flat_if_inside(const Index& index, const Shape& shape) {
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (index[static_cast<std::size_t>(axis)] < 0 ||
        index[static_cast<std::size_t>(axis)] >= shape[axis])
      return std::nullopt;
  return flat_of(index, shape);
}

// a[.., i, .., j, ..] = n[.., j, .., i, ..] where the sizes are equal; else what was written is the
// transpose [.., J, .., I, ..], and is read as [.., I, .., J, ..].
GradcheckGuess transposed(const GradcheckEvidence& e, int first, int second) {
  std::vector<std::int64_t> sizes = e.x_shape.sizes();
  std::swap(sizes[static_cast<std::size_t>(first)], sizes[static_cast<std::size_t>(second)]);
  const Shape other(sizes);
  return moved(
      e, "transposed",
      fmt::format(
          "your gradient is the numeric one with axes {} and {} exchanged: it is transposed", first,
          second),
      [&, first, second](const Index&, std::int64_t flat) {
        Index index = index_of(flat, other);
        std::swap(index[static_cast<std::size_t>(first)], index[static_cast<std::size_t>(second)]);
        return std::optional(flat_of(index, e.x_shape));
      });
}

GradcheckGuess reversed(const GradcheckEvidence& e, bool rows, bool columns) {
  const std::size_t row = static_cast<std::size_t>(e.x_shape.rank()) - 2;
  return moved(
      e, "flipped",
      fmt::format(
          "your gradient is the numeric one turned around along axis {}: the filter is flipped",
          rows && columns ? fmt::format("{} and axis {}", row, row + 1)
                          : fmt::format("{}", rows ? row : row + 1)),
      [&, row](Index index, std::int64_t) {
        if (rows) index[row] = e.x_shape[-2] - 1 - index[row];
        if (columns) index[row + 1] = e.x_shape[-1] - 1 - index[row + 1];
        return std::optional(flat_of(index, e.x_shape));
      });
}

// a[i] = n[i + d] along one axis, or along the last two.
GradcheckGuess shifted(const GradcheckEvidence& e, std::vector<std::size_t> axes, std::int64_t d) {
  return moved(
      e, "shifted",
      fmt::format(
          "your gradient is the numeric one moved by {} along axis {}: an index, or the "
          "padding, is off by one",
          -d, fmt::format("{}{}", axes[0], axes.size() > 1 ? fmt::format(" and {}", axes[1]) : "")),
      [&, axes, d](Index index, std::int64_t) {
        for (const std::size_t axis : axes) index[axis] += d;
        return flat_if_inside(index, e.x_shape);
      });
}

// Taps that were meant to be D apart were taken side by side: a[D f] = n[f].
GradcheckGuess undilated(const GradcheckEvidence& e, std::int64_t d) {
  const std::size_t row = static_cast<std::size_t>(e.x_shape.rank()) - 2;
  return moved(
      e, "dilation",
      fmt::format(
          "your gradient at tap {0} f is the numeric one at tap f: a dilation of {0} was ignored",
          d),
      [&, row, d](Index index, std::int64_t) -> std::optional<std::int64_t> {
        if (index[row] % d != 0 || index[row + 1] % d != 0) return std::nullopt;
        index[row] /= d;
        index[row + 1] /= d;
        return flat_of(index, e.x_shape);
      });
}

}  // namespace

GradcheckGuesses guess_layout(const GradcheckEvidence& e) {
  GradcheckGuesses guesses;
  const int rank = e.x_shape.rank();
  for (int first = 0; first < rank; ++first)
    for (int second = first + 1; second < rank; ++second)
      guesses.push_back(transposed(e, first, second));
  if (rank < 2) return guesses;
  for (const auto& [rows, columns] :
       {std::pair{true, true}, std::pair{true, false}, std::pair{false, true}})
    guesses.push_back(reversed(e, rows, columns));
  for (const std::int64_t d : {1, -1}) {
    const std::size_t last = static_cast<std::size_t>(rank) - 1;
    for (const auto& axes : {std::vector{last - 1, last}, std::vector{last - 1}, std::vector{last}})
      guesses.push_back(shifted(e, axes, d));
  }
  for (const std::int64_t d : {2, 3}) guesses.push_back(undilated(e, d));
  return guesses;
}

// Right up to some index of an axis, and zero from there on (or the other way round).
GradcheckGuesses guess_group(const GradcheckEvidence& e) {
  GradcheckGuesses guesses;
  for (int axis = 0; axis < e.x_shape.rank(); ++axis) {
    const auto index = [&](std::size_t i) {
      return index_of(e.at[i], e.x_shape)[static_cast<std::size_t>(axis)];
    };
    std::int64_t begin = e.x_shape[axis], end = 0;  // of what is not zero
    for (std::size_t i = 0; i < e.size(); ++i) {
      if (e.analytic[i] == 0) continue;
      begin = std::min(begin, index(i));
      end = std::max(end, index(i) + 1);
    }
    if (begin >= end || (begin > 0) == (end < e.x_shape[axis])) continue;
    GradcheckGuess guess{
        "group",
        begin == 0
            ? fmt::format("your gradient is zero from index {} of axis {} on, and right before: "
                          "only the first group was computed",
                          end, axis)
            : fmt::format("your gradient is zero before index {} of axis {}, and right from "
                          "there: only the last group was computed",
                          begin, axis),
        {},
        1};  // the edge: a single zero at the end of an axis is no group
    for (std::size_t i = 0; i < e.size(); ++i)
      guess.predicted.push_back(begin <= index(i) && index(i) < end ? e.numeric[i] : 0);
    guesses.push_back(std::move(guess));
  }
  // The groups exchanged: a[c] = n[c + C/2].
  for (int axis = 0; axis < e.x_shape.rank(); ++axis) {
    const std::int64_t size = e.x_shape[axis];
    if (size % 2 != 0 || size < 4) continue;
    guesses.push_back(moved(
        e, "group",
        fmt::format("the halves of axis {} are exchanged: a group took the other's place", axis),
        [&, axis, size](Index index, std::int64_t) {
          auto& i = index[static_cast<std::size_t>(axis)];
          i = (i + size / 2) % size;
          return std::optional(flat_of(index, e.x_shape));
        }));
  }
  return guesses;
}

}  // namespace limulus
