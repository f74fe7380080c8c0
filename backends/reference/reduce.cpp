// Sum or maximum along one axis of an array, the axes before and after it taken together:
//
//     y[o, i] = sum (or max) over l of x[o, l, i]          x [outer, len, inner]
//
// An empty sum is 0, an empty maximum -infinity. A NaN is the maximum wherever it stands.
#include <cmath>
#include <limits>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {

void ReferenceBackend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                              std::int64_t inner, const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("reduce", Shape{outer, len, inner});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        Sum result = op == ReduceOp::sum ? 0 : -std::numeric_limits<Sum>::infinity();
        for (std::int64_t l = 0; l < len; ++l) {
          const Sum value = as<T>(x)[(o * len + l) * inner + i];
          if (op == ReduceOp::sum) {
            result += value;
          } else if (value > result || std::isnan(value)) {
            result = value;
          }
        }
        as<T>(y)[o * inner + i] = static_cast<T>(result);
      }
  });
}

}  // namespace limulus
