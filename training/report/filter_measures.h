#pragma once
// What can be measured of a first convolution's filter, so that "colourful" and "an edge" are
// numbers.
#include <cstdint>
#include <vector>

namespace limulus {

struct FilterMeasures {
  // The part of the filter's energy (its sum of squares) that is colour, 0 to 1: what is left when
  // the mean of the three channels, its grey part, is taken from each.
  //     colour = 1 - 3 sum over pixels of mean^2 / sum of w^2
  // A grey filter has 0; independent noise in three channels 2/3.
  double colour = 0;
  // How much it has one direction, 0 to 1. With the slopes g_x, g_y of each channel from pixel to
  // pixel,
  //     J = sum over channels and pixels of [g_x g_x, g_x g_y; g_x g_y, g_y g_y]
  // (Di Zenzo 1986), and its eigenvalues L1 >= L2: coherence = (L1 - L2)/(L1 + L2). An edge or a
  // grating has 1, a round spot 0; noise a little above 0.
  double coherence = 0;
  // The direction of its stripes in degrees, 0 <= angle < 180: 0 lies flat, 90 stands upright,
  // between them they rise to the right. Means something where coherence does.
  double angle = 0;
};

// w [channels, rows, columns]. All measures are 0 for a filter that is zero or has values that are
// not numbers.
FilterMeasures measure_filter(const double* w, std::int64_t channels, std::int64_t rows,
                              std::int64_t columns);

// A permutation test: `tries` times, from `seed`, a and b together are divided at random into two
// groups of their sizes. The share of tries in which the means are at least as far apart as those
// of a and b; a small one says that chance hardly makes such a difference. 1 for an empty group.
double chance_of_difference(const std::vector<double>& a, const std::vector<double>& b,
                            std::int64_t tries = 10'000, std::uint64_t seed = 1);

}  // namespace limulus
