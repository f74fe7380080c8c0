#pragma once
// The blocked matrix product: one block of C, whole sums over k, by one thread.
//
// The loops, from the outside in, and what each keeps where (single precision, AVX-512):
//
//     p   over k in passes of `depth` <= 384     a pass of B, depth x n: 768 KB at most (n <= 512),
//                                                 in L2 and L3, this thread's own
//     i   over m in blocks of 168 rows            a block of A is packed: 269 KB, in L2
//     j   over n in panels of 32 columns          a panel of B: 48 KB, in L1
//     r   over the block in panels of 14 rows     a panel of A: 22 KB, streams from L2
//     multiply_tile                               14 x 32 of C, in registers
//
// B is packed before its pass begins, or, where its rows lie in memory as a tile can read them,
// panel by panel, by the first tile that needs it (StoredRows, tile.h). That saves reading B once
// more, and lets memory deliver while the tile multiplies: 4 to 15 % of the time, the more the
// fewer rows share a panel.
//
// (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, and the BLIS
// papers name these loops; here each thread runs the whole nest on a block of C of its own, so that
// threads share nothing and never wait for one another.)
//
// Where A and B come from and where C goes is up to three small objects: a matrix in memory
// (pack.h) or an image seen through a convolution's window (image.h). They are template parameters,
// so that the compiler sees through them.
#include "backends/cpu/kernels/matmul/pack.h"
#include "backends/cpu/kernels/simd/parallel.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
constexpr std::int64_t bytes_of(std::int64_t count) {  // rounded to pages: threads stay apart
  return round_up(count * static_cast<std::int64_t>(sizeof(T)), 4096);
}

// What the additions to a block of C have rounded away (add_compensated), rows `ld` apart; null
// where the sum is not long.
template <class T>
struct Lost {
  T* values = nullptr;
  std::int64_t ld = 0;
  Lost at(std::int64_t i, std::int64_t j) const {
    return {values == nullptr ? nullptr : values + i * ld + j, ld};
  }
};

// The packed block of A and the packed pass of B of one thread, for blocks of C at most m x n.
//
// A pass adds up to 384 terms in a register and then its sum to C: chains of 384 and of k / 384
// additions, whose errors grow with their lengths, by an eighth of eps an addition at worst
// (measured on equal terms: 48 eps for a pass). From 64 passes on a block therefore keeps what the
// additions to C round away.
template <class T>
struct Panels {
  static constexpr std::int64_t a_count = Blocking<T>::block_rows * Blocking<T>::row_stride;
  static constexpr std::int64_t b_count(std::int64_t n) {
    return (round_up(n, Blocking<T>::cols) + 1) * Blocking<T>::depth;
  }
  static constexpr std::int64_t lost_count(std::int64_t m, std::int64_t n, std::int64_t k) {
    return k > 64 * Blocking<T>::depth ? m * n : 0;
  }
  static constexpr std::int64_t bytes(std::int64_t m, std::int64_t n, std::int64_t k) {
    return bytes_of<T>(a_count) + bytes_of<T>(b_count(n)) + bytes_of<T>(lost_count(m, n, k));
  }
  T* a;
  T* b;
  Lost<T> lost;
  // A block's sums begin: m x n of them, of k terms each, in however many calls of multiply_block.
  Panels(char* memory, std::int64_t m, std::int64_t n, std::int64_t k)
      : a(reinterpret_cast<T*>(memory)), b(reinterpret_cast<T*>(memory + bytes_of<T>(a_count))) {
    const std::int64_t count = lost_count(m, n, k);
    if (count == 0) return;
    lost = {reinterpret_cast<T*>(memory + bytes_of<T>(a_count) + bytes_of<T>(b_count(n))), n};
    for (std::int64_t i = 0; i < count; ++i) lost.values[i] = 0;
  }
};

// C += the sums of a tile, where sums are long. Apart from multiply_tile, whose sums stay in
// registers only as long as no loop indexes them.
template <class T>
[[gnu::noinline]] void add_long_sums(int rows, const T* tile, const Target<T>& to,
                                     const Lost<T>& lost) {
  for (int r = 0; r < rows; ++r, tile += Blocking<T>::cols) {
    T *c = to.c + r * to.ldc, *rest = lost.values + r * lost.ld;
    for_lanes<T>(0, to.cols, [&](auto at) {
      Vec<T> left = at.load(rest);
      Vec<T> sum = add_compensated(at.load(c), at.load(tile), &left);
      at.store(rest, left);
      if (to.relu) sum = select(Vec<T>::zero() > sum, Vec<T>::zero(), sum);  // NaN stays
      at.store(c, sum);
    });
  }
}

// C as it lies in memory.
template <class T>
struct StoredC {
  T* c;
  std::int64_t ldc;
  const T* bias = nullptr;  // one per row of C
  bool stream = false;  // tiles are written around the caches: c and its rows aligned to 64 bytes
  bool relu = false;    // clamped at 0, at last

  template <class B>  // a packed panel, or rows of B
  void put(int rows, std::int64_t depth, const T* a, const B& b, std::int64_t i, std::int64_t j,
           int cols, bool add, bool last, const Lost<T>& lost) {
    const Target<T> to{c + i * ldc + j, ldc,         cols, add, bias && !add ? bias + i : nullptr,
                       stream,          relu && last};
    if (!add || lost.values == nullptr) return multiply_tile<T>(rows, depth, a, b, to);
    alignas(64) T tile[Blocking<T>::rows * Blocking<T>::cols];
    multiply_tile<T>(rows, depth, a, b, PackedC<T>{tile, cols, false});
    add_long_sums(rows, tile, to, lost);
  }
};

// C[i0 .. i0 + m, j0 .. j0 + n] = sum over k of A B, or += with `add`. A sum of no terms (k = 0)
// takes one pass, of no steps.
template <class T, class A, class B, class C>
void multiply_block(A& a, B& b, C& c, std::int64_t i0, std::int64_t m, std::int64_t j0,
                    std::int64_t n, std::int64_t k, bool add, const Panels<T>& panels) {
  using Block = Blocking<T>;
  // Passes of equal depth, blocks of equal height, panels of nearly equal height: 32 rows are 11,
  // 11 and 10 rather than 14, 14 and 4.
  const std::int64_t depth = ceil_div(k, larger(1, ceil_div(k, Block::depth)));
  const std::int64_t block = ceil_div(m, ceil_div(m, Block::block_rows));
  const bool once = m <= block;  // a panel is done with when the next one comes: one place for all
  std::int64_t p = 0;
  do {
    const std::int64_t steps = smaller(depth, k - p);
    std::int64_t read = 0;  // so many columns are packed by the tiles that read them first
    if constexpr (requires { b.has_rows(); })
      if (b.has_rows()) read = n - n % Block::cols;
    if (read < n) b.pack(p, steps, j0 + read, n - read, panels.b + read * steps);
    for (std::int64_t i = 0; i < m; i += block) {
      const std::int64_t rows = smaller(block, m - i);
      const std::int64_t height = ceil_div(rows, ceil_div(rows, Block::rows));
      a.pack(i0 + i, rows, p, steps, panels.a);
      for (std::int64_t j = 0; j < n; j += Block::cols)
        for (std::int64_t r = 0; r < rows; r += height) {
          T* panel = panels.b + (once && j < read ? 0 : j * steps);
          const auto put = [&](const auto& from) {
            c.put(static_cast<int>(smaller(height, rows - r)), steps,
                  panels.a + r * Block::row_stride, from, i0 + i + r, j0 + j,
                  static_cast<int>(smaller(Block::cols, n - j)), add || p > 0, p + steps == k,
                  panels.lost.at(i + r, j));
          };
          if constexpr (requires { b.has_rows(); })
            if (j < read && i + r == 0) {
              put(b.rows(p, j0 + j, panel));
              continue;
            }
          put(static_cast<const T*>(panel));
        }
    }
    p += depth;
  } while (p < k);
}

}  // namespace limulus::cpu::LIMULUS_ISA
