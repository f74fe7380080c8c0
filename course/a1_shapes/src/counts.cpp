// 1.3 Parameters, connections, multiply-adds
#include "shapes.h"

namespace course {

Counts convolution_counts(const Image& in, const Convolution& c) {
  // BEGIN SOLUTION 1.3
  const std::int64_t height = output_size({in.height, c.kernel, c.stride, c.pad});
  const std::int64_t width = output_size({in.width, c.kernel, c.stride, c.pad});
  const std::int64_t weights = c.filters * (in.channels / c.groups) * c.kernel * c.kernel;
  const std::int64_t places = height * width;
  return {weights + c.filters, (weights + c.filters) * places, weights * places};
  // END SOLUTION
}

Counts linear_counts(std::int64_t in, std::int64_t out) {
  // BEGIN SOLUTION 1.3
  return {in * out + out, in * out + out, in * out};
  // END SOLUTION
}

}  // namespace course
