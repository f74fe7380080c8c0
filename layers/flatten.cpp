#include "layers/flatten.h"

#include <fmt/format.h>

#include "core/checked.h"
#include "core/error.h"

namespace limulus {

std::vector<WalkStep> Flatten::walk(const Shape& in) const {
  if (in.rank() < 2)
    throw ShapeError(fmt::format("flatten: needs a batch [N, ...], not {}", in.str()));
  const std::vector<std::int64_t> sizes(in.sizes().begin() + 1, in.sizes().end());
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) product = size_product(product, size);
  WalkStep step = make_step(*this, in, {in[0], product});
  step.formula = fmt::format("{} = {}", fmt::join(sizes, " * "), product);
  step.detail = "the values of an image in one row";
  step.memory = 0;  // a view
  return {step};
}

}  // namespace limulus
