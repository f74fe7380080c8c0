// y = x w^T for a batch of tens: w is read where it lies, once.
//
// The general product packs both factors before it multiplies (gemm.h). That pays when a packed
// number is used by many tiles; here a weight is used by few: with 32 images, AVX-512's tile is as
// wide as the batch, and packing 151 MB for that took as long as the multiplication. So the tile
// reads w itself, and only x, which is small, is transposed and packed. It computes
//
//     y^T [out, n] = w [out, in] x^T [in, n]
//
// with the weights as the numbers that are spread over a register's lanes, and a step of x^T, n
// images side by side, as the vectors (tile.h says how such a tile works). The tile is one of its
// own: tile.h's has the distance of two rows inside of its instructions, and here it is ldw, which
// is known only when it runs. Rows that are `ld` apart take a register each.
//
// Eight rows of w and not tile.h's 14: rows of a weight often lie a multiple of 4096 bytes apart,
// and then fall into the same set of L1, which has 12 places (8 on many processors). A pass is 1 KB
// of each row; while it is multiplied, the same run of the next rows is asked for, since so short
// runs are over before the hardware has noticed them.
#include "backends/cpu/kernels/matmul/pack.h"
#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T>
struct RowBlocking {
  static constexpr int rows = sizeof(Vec<T>) == 64 ? 8 : 6;
  static constexpr int cols = Blocking<T>::cols;
  static constexpr std::int64_t depth = 1024 / sizeof(T);
  static constexpr std::int64_t block_rows = rows * (sizeof(Vec<T>) == 64 ? 8 : 10);
};

// Rows as the tile reads them, `ld` apart.
template <class T>
struct Rows {
  const T* w;
  std::int64_t ld;
};
// Rows that will be wanted soon, `stride` bytes apart; null for none.
struct Ahead {
  const void* rows = nullptr;
  std::int64_t stride = 0;
};

// c[r * cols + j] (+)= sum over `depth` steps of w[r][p] x[p][j]; of more than 64 passes `lost`
// keeps what the additions round away (it has the form of c).
template <class T, int Height, int Vectors>
void in_place_tile(std::int64_t depth, const Rows<T>& w, const Ahead& ahead, const T* x, T* c,
                   bool add, T* lost) {
  using V = Vec<T>;
  constexpr int cols = RowBlocking<T>::cols;
  constexpr std::int64_t line = 64 / sizeof(T);
  V acc[Height][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Height; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) acc[r][v] = V::zero();
  for (std::int64_t begin = 0; begin < depth; begin += line) {
    if (ahead.rows != nullptr)
#pragma GCC unroll 8
      for (int r = 0; r < Height; ++r)
        __builtin_prefetch(static_cast<const char*>(ahead.rows) + r * ahead.stride +
                           begin * 64 / line);
    const std::int64_t end = smaller(depth, begin + line);
    for (std::int64_t p = begin; p < end; ++p) {
      V row_x[Vectors];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) row_x[v] = V::load(x + p * cols + v * V::width);
#pragma GCC unroll 8
      for (int r = 0; r < Height; ++r) {
        const V weight = V::set(w.w[r * w.ld + p]);
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) acc[r][v] = fma(weight, row_x[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Height; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      T* to = c + r * cols + v * V::width;
      if (add && lost != nullptr) {
        V rest = V::load(lost + r * cols + v * V::width);
        add_compensated(V::load(to), acc[r][v], &rest).store(to);
        rest.store(lost + r * cols + v * V::width);
        continue;
      }
      (add ? acc[r][v] + V::load(to) : acc[r][v]).store(to);
    }
}

template <class T, int Height = RowBlocking<T>::rows>
LIMULUS_INLINE void in_place_tile(int height, int cols, std::int64_t depth, const Rows<T>& w,
                                  const Ahead& ahead, const T* x, T* c, bool add, T* lost) {
  if constexpr (Height > 0) {
    if (height != Height)
      return in_place_tile<T, Height - 1>(height, cols, depth, w, ahead, x, c, add, lost);
    if (cols > Vec<T>::width)
      in_place_tile<T, Height, 2>(depth, w, ahead, x, c, add, lost);
    else
      in_place_tile<T, Height, 1>(depth, w, ahead, x, c, add, lost);
  }
}

// Weights of 16 bits become floats in L1, a few rows at a time.
Rows<float> widened_rows(int rows, std::int64_t depth, const Bf16* w, std::int64_t ldw,
                         float* wide) {
  constexpr std::int64_t ld = RowBlocking<float>::depth;
  for (int r = 0; r < rows; ++r)
    for_lanes<float>(0, depth, [from = w + r * ldw, to = wide + r * ld](auto at) {
      at.store(to, at.load(from));
    });
  return {wide, ld};
}

// y[q][o .. o + rows] = what was summed, [rows, cols] of y^T, in c.
template <class T>
void put_transposed(const RowProducts<T>& s, std::int64_t o, std::int64_t rows, std::int64_t q,
                    std::int64_t cols, const T* c, T* transposed) {
  using V = Vec<T>;
  constexpr std::int64_t ldt = RowBlocking<T>::block_rows;
  transpose(rows, cols, c, RowBlocking<T>::cols, transposed, ldt);
  for (std::int64_t j = 0; j < cols; ++j) {
    T* y = s.y + (q + j) * s.ldy + o;
    for_lanes<T>(0, rows, [=](auto at) {
      V value = at.load(transposed + j * ldt);
      if (s.bias) value = value + at.load(s.bias + o);
      if (s.add) value = value + at.load(y);
      at.store(y, s.relu ? select(V::zero() > value, V::zero(), value) : value);
    });
  }
}

}  // namespace

template <class T, class W>
void rows_in_place(const Context& ctx, const RowProducts<T>& s, const W* w) {
  using P = RowBlocking<T>;
  constexpr bool same = sizeof(W) == sizeof(T);
  constexpr std::int64_t size = sizeof(T);
  const std::int64_t panels = ceil_div(s.n, P::cols), passes = ceil_div(s.in, P::depth);
  const std::int64_t panel = P::cols * P::depth;       // numbers of a packed panel of x
  const std::int64_t block = P::block_rows * P::cols;  // numbers of a panel of sums
  const std::int64_t widened = same ? 0 : P::rows * P::depth;
  const std::int64_t lost = passes > 64 ? panels * block : 0;
  const std::int64_t per_thread = (panels + 1) * block + widened + lost;  // of one thread
  const Scratch scratch(ctx, (passes * panels * panel + ctx.threads * per_thread) * size);
  T* packed = scratch.as<T>();
  T* sums = packed + passes * panels * panel;

  parallel_for(ctx, passes, 4 * s.n * s.in * size, [=](std::int64_t pass, int) {
    const std::int64_t i = pass * P::depth, depth = smaller(P::depth, s.in - i);
    for (std::int64_t j = 0; j < panels; ++j) {
      T* to = packed + (pass * panels + j) * panel;
      transpose(smaller(P::cols, s.n - j * P::cols), depth, s.x + j * P::cols * s.ldx + i, s.ldx,
                to, P::cols);
      clear_columns(s.n - j * P::cols, depth, to);
    }
  });

  const std::int64_t work = s.out * s.in * size;
  parallel_for(ctx, ceil_div(s.out, P::block_rows), work, [=](std::int64_t task, int thread) {
    const std::int64_t o = task * P::block_rows, rows = smaller(P::block_rows, s.out - o);
    T *c = sums + thread * per_thread, *transposed = c + panels * block,
      *values = transposed + block;
    T* dropped = lost == 0 ? nullptr : values + widened;
    for (std::int64_t i = 0; i < lost; ++i) dropped[i] = 0;
    for (std::int64_t i = 0; i < s.in; i += P::depth) {
      const std::int64_t depth = smaller(P::depth, s.in - i);
      const T* x = packed + i / P::depth * panels * panel;
      for (std::int64_t r = 0; r < rows; r += P::rows) {
        const int height = static_cast<int>(smaller(P::rows, rows - r));
        const W* here = w + (o + r) * s.ldw + i;
        // After the last rows of a block come its first ones, a pass further on.
        const W* next = r + P::rows < rows ? here + P::rows * s.ldw : w + o * s.ldw + i + P::depth;
        Rows<T> from;
        if constexpr (same)
          from = {here, s.ldw};
        else
          from = widened_rows(height, depth, here, s.ldw, values);
        for (std::int64_t j = 0; j < panels; ++j)
          in_place_tile<T>(
              height, static_cast<int>(smaller(P::cols, s.n - j * P::cols)), depth, from,
              j == 0 ? Ahead{next, s.ldw * static_cast<std::int64_t>(sizeof(W))} : Ahead{},
              x + j * panel, c + j * block + r * P::cols, i > 0,
              dropped == nullptr ? nullptr : dropped + j * block + r * P::cols);
      }
    }
    for (std::int64_t j = 0; j < panels; ++j)
      put_transposed(s, o, rows, j * P::cols, smaller(P::cols, s.n - j * P::cols), c + j * block,
                     transposed);
  });
}

template void rows_in_place<float>(const Context&, const RowProducts<float>&, const float*);
template void rows_in_place<float>(const Context&, const RowProducts<float>&, const Bf16*);
template void rows_in_place<double>(const Context&, const RowProducts<double>&, const double*);

}  // namespace limulus::cpu::LIMULUS_ISA
