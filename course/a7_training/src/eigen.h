#pragma once
// Eigenvectors of a symmetric 3 x 3 matrix, by Jacobi's rotations (1846). This file is given.
#include <array>
#include <cmath>
#include <utility>

namespace course {

using Vector3 = std::array<double, 3>;
using Matrix3 = std::array<Vector3, 3>;

struct Eigen {
  Vector3 values;   // the largest first
  Matrix3 vectors;  // vectors[k] has length 1 and belongs to values[k]; its sign is anyone's choice
};

inline Eigen symmetric_eigen(Matrix3 m) {
  Matrix3 v = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};  // rows become the eigenvectors
  for (int sweep = 0; sweep < 50; ++sweep)
    for (std::size_t p = 0; p < 2; ++p)
      for (std::size_t q = p + 1; q < 3; ++q) {
        if (m[p][q] == 0) continue;
        // The rotation in the plane of axes p and q that makes m[p][q] zero.
        const double angle = 0.5 * std::atan2(2 * m[p][q], m[p][p] - m[q][q]);
        const double c = std::cos(angle), s = std::sin(angle);
        const auto rotate = [&](double& a, double& b) {
          const double turned = c * a + s * b;
          b = c * b - s * a;
          a = turned;
        };
        for (std::size_t i = 0; i < 3; ++i) rotate(m[p][i], m[q][i]);
        for (std::size_t i = 0; i < 3; ++i) rotate(m[i][p], m[i][q]);
        for (std::size_t i = 0; i < 3; ++i) rotate(v[p][i], v[q][i]);
      }
  Eigen found = {{m[0][0], m[1][1], m[2][2]}, v};
  for (std::size_t p = 0; p < 2; ++p)
    for (std::size_t q = p + 1; q < 3; ++q)
      if (found.values[q] > found.values[p]) {
        std::swap(found.values[p], found.values[q]);
        std::swap(found.vectors[p], found.vectors[q]);
      }
  return found;
}

}  // namespace course
