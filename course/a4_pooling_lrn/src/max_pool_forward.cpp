// 4.1 Max pooling
#include "layers.h"

namespace course {

void max_pool_forward(const PoolShape& s, In x, Out y, Places argmax) {
  // BEGIN SOLUTION 4.1
  for (std::int64_t plane = 0; plane < s.n * s.c; ++plane)
    for (std::int64_t oh = 0; oh < s.oh; ++oh)
      for (std::int64_t ow = 0; ow < s.ow; ++ow) {
        std::int64_t best = -1;
        for (std::int64_t i = 0; i < s.kernel; ++i)
          for (std::int64_t j = 0; j < s.kernel; ++j) {
            const std::int64_t ih = oh * s.stride + i - s.pad, iw = ow * s.stride + j - s.pad;
            if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
            const std::int64_t place = ih * s.w + iw;
            if (best < 0 || x[plane * s.h * s.w + place] > x[plane * s.h * s.w + best])
              best = place;
          }
        const std::int64_t out = (plane * s.oh + oh) * s.ow + ow;
        y[out] = x[plane * s.h * s.w + best];
        argmax[out] = best;
      }
  // END SOLUTION
}

}  // namespace course
