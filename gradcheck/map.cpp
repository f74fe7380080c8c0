#include "gradcheck/map.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace limulus {
namespace {

GradcheckMap empty_map(const Shape& shape, int row_axis, int column_axis) {
  constexpr std::int64_t most = 64;
  GradcheckMap map{row_axis, column_axis};
  if (row_axis >= 0) map.rows = std::min(shape[row_axis], most);
  map.columns = std::min(shape[column_axis], most);
  const auto cells = static_cast<std::size_t>(map.rows * map.columns);
  map.error.assign(cells, std::numeric_limits<double>::quiet_NaN());
  map.compared.assign(cells, 0);
  map.wrong.assign(cells, 0);
  return map;
}

std::string axes_of(const GradcheckMap& m) {
  return m.row_axis < 0 ? fmt::format("along axis {}", m.column_axis)
                        : fmt::format("rows: axis {}, columns: axis {}", m.row_axis, m.column_axis);
}

}  // namespace

std::vector<GradcheckMap> empty_maps(const Shape& shape) {
  const int rank = shape.rank();
  std::vector<GradcheckMap> maps;
  if (rank >= 1) maps.push_back(empty_map(shape, rank - 2 < 0 ? -1 : rank - 2, rank - 1));
  if (rank >= 3) maps.push_back(empty_map(shape, rank - 4 < 0 ? -1 : rank - 4, rank - 3));
  return maps;
}

void mark(GradcheckMap& map, const Shape& shape, const std::vector<std::int64_t>& index,
          double error, bool wrong) {
  const auto cell_of = [&](int axis, std::int64_t pieces) {
    return axis < 0 ? 0 : index[static_cast<std::size_t>(axis)] * pieces / shape[axis];
  };
  const auto at = static_cast<std::size_t>(cell_of(map.row_axis, map.rows) * map.columns +
                                           cell_of(map.column_axis, map.columns));
  map.error[at] = std::fmax(map.error[at], error);
  ++map.compared[at];
  map.wrong[at] += wrong;
}

std::string map_text(const GradcheckMap& m) {
  const std::int64_t all =
      std::count_if(m.wrong.begin(), m.wrong.end(), [](std::int64_t wrong) { return wrong > 0; });
  if (all == m.rows * m.columns || m.rows * m.columns < 2) return "";
  std::string out = fmt::format("  where ({}; # wrong, + partly, . right):\n", axes_of(m));
  for (std::int64_t r = 0; r < m.rows; ++r) {
    out += "    ";
    for (std::int64_t c = 0; c < m.columns; ++c) {
      const auto at = static_cast<std::size_t>(r * m.columns + c);
      out += m.compared[at] == 0             ? '?'
             : m.wrong[at] == 0              ? '.'
             : m.wrong[at] == m.compared[at] ? '#'
                                             : '+';
    }
    out += '\n';
  }
  return out;
}

}  // namespace limulus
