// 1.4 A whole network
#include "shapes.h"

namespace course {

std::vector<Step> walk(const Image& in, const std::vector<Layer>& layers) {
  // BEGIN SOLUTION 1.4
  std::vector<Step> steps;
  Image image = in;
  for (const auto& [kind, c] : layers) {
    Step step;
    if (kind == Kind::linear) {
      step.counts = linear_counts(image.channels * image.height * image.width, c.filters);
      step.out = {c.filters, 1, 1};
    } else {
      step.out.height = output_size({image.height, c.kernel, c.stride, c.pad});
      step.out.width = output_size({image.width, c.kernel, c.stride, c.pad});
      step.out.channels = kind == Kind::max_pool ? image.channels : c.filters;
      if (kind == Kind::convolution) step.counts = convolution_counts(image, c);
    }
    steps.push_back(step);
    image = step.out;
  }
  return steps;
  // END SOLUTION
}

}  // namespace course
