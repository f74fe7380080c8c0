#pragma once
// The filters that the convolution laboratory offers: some written by hand, some learned.
#include <cstdint>
#include <string>
#include <vector>

#include "core/shape.h"

namespace limulus::browser {

struct Filters {
  std::vector<std::string> names;  // of each filter
  Shape shape;                     // [K, 3, F, F]: each sees all three colours
  std::vector<double> weight, bias;
  // How a pixel of 0 .. 255 becomes what these filters see: (pixel - mean) * scale, of red, green
  // and blue.
  std::vector<double> mean, scale;
};

// "edges", "blur" or "trained": conv1 of an AlexNet, out of the file conv1.safetensors. ValueError,
// with the list, for another name.
Filters make_filters(const std::string& name);

// The weight of a convolution in so many groups, [K, 3/groups, F, F]: of each filter what falls
// into its own group's channels. `groups` divides both 3 and K, as Conv2d has checked.
std::vector<double> weight_in_groups(const Filters& filters, std::int64_t groups);

}  // namespace limulus::browser
