// What the transforms of Winograd's method multiply by, against the matrices that
// docs/performance/winograd.md prints. Compiled with AVX2's flags (CMakeLists.txt): what is looked
// at are the inline functions that the kernels are made of.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/kernels/winograd/transforms.h"

using namespace limulus;
using namespace limulus::cpu::avx2;

namespace {

using Rows = std::vector<std::vector<double>>;

// The rows below the line `title` of the page, until one that holds no numbers: "-49/54" is one.
Rows printed(const std::string& title) {
  std::ifstream page(std::string(LIMULUS_SOURCE_DIR) + "/docs/performance/winograd.md");
  std::string line;
  while (std::getline(page, line) && line != title) {
  }
  REQUIRE_MESSAGE(page, "the page has no line \"" << title << "\"");
  Rows rows;
  while (std::getline(page, line)) {
    std::istringstream words(line);
    rows.emplace_back();
    for (double above = 0; words >> above;) {
      double below = 1;
      if (words.peek() == '/') words.get() && words >> below;
      rows.back().push_back(above / below);
    }
    if (rows.back().empty()) break;
  }
  rows.pop_back();
  return rows;
}

// Column j of the matrix is what becomes of the unit vector j. Lane 0 is looked at; all are alike.
template <class T, int In, int Out, class F>
Rows multiplied_by(F transform) {
  Rows rows(Out, std::vector<double>(In));
  for (int j = 0; j < In; ++j) {
    Vec<T> unit[In], out[Out];
    for (int i = 0; i < In; ++i) unit[i] = Vec<T>::set(i == j ? T(1) : T(0));
    transform(unit, out);
    for (int i = 0; i < Out; ++i) {
      alignas(64) T lanes[Vec<T>::width];
      out[i].store(lanes);
      rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = lanes[0];
    }
  }
  return rows;
}

Rows transposed(const Rows& rows) {
  Rows t(rows[0].size(), std::vector<double>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows[i].size(); ++j) t[j][i] = rows[i][j];
  return t;
}

void check_same(const char* name, const Rows& code, const Rows& page, double epsilon) {
  REQUIRE_MESSAGE(code.size() == page.size(), name);
  for (std::size_t i = 0; i < code.size(); ++i) {
    REQUIRE_MESSAGE(code[i].size() == page[i].size(), name << ", row " << i);
    for (std::size_t j = 0; j < code[i].size(); ++j)
      CHECK_MESSAGE(std::abs(code[i][j] - page[i][j]) <= epsilon * std::abs(page[i][j]),
                    name << " [" << i << "][" << j << "]: " << code[i][j] << " and on the page "
                         << page[i][j]);
  }
}

template <class T>
void check_matrices(double epsilon) {
  using V = Vec<T>;
  const Rows b = printed("B^T ="), three = printed("G for 3 taps, A for 3 outputs =");
  const Rows five = printed("G for 5 taps, A for 5 outputs =");
  check_same("B^T",
             multiplied_by<T, tile_in, tile_in>([](const V* d, V* v) { input_points<T>(d, v); }), b,
             epsilon);
  check_same("G, 3 taps",
             multiplied_by<T, 3, tile_in>([](const V* g, V* u) { values<3, T>(g, u); }), three,
             epsilon);
  check_same("G, 5 taps",
             multiplied_by<T, 5, tile_in>([](const V* g, V* u) { values<5, T>(g, u); }), five,
             epsilon);
  check_same("A^T, 3 outputs",
             multiplied_by<T, tile_in, 3>([](const V* m, V* y) { moments<3, T>(m, y); }),
             transposed(three), epsilon);
  check_same("A^T, 5 outputs",
             multiplied_by<T, tile_in, 5>([](const V* m, V* y) { moments<5, T>(m, y); }),
             transposed(five), epsilon);
}

}  // namespace

TEST_CASE("the matrices of Winograd's method that the page prints are those of the code") {
  if (!cpu_supports("avx2")) {
    std::printf("skipped: this processor has no avx2\n");
    return;
  }
  check_matrices<double>(1e-14);
  check_matrices<float>(1e-6);
}
