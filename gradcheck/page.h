#pragma once
// The report of gradient checks as one self-contained HTML page: what is wrong first, with its
// diagnosis, the worst entries, where in the tensor the errors are, how they are distributed, and
// how the numeric derivative behaves over its step.
#include <filesystem>
#include <string>
#include <vector>

#include "gradcheck/gradcheck.h"

namespace limulus {

struct CheckedCase {
  std::string name;     // "conv2d x[2, 3, 7, 5] w[4, 3, 3, 3] stride 1"
  std::string layer;    // "conv2d": of the right cases of a layer, one is shown in detail
  std::string backend;  // "cpu"
  GradcheckReport report;
};

struct CheckedRun {
  std::string title;    // "Gradients of conv2d"
  std::string machine;  // "AMD EPYC, avx512, 2 threads"
  double seconds = 0;
  std::vector<CheckedCase> cases;
};

std::string gradcheck_page(const CheckedRun& run);
void write_gradcheck_page(const std::filesystem::path& path, const CheckedRun& run);

// Pictures for one tensor, as <svg> elements that take their colours from the page.
std::string histogram_svg(const GradcheckTensor& t, double tolerance);
std::string map_svg(const GradcheckTensor& t, const GradcheckMap& map, double tolerance);
std::string curve_svg(const GradcheckTensor& t);
const char* gradcheck_style();

}  // namespace limulus
