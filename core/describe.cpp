#include "core/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace limulus {

std::string describe(const GemmShape& s) {
  return fmt::format("C[{}, {}] {} A{}[{}, {}] B{}[{}, {}]", s.m, s.n,
                     s.beta == 0 ? "=" : "+=", s.trans_a ? "^T" : "", s.m, s.k,
                     s.trans_b ? "^T" : "", s.k, s.n);
}

std::string describe(const LinearShape& s) {
  return fmt::format("x[{}, {}] w[{}, {}]{} y[{}, {}]{}", s.n, s.in, s.out, s.in,
                     s.weights == DType::bf16 ? " bf16" : "", s.n, s.out, s.relu ? " relu" : "");
}

std::string describe(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::string groups = s.groups == 1 ? "" : fmt::format(" groups {}", s.groups);
  return fmt::format("x[{}, {}, {}, {}] w[{}, {}, {}, {}] y[{}, {}, {}, {}]{}{}", s.n, s.c, h.in,
                     w.in, s.k, s.c / s.groups, h.kernel, w.kernel, s.n, s.k, h.out, w.out, groups,
                     s.relu ? " relu" : "");
}

std::string describe(const Pool2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  return fmt::format("x[{}, {}, {}, {}] window [{}, {}] y[{}, {}, {}, {}]", s.n, s.c, h.in, w.in,
                     h.kernel, w.kernel, s.n, s.c, h.out, w.out);
}

std::string describe(const LrnShape& s) {
  return fmt::format("x[{}, {}, {}, {}] size {}", s.n, s.c, s.h, s.w, s.size);
}

std::string describe(const BroadcastShape& s) {
  return fmt::format("y[{}]", fmt::join(s.size, s.size + s.rank, ", "));
}

std::string describe(const BlockShape& s) { return fmt::format("[{}, {}]", s.rows, s.cols); }

}  // namespace limulus
