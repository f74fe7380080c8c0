// Sum and maximum along one axis: x [outer, len, inner] -> y [outer, inner].
//
// Both ways of cutting the axis depend on size alone, so the order of the additions never changes:
//
//   inner = 1   a row of len elements is summed in pieces of 8192 (row_reduce.h)
//   inner > 1   neighbouring columns lie in neighbouring lanes; pieces of 256 rows are added onto a
//               block of at most 1024 columns that stays in the L1 cache, four rows at a time
//
// The pieces give an array [outer, pieces, inner], which is reduced again by the same function. An
// error in float grows with the longest chain of additions, here a few hundred, whatever len is;
// adding a million numbers one after another would lose three digits.
#include "backends/cpu/kernels/elementwise/row_reduce.h"
#include "backends/cpu/kernels/kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

constexpr std::int64_t row_piece = 8192, column_piece = 256, column_block = 1024;

// y[columns] = op over `rows` rows, which begin `inner` elements apart
template <class Op, class T>
LIMULUS_INLINE void reduce_columns(Op op, const T* x, std::int64_t rows, std::int64_t inner,
                                   std::int64_t columns, T* y) {
  for_lanes<T>(0, columns, [=](auto at) { at.store(y, at.load(x)); });
  std::int64_t r = 1;
  for (; r + 4 <= rows; r += 4) {
    const T *x0 = x + r * inner, *x1 = x0 + inner, *x2 = x1 + inner, *x3 = x2 + inner;
    for_lanes<T>(0, columns, [=](auto at) {
      const Vec<T> four = op(op(at.load(x0), at.load(x1)), op(at.load(x2), at.load(x3)));
      at.store(y, op(at.load(y), four));
    });
  }
  for (; r < rows; ++r) {
    const T* x0 = x + r * inner;
    for_lanes<T>(0, columns, [=](auto at) { at.store(y, op(at.load(y), at.load(x0))); });
  }
}

template <class Op, class T>
void reduce_by(Op op, const Context& ctx, std::int64_t outer, std::int64_t len, std::int64_t inner,
               const T* x, T* y) {
  const std::int64_t item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t piece = inner == 1 ? row_piece : column_piece;
  const std::int64_t pieces = ceil_div(len, piece), blocks = ceil_div(inner, column_block);
  const std::int64_t units = outer * pieces * blocks;
  const std::int64_t unit_elements = smaller(len, piece) * smaller(inner, column_block);
  const std::int64_t group = larger(1, chunk_elements / unit_elements);  // units in a task
  const auto into = [=, &ctx](T* result) {                               // [outer, pieces, inner]
    parallel_for(
        ctx, ceil_div(units, group), outer * len * inner * item, [=](std::int64_t task, int) {
          const std::int64_t end = smaller(units, (task + 1) * group);
          for (std::int64_t u = task * group; u < end; ++u) {
            const std::int64_t o = u / (pieces * blocks), p = u / blocks % pieces;
            const std::int64_t column = u % blocks * column_block;
            const std::int64_t rows = smaller(piece, len - p * piece);
            const T* from = x + (o * len + p * piece) * inner + column;
            T* to = result + (o * pieces + p) * inner + column;
            if (inner == 1)
              *to = reduce_row(op, from, rows);
            else
              reduce_columns(op, from, rows, inner, smaller(column_block, inner - column), to);
          }
        });
  };
  if (pieces == 1) return into(y);
  const Scratch partial(ctx, outer * pieces * inner * item);
  into(partial.template as<T>());
  reduce_by(op, ctx, outer, pieces, inner, partial.template as<T>(), y);
}

}  // namespace

template <class T>
void reduce(const Context& ctx, ReduceOp op, std::int64_t outer, std::int64_t len,
            std::int64_t inner, const T* x, T* y) {
  if (outer * inner == 0) return;
  if (len == 0) {  // nothing to add: 0; nothing to compare: -inf
    return fill(ctx, outer * inner, op == ReduceOp::sum ? 0.0 : -__builtin_inf(), y);
  }
  if (op == ReduceOp::sum)
    reduce_by(Add{}, ctx, outer, len, inner, x, y);
  else
    reduce_by(Larger{}, ctx, outer, len, inner, x, y);
}

template void reduce(const Context&, ReduceOp, std::int64_t, std::int64_t, std::int64_t,
                     const float*, float*);
template void reduce(const Context&, ReduceOp, std::int64_t, std::int64_t, std::int64_t,
                     const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA
