#include "core/names.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace limulus {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// How many letters must be added, dropped or exchanged to turn a into b (Levenshtein 1965), where
// two neighbours that changed places are one mistake (Damerau 1964):
//
//     d[i][j] = min(d[i-1][j] + 1, d[i][j-1] + 1, d[i-1][j-1] + (a_i != b_j),
//                   d[i-2][j-2] + 1    if a_i = b_{j-1} and a_{i-1} = b_j)
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);  // rows i-2, i-1, i
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchanged = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, exchanged});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  const std::string typed = lower_case(name);
  std::string nearest;
  std::size_t fewest = 1 + typed.size() / 4 + 1;  // one more than is allowed
  for (const std::string& each : known) {
    const std::size_t mistakes = distance(typed, lower_case(each));
    // With every letter exchanged it would be any name of that length.
    if (mistakes >= fewest || mistakes >= typed.size()) continue;
    fewest = mistakes;
    nearest = each;
  }
  if (!nearest.empty() || typed.size() < 2) return nearest;
  for (const std::string& each : known) {  // the beginning of a name, if of one alone
    if (!lower_case(each).starts_with(typed)) continue;
    if (!nearest.empty()) return "";
    nearest = each;
  }
  return nearest;
}

std::string known_names(const std::string& name, const std::vector<std::string>& known) {
  std::string list;
  for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "; there are " + list
                         : "; did you mean '" + nearest + "'? There are " + list;
}

}  // namespace limulus
