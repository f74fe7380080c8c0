// Where the wrong entries are, in words: for gradients that no known mistake explains. It says what
// is seen and no more, since a place that only happens to hold the wrong entries would send the
// reader to the wrong line of code.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cmath>
#include <optional>

#include "gradcheck/diagnosis.h"

namespace limulus {
namespace {

using Index = std::vector<std::int64_t>;

// The entries for which `holds` is true, and how many of them are wrong.
struct Place {
  std::size_t compared = 0, wrong = 0;

  // All wrong entries are here, and most entries here are wrong (not counting zeros, which may be
  // right by chance).
  bool fits(const GradcheckEvidence& e) const {
    return wrong >= 2 && wrong == e.count_wrong() && 4 * wrong >= 3 * compared &&
           compared < e.size();
  }
};

template <class Holds>
Place place(const GradcheckEvidence& e, Holds holds) {
  Place p;
  for (std::size_t i = 0; i < e.size(); ++i) {
    if (!holds(index_of(e.at[i], e.x_shape))) continue;
    ++p.compared;
    p.wrong += e.wrong[i];
  }
  return p;
}

// ", where your gradient is 2 x the numeric one", if that holds for all wrong entries.
std::string ratio_there(const GradcheckEvidence& e) {
  std::optional<double> ratio;
  for (std::size_t i = 0; i < e.size(); ++i) {
    if (!e.wrong[i]) continue;
    if (!std::isfinite(e.analytic[i])) return ", where your gradient is infinite";
    if (e.numeric[i] == 0) return "";
    const double r = e.analytic[i] / e.numeric[i];
    if (ratio && !close(r, *ratio)) return "";
    ratio = r;
  }
  return ratio ? fmt::format(", where your gradient is {} x the numeric one", written(*ratio)) : "";
}

GradcheckDiagnosis name_entries(const GradcheckEvidence& e) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < e.size(); ++i)
    if (e.wrong[i]) names.push_back(Shape(index_of(e.at[i], e.x_shape)).str());
  return {names.size() == 1 ? "single entry" : "few entries",
          fmt::format("only {} of the {} that were compared {} wrong{}", fmt::join(names, " and "),
                      e.size(), names.size() == 1 ? "is" : "are", ratio_there(e))};
}

}  // namespace

GradcheckDiagnosis locate(const GradcheckEvidence& e) {
  const std::size_t wrong = e.count_wrong();
  if (wrong == 0 || wrong == e.size()) return {};
  if (wrong == 1) return name_entries(e);
  const auto rank = static_cast<std::size_t>(e.x_shape.rank());
  Index first_wrong;
  for (std::size_t i = 0; i < e.size() && first_wrong.empty(); ++i)
    if (e.wrong[i]) first_wrong = index_of(e.at[i], e.x_shape);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t at = first_wrong[axis], last = e.x_shape[static_cast<int>(axis)] - 1;
    const Place p = place(e, [&](const Index& i) { return i[axis] == at; });
    if (!p.fits(e)) continue;
    const std::string which = at == last ? "the last index" : fmt::format("index {}", at);
    if (rank >= 3 && axis + 2 >= rank && last >= 2 && (at == 0 || at == last))
      return {"border",
              fmt::format("wrong only at {} of axis {}{}: look at that border of the image", which,
                          axis, ratio_there(e))};
    return {"one index",
            fmt::format("wrong only at {} of axis {}, in {} of {} entries there{}: look at where a "
                        "loop over this axis begins and ends",
                        which, axis, p.wrong, p.compared, ratio_there(e))};
  }
  if (rank >= 3) {
    const std::size_t row = rank - 2;
    const std::int64_t h = e.x_shape[-2], w = e.x_shape[-1];
    const Place p = place(e, [&](const Index& i) {
      return i[row] == 0 || i[row] == h - 1 || i[row + 1] == 0 || i[row + 1] == w - 1;
    });
    if (h > 2 && w > 2 && p.fits(e))
      return {"border", "wrong only along the border of the image: look at the padding"};
  }
  constexpr std::size_t few = 3;
  return wrong <= few ? name_entries(e) : GradcheckDiagnosis{};
}

}  // namespace limulus
