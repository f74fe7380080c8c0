// What is timed of assignment 5, and the plain product beside which it is shown.
#include "timed.h"

#include "fast_product.h"

namespace course {
namespace {

// The formula, and nothing done about it: compiled with the same flags as your files.
void multiply_plain(const Product& p) {
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      float dot = 0;
      for (std::int64_t l = 0; l < p.k; ++l) dot += p.a[i * p.lda + l] * p.b[l * p.ldb + j];
      p.c[i * p.ldc + j] = dot;
    }
}

// C = A B with rows side by side: the arrays are A, B, C, and the sizes m, n, k.
template <void (*multiply)(const Product&)>
void timed(const Integers& sizes, const SharedArrays& arrays) {
  Product p;
  p.m = sizes[0], p.n = sizes[1], p.k = sizes[2];
  p.a = arrays[0], p.lda = p.k;
  p.b = arrays[1], p.ldb = p.n;
  p.c = arrays[2], p.ldc = p.n;
  multiply(p);
}

}  // namespace

const std::map<std::string, TimedCall>& timed_calls() {
  static const std::map<std::string, TimedCall> table = {{"plain", timed<multiply_plain>},
                                                         {"loops", timed<multiply_loops>},
                                                         {"blocked", timed<multiply_blocked>},
                                                         {"fast", timed<multiply_fast>}};
  return table;
}

}  // namespace course
