// 3.4 Windows as columns of a matrix, and back
// BEGIN SOLUTION 3.4 removed
#include <algorithm>

// END SOLUTION
#include "convolution.h"

namespace course {
// BEGIN SOLUTION 3.4 removed
namespace {

// Calls visit(place in columns, place in the image or -1 in the padding).
template <class Visit>
void for_taps(const ConvShape& s, Visit visit) {
  std::int64_t at = 0;
  for (std::int64_t c = 0; c < s.c; ++c)
    for (std::int64_t i = 0; i < s.fh; ++i)
      for (std::int64_t j = 0; j < s.fw; ++j)
        for (std::int64_t oh = 0; oh < s.oh; ++oh)
          for (std::int64_t ow = 0; ow < s.ow; ++ow, ++at) {
            const std::int64_t ih = oh * s.stride + i * s.dilation - s.pad;
            const std::int64_t iw = ow * s.stride + j * s.dilation - s.pad;
            const bool inside = ih >= 0 && ih < s.h && iw >= 0 && iw < s.w;
            visit(at, inside ? (c * s.h + ih) * s.w + iw : -1);
          }
}

}  // namespace
// END SOLUTION

void im2col(const ConvShape& s, In x, Out columns) {
  // BEGIN SOLUTION 3.4
  for_taps(s, [&](std::int64_t at, std::int64_t from) { columns[at] = from < 0 ? 0 : x[from]; });
  // END SOLUTION
}

void col2im(const ConvShape& s, In columns, Out dx) {
  // BEGIN SOLUTION 3.4
  std::fill(dx.begin(), dx.end(), 0.0);
  for_taps(s, [&](std::int64_t at, std::int64_t to) {
    if (to >= 0) dx[to] += columns[at];
  });
  // END SOLUTION
}

}  // namespace course
