// Operations on two arrays with broadcasting, and the gradients of max and min.
//
//   binary            y = a op b
//   select_backward   dx = dy where the op chose this operand, else 0      (max and min; ties: a)
//
// Either operand may be repeated along some axes (stride 0): the bias of a convolution is
// [N, K, H*W] + [1, K, 1], that of a fully connected layer is [N, C] + [1, C].
//
// First, neighbouring axes are merged wherever both operands continue without a gap from one to the
// next, so that only the pattern is left: the bias above becomes rows of H*W elements plus one
// value each. The innermost axis is then a plain loop over registers, in four versions: both arrays
// dense, one of them dense and the other a single value, and anything else, lane by lane. Long rows
// are cut into chunks and short ones gathered into groups, so that a task is 32 K elements.
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/parallel.h"
#include "backends/cpu/kernels/simd/simd_math.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// Axes of size 1 dropped, mergeable neighbours merged; the last axis is the row.
BroadcastShape merge_axes(const BroadcastShape& s) {
  BroadcastShape m;
  for (int i = 0; i < s.rank; ++i) {
    if (s.size[i] == 1) continue;
    const int last = m.rank - 1;
    if (last >= 0 && m.stride_a[last] == s.size[i] * s.stride_a[i] &&
        m.stride_b[last] == s.size[i] * s.stride_b[i]) {
      m.size[last] *= s.size[i];
      m.stride_a[last] = s.stride_a[i];
      m.stride_b[last] = s.stride_b[i];
    } else {
      m.size[m.rank] = s.size[i];
      m.stride_a[m.rank] = s.stride_a[i];
      m.stride_b[m.rank] = s.stride_b[i];
      ++m.rank;
    }
  }
  if (m.rank == 0) {  // one element
    m.rank = 1;
    m.size[0] = m.stride_a[0] = m.stride_b[0] = 1;
  }
  return m;
}

// The rows of a merged shape one after another, as an odometer counts.
struct RowOdometer {
  const BroadcastShape& s;
  std::int64_t index[BroadcastShape::max_rank], a = 0, b = 0;

  RowOdometer(const BroadcastShape& shape, std::int64_t row) : s(shape) {
    for (int i = s.rank - 2; i >= 0; --i) {
      index[i] = row % s.size[i];
      row /= s.size[i];
      a += index[i] * s.stride_a[i];
      b += index[i] * s.stride_b[i];
    }
  }
  void next() {
    for (int i = s.rank - 2; i >= 0; --i) {
      a += s.stride_a[i];
      b += s.stride_b[i];
      if (++index[i] < s.size[i]) return;
      index[i] = 0;
      a -= s.size[i] * s.stride_a[i];
      b -= s.size[i] * s.stride_b[i];
    }
  }
};

// Three kinds of operand row.
template <class T>
struct Dense {
  const T* p;
  template <class At>
  LIMULUS_INLINE Vec<T> get(At at) const {
    return at.load(p);
  }
};
template <class T>
struct Single {
  Vec<T> v;
  template <class At>
  LIMULUS_INLINE Vec<T> get(At) const {
    return v;
  }
};
template <class T>
struct Strided {
  const T* p;
  std::int64_t stride;
  LIMULUS_INLINE Vec<T> lanes(std::int64_t i, int n) const {
    alignas(64) T lane[Vec<T>::width] = {};
    for (int l = 0; l < n; ++l) lane[l] = p[(i + l) * stride];
    return Vec<T>::load(lane);
  }
  LIMULUS_INLINE Vec<T> get(Full at) const { return lanes(at.i, Vec<T>::width); }
  LIMULUS_INLINE Vec<T> get(Part at) const { return lanes(at.i, at.n); }
};

// y = f(at, a, b) over a whole broadcast shape.
template <class T, class F>
void for_pairs(const Context& ctx, const BroadcastShape& shape, const T* a, const T* b, T* y,
               bool in_place, int arrays, F f) {
  const BroadcastShape s = merge_axes(shape);
  const std::int64_t inner = s.size[s.rank - 1];
  const std::int64_t step_a = s.stride_a[s.rank - 1], step_b = s.stride_b[s.rank - 1];
  std::int64_t rows = 1;
  for (int i = 0; i + 1 < s.rank; ++i) rows *= s.size[i];
  if (rows * inner == 0) return;
  const std::int64_t pieces = ceil_div(inner, chunk_elements);   // of a row
  const std::int64_t group = larger(1, chunk_elements / inner);  // rows in a task
  const std::int64_t bytes = rows * inner * static_cast<std::int64_t>(sizeof(T));
  const bool stream = !in_place && bytes >= stream_bytes;

  parallel_for(ctx, ceil_div(rows, group) * pieces, arrays * bytes, [=](std::int64_t task, int) {
    const std::int64_t first = task / pieces * group, last = smaller(rows, first + group);
    const std::int64_t begin = task % pieces * chunk_elements;
    const std::int64_t end = smaller(inner, begin + chunk_elements);
    RowOdometer row(s, first);
    for (std::int64_t r = first; r < last; ++r, row.next()) {
      const T *ar = a + row.a, *br = b + row.b;
      T* yr = y + r * inner;
      // `offset` is for other arrays shaped like y.
      const std::int64_t offset = r * inner;
      const auto dense = [=](auto x1, auto x2) {
        for_lanes_to(yr, begin, end, stream,
                     [=](auto at) { at.store(yr, f(at, offset, x1.get(at), x2.get(at))); });
      };
      if (step_a == 1 && step_b == 1) {
        dense(Dense<T>{ar}, Dense<T>{br});
      } else if (step_a == 1 && step_b == 0) {
        dense(Dense<T>{ar}, Single<T>{Vec<T>::set(*br)});
      } else if (step_a == 0 && step_b == 1) {
        dense(Single<T>{Vec<T>::set(*ar)}, Dense<T>{br});
      } else {
        const Strided<T> x1{ar, step_a}, x2{br, step_b};
        for_lanes<T>(begin, end,
                     [=](auto at) { at.store(yr, f(at, offset, x1.get(at), x2.get(at))); });
      }
    }
    stream_done(stream);
  });
}

// Where max (or min) takes b: strictly beyond a, or NaN. If a is NaN, a is the result.
template <class T>
LIMULUS_INLINE auto takes_second(bool is_max, Vec<T> a, Vec<T> b) {
  const Vec<T> high = is_max ? b : a, low = is_max ? a : b;
  return mask_and(equal(a, a), mask_or(high > low, is_nan(b)));  // equal(a, a): a is a number
}

}  // namespace

template <class T>
void binary(const Context& ctx, BinaryOp op, const BroadcastShape& s, const T* a, const T* b,
            T* y) {
  using V = Vec<T>;
  const bool in_place = y == a || y == b;
  const auto map = [&](auto f) {
    for_pairs(ctx, s, a, b, y, in_place, 3, [=](auto, std::int64_t, V p, V q) { return f(p, q); });
  };
  switch (op) {
    case BinaryOp::add:
      return map([](V p, V q) { return p + q; });
    case BinaryOp::sub:
      return map([](V p, V q) { return p - q; });
    case BinaryOp::mul:
      return map([](V p, V q) { return p * q; });
    case BinaryOp::div:
      return map([](V p, V q) { return p / q; });
    case BinaryOp::max:
      return map([](V p, V q) { return select(takes_second(true, p, q), q, p); });
    case BinaryOp::min:
      return map([](V p, V q) { return select(takes_second(false, p, q), q, p); });
  }
}

template <class T>
void select_backward(const Context& ctx, BinaryOp op, const BroadcastShape& s, bool second,
                     const T* a, const T* b, const T* dy, T* dx) {
  using V = Vec<T>;
  const bool in_place = dx == a || dx == b || dx == dy;
  const bool is_max = op == BinaryOp::max;
  const auto keep = [&](auto choose) {
    for_pairs(ctx, s, a, b, dx, in_place, 4, [=](auto at, std::int64_t offset, V p, V q) {
      return choose(takes_second(is_max, p, q), at.load(dy + offset));
    });
  };
  if (second)
    keep([](auto b_wins, V d) { return select(b_wins, d, V::zero()); });
  else
    keep([](auto b_wins, V d) { return select(b_wins, V::zero(), d); });
}

template void binary(const Context&, BinaryOp, const BroadcastShape&, const float*, const float*,
                     float*);
template void binary(const Context&, BinaryOp, const BroadcastShape&, const double*, const double*,
                     double*);
template void select_backward(const Context&, BinaryOp, const BroadcastShape&, bool, const float*,
                              const float*, const float*, float*);
template void select_backward(const Context&, BinaryOp, const BroadcastShape&, bool, const double*,
                              const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA
