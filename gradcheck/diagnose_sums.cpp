// Mistakes in the sum dL/dx_i = sum over k of v_k dy_k/dx_i: which results are added up, and with
// what.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "gradcheck/diagnosis.h"

namespace limulus {
namespace {

using Values = std::vector<double>;
using Index = std::vector<std::int64_t>;

// sum over k of v_k dy_k/dx_i weight(i, k)
template <class Weight>
Values weighted(const GradcheckEvidence& e, Weight weight) {
  Values out(e.size());
  for (std::size_t i = 0; i < e.size(); ++i)
    for (std::size_t k = 0; k < e.y.size(); ++k)
      if (e.jacobian[i][k] != 0) out[i] += e.v[k] * e.jacobian[i][k] * weight(i, k);
  return out;
}

// The first or the last of the terms of the sum.
Values one_term(const GradcheckEvidence& e, bool last) {
  Values out(e.size());
  for (std::size_t i = 0; i < e.size(); ++i) {
    std::optional<std::size_t> found;
    for (std::size_t k = 0; k < e.y.size(); ++k)
      if (e.jacobian[i][k] != 0 && (last || !found)) found = k;
    if (found) out[i] = e.v[*found] * e.jacobian[i][*found];
  }
  return out;
}

}  // namespace

GradcheckGuesses guess_sums(const GradcheckEvidence& e) {
  if (e.jacobian.empty()) return {};
  GradcheckGuesses guesses = {
      {"cotangent", "your gradient is what dy = 1 would give: dy was not used",
       weighted(e, [&](std::size_t, std::size_t k) { return 1 / e.v[k]; })},
      {"overwritten",
       "your gradient is the last term of its sum: it was overwritten instead of accumulated",
       one_term(e, true)},
      {"overwritten", "your gradient is the first term of its sum: the others were not added",
       one_term(e, false)}};
  std::vector<Index> result;  // the index of each result
  for (std::size_t k = 0; k < e.y.size(); ++k)
    result.push_back(index_of(static_cast<std::int64_t>(k), e.y_shape));
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(e.y_shape.rank()); ++axis) {
    const std::int64_t size = e.y_shape[static_cast<int>(axis)];
    if (size < 2) continue;
    for (const std::int64_t end : {size - 1, std::int64_t{0}}) {
      const char* place = end == 0 ? "first" : "last";
      guesses.push_back(
          {axis == 0 ? "overwritten" : "partial sum",
           fmt::format("only the {} index of the result's axis {} was counted{}", place, axis,
                       axis == 0 ? ": overwritten for each image instead of accumulated" : ""),
           weighted(e, [&](std::size_t, std::size_t k) { return result[k][axis] == end; })});
      guesses.push_back(
          {"left out",
           fmt::format("the {} index of the result's axis {} was left out: a loop is one too short",
                       place, axis),
           weighted(e, [&](std::size_t, std::size_t k) { return result[k][axis] != end; }),
           1});  // which end: a single zero at the end of an axis may be any mistake
    }
  }
  return guesses;
}

// ---- windows ------------------------------------------------------------------------------------

namespace {

// What a result looks at, along one axis of the input: [first, last], as if nothing were clipped.
struct Extent {
  std::int64_t first = 0, last = -1;
  std::int64_t size() const { return last - first + 1; }
};

struct Windows {
  std::vector<std::array<Extent, 2>> of;  // of each result: rows and columns
  std::vector<std::int64_t> taps;         // how many elements it looks at
  std::int64_t most = 0;                  // of `taps`
  bool choices = true;                    // every result is one of the inputs: a maximum of some
};

// Read off the Jacobian. A window that was clipped at an end of the image is shorter than the
// longest, and is continued beyond that end.
Windows find_windows(const GradcheckEvidence& e) {
  Windows w;
  const std::int64_t size[] = {e.x_shape[-2], e.x_shape[-1]};
  std::array<std::int64_t, 2> longest{};
  for (std::size_t k = 0; k < e.y.size(); ++k) {
    std::array<Extent, 2> extent = {Extent{size[0], -1}, Extent{size[1], -1}};
    std::int64_t taps = 0;
    for (std::size_t i = 0; i < e.size(); ++i) {
      if (e.jacobian[i][k] == 0) continue;
      ++taps;
      w.choices = w.choices && std::abs(e.jacobian[i][k] - 1) < 1e-6;
      const std::int64_t at[] = {e.at[i] / size[1] % size[0], e.at[i] % size[1]};
      for (std::size_t a = 0; a < 2; ++a) {
        extent[a].first = std::min(extent[a].first, at[a]);
        extent[a].last = std::max(extent[a].last, at[a]);
      }
    }
    w.choices = w.choices && taps <= 1;
    w.taps.push_back(taps);
    w.most = std::max(w.most, taps);
    for (std::size_t a = 0; a < 2; ++a) longest[a] = std::max(longest[a], extent[a].size());
    w.of.push_back(extent);
  }
  for (auto& extent : w.of)
    for (std::size_t a = 0; a < 2; ++a) {
      const std::int64_t missing = longest[a] - extent[a].size();
      (extent[a].first == 0 ? extent[a].first : extent[a].last) +=
          extent[a].first == 0 ? -missing : missing;
    }
  return w;
}

// Turns each window around: what acts at place p acts at first + last - p. A clipped window does
// not show all its taps, so they are read off a whole one of the same image and channel.
Values flipped(const GradcheckEvidence& e, const Windows& w) {
  const std::int64_t rows = e.x_shape[-2], columns = e.x_shape[-1];
  const auto places = static_cast<std::size_t>(e.y_shape[-2] * e.y_shape[-1]);
  std::vector<std::size_t> whole(e.y.size() / places, e.y.size());  // for each image and channel
  for (std::size_t k = 0; k < e.y.size(); ++k) {
    const auto& [r, c] = w.of[k];
    if (r.first >= 0 && r.last < rows && c.first >= 0 && c.last < columns) whole[k / places] = k;
  }
  Values out(e.size());
  for (std::size_t i = 0; i < e.size(); ++i)
    for (std::size_t k = 0; k < e.y.size(); ++k) {
      const std::size_t model = whole[k / places];
      if (model == e.y.size()) return Values(e.size(), std::numeric_limits<double>::quiet_NaN());
      const std::int64_t plane = e.at[i] / (rows * columns);
      const std::int64_t r = w.of[k][0].last - e.at[i] / columns % rows;
      const std::int64_t c = w.of[k][1].last - e.at[i] % columns;
      if (r < 0 || r >= w.of[k][0].size() || c < 0 || c >= w.of[k][1].size()) continue;
      const std::int64_t from =
          (plane * rows + w.of[model][0].first + r) * columns + w.of[model][1].first + c;
      out[i] += e.v[k] * e.jacobian[static_cast<std::size_t>(from)][model];
    }
  return out;
}

// The gradient of a choice belongs to what was chosen. Elsewhere, it leaves the plane's sum right.
bool plane_sums_agree(const GradcheckEvidence& e) {
  const std::int64_t plane = e.x_shape[-2] * e.x_shape[-1];
  double difference = 0, sum = 0, size = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    difference += e.analytic[i] - e.numeric[i];
    size += std::abs(e.numeric[i]);
    if ((e.at[i] + 1) % plane != 0) continue;
    sum = std::max(sum, std::abs(difference));
    difference = 0;
  }
  return sum < 1e-6 * size;
}

}  // namespace

GradcheckGuesses guess_windows(const GradcheckEvidence& e) {
  if (e.jacobian.empty() || !e.complete() || e.x_shape.rank() < 2) return {};
  const Windows w = find_windows(e);
  GradcheckGuesses guesses;
  if (w.choices && plane_sums_agree(e))
    guesses.push_back({"argmax",
                       "each result is one of the inputs, and the gradients of a plane have the "
                       "right sum in the wrong places: the argmax is stale or a tie goes elsewhere",
                       e.analytic});
  if (w.choices || w.most < 2) return guesses;
  const auto share = [&](std::size_t k) {
    return static_cast<double>(w.taps[k]) / static_cast<double>(w.most);
  };
  guesses.push_back({"divisor",
                     "windows that are clipped have too small a share: they were divided by their "
                     "full size, not by the taps inside the image",
                     weighted(e, [&](std::size_t, std::size_t k) { return share(k); })});
  guesses.push_back({"divisor",
                     "windows that are clipped have too large a share: they were divided by the "
                     "taps inside the image, not by their full size",
                     weighted(e, [&](std::size_t, std::size_t k) { return 1 / share(k); })});
  if (e.y_shape.rank() >= 2)
    guesses.push_back(
        {"flipped",
         "your gradient is what windows turned around by 180 degrees would give: the filter "
         "is flipped",
         flipped(e, w)});
  const std::int64_t rows = e.x_shape[-2], columns = e.x_shape[-1];
  for (const bool first : {false, true})
    for (const auto& [row, column] :
         {std::pair{true, true}, std::pair{true, false}, std::pair{false, true}}) {
      const auto kept = [&, both = std::pair{row, column}](std::size_t i, std::size_t k) {
        const auto [r, c] = w.of[k];
        const std::int64_t at_row = e.at[i] / columns % rows, at_column = e.at[i] % columns;
        return !(both.first && at_row == (first ? r.first : r.last)) &&
               !(both.second && at_column == (first ? c.first : c.last));
      };
      guesses.push_back(
          {"window",
           fmt::format("the {} {} of every window was left out: a loop over the window is one too "
                       "short",
                       first ? "first" : "last",
                       row && column ? "row and column"
                       : row         ? "row"
                                     : "column"),
           weighted(e, kept)});
    }
  return guesses;
}

}  // namespace limulus
