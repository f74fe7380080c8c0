// 3.3 The gradient of the input
// BEGIN SOLUTION 3.3 removed
#include <algorithm>

// END SOLUTION
#include "convolution.h"

namespace course {

void conv2d_backward_input(const ConvShape& s, In dy, In w, Out dx) {
  // BEGIN SOLUTION 3.3
  const std::int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  std::fill(dx.begin(), dx.end(), 0.0);
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t oh = 0; oh < s.oh; ++oh)
        for (std::int64_t ow = 0; ow < s.ow; ++ow) {
          const double d = dy[((n * s.k + k) * s.oh + oh) * s.ow + ow];
          for (std::int64_t c = 0; c < cg; ++c)
            for (std::int64_t i = 0; i < s.fh; ++i)
              for (std::int64_t j = 0; j < s.fw; ++j) {
                const std::int64_t ih = oh * s.stride + i * s.dilation - s.pad;
                const std::int64_t iw = ow * s.stride + j * s.dilation - s.pad;
                if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
                const std::int64_t channel = k / kg * cg + c;
                dx[((n * s.c + channel) * s.h + ih) * s.w + iw] +=
                    d * w[((k * cg + c) * s.fh + i) * s.fw + j];
              }
        }
  // END SOLUTION
}

}  // namespace course
