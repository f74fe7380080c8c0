// 1.2 Caffe's rounding
#include "shapes.h"

namespace course {

std::int64_t output_size_ceil(const Window& w) {
  // BEGIN SOLUTION 1.2
  const std::int64_t span = w.dilation * (w.kernel - 1) + 1;
  const std::int64_t room = w.in - span + 2 * w.pad;
  if (room < 0) throw std::invalid_argument("the window is larger than the padded input");
  std::int64_t out = (room + w.stride - 1) / w.stride + 1;
  if ((out - 1) * w.stride - w.pad >= w.in) --out;  // it would begin in the padding at the far end
  return out;
  // END SOLUTION
}

}  // namespace course
