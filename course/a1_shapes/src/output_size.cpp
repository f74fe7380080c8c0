// 1.1 How often does a window fit?
#include "shapes.h"

namespace course {

std::int64_t output_size(const Window& w) {
  // BEGIN SOLUTION 1.1
  const std::int64_t span = w.dilation * (w.kernel - 1) + 1;
  const std::int64_t room = w.in - span + 2 * w.pad;  // how far the window can be moved
  if (room < 0) throw std::invalid_argument("the window is larger than the padded input");
  return room / w.stride + 1;
  // END SOLUTION
}

}  // namespace course
