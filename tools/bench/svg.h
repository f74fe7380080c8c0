#pragma once
// Two pictures of measurements, as SVG that reads on light and dark pages alike.
#include <string>
#include <vector>

#include "tools/bench/roof.h"

namespace limulus::tools {

struct Bar {
  std::string name;
  double value = 0;
};

// Horizontal bars on a logarithmic axis.
std::string bars_svg(const std::string& title, const std::string& unit,
                     const std::vector<Bar>& bars);

struct RoofPoint {
  std::string name;
  double intensity = 0;  // operations per byte
  double flops = 0;      // a second
};

// The roofline: over the operations per byte of a layer, how fast it is, and could be.
std::string roofline_svg(const std::string& title, const Roof& roof,
                         const std::vector<RoofPoint>& points);

}  // namespace limulus::tools
