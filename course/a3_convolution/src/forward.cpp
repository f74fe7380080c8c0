// 3.1 Convolution, by its formula
#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape& s, In x, In w, In b, Out y) {
  // BEGIN SOLUTION 3.1
  const std::int64_t cg = s.c / s.groups, kg = s.k / s.groups;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t oh = 0; oh < s.oh; ++oh)
        for (std::int64_t ow = 0; ow < s.ow; ++ow) {
          double sum = b[k];
          for (std::int64_t c = 0; c < cg; ++c)
            for (std::int64_t i = 0; i < s.fh; ++i)
              for (std::int64_t j = 0; j < s.fw; ++j) {
                const std::int64_t ih = oh * s.stride + i * s.dilation - s.pad;
                const std::int64_t iw = ow * s.stride + j * s.dilation - s.pad;
                if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;  // the padding is 0
                const std::int64_t channel = k / kg * cg + c;
                sum += x[((n * s.c + channel) * s.h + ih) * s.w + iw] *
                       w[((k * cg + c) * s.fh + i) * s.fw + j];
              }
          y[((n * s.k + k) * s.oh + oh) * s.ow + ow] = sum;
        }
  // END SOLUTION
}

}  // namespace course
