// C = op(A) op(B) + beta C: which way to go, and how C is cut into blocks for the threads.
//
//     rows      few rows of A, and B transposed, as in a Linear layer whose weight [out, in] is B:
//               B is read where it lies (rows_dot.cpp, rows_in_place.cpp)
//     plain     all else: both are packed (gemm.h)
//
// Each element's sum is formed by one thread in the order of k, in passes whose depth depends on k
// alone. So neither where C is cut nor the number of threads shows in a single bit of the result.
#include "backends/cpu/kernels/matmul/gemm.h"

#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// Blocks of C: large, since what is packed for a block is used over its whole width or height. One
// thread has no use for more than the caches ask for; more threads need some to share, and in long
// products enough for those to go on that others leave behind. (Zen 5, AVX-512, one core: 512 x 512
// x 512 runs at 256 GFLOP/s in one block, 248 in 8.)
struct Cut {
  std::int64_t m, n;        // of a block
  std::int64_t rows, cols;  // how many blocks there are
};

template <class T>
Cut cut(int threads, std::int64_t m, std::int64_t n, std::int64_t k) {
  // In multiply-adds: 20 us as opposed to 2 for handing out a task, and 4 ms.
  constexpr std::int64_t small_block = 1 << 21, large_block = 1 << 29;
  std::int64_t parts_m = ceil_div(m, 1024), parts_n = ceil_div(n, 512);
  const auto blocks = [&] {
    const std::int64_t height = round_up(ceil_div(m, parts_m), Blocking<T>::rows);
    const std::int64_t width = round_up(ceil_div(n, parts_n), Blocking<T>::cols);
    return Cut{height, width, ceil_div(m, height), ceil_div(n, width)};
  };
  Cut c = blocks();
  while (threads > 1 && (c.m > 96 || c.n > 96)) {
    const std::int64_t count = c.rows * c.cols, work = c.m * c.n * k;
    if (!(count < 2 * threads && work > small_block) &&
        !(count < 16 * threads && work > large_block))
      break;
    ++(c.m > c.n ? parts_m : parts_n);
    c = blocks();
  }
  return c;
}

template <class T>
void gemm_plain(const Context& ctx, const GemmShape& s, const T* a, const T* b, T* c) {
  const Cut blocks = cut<T>(ctx.threads, s.m, s.n, s.k);
  const std::int64_t bytes = Panels<T>::bytes(blocks.m, blocks.n, s.k);
  const Scratch scratch(ctx, ctx.threads * bytes);
  char* memory = scratch.as<char>();
  const std::int64_t work = s.m * s.n * s.k / 4;
  // A large result of a short sum (the weight gradient of a Linear layer: 150 MB, each element a
  // sum over the batch) is written once, around the caches.
  constexpr std::int64_t size = sizeof(T);
  const bool stream = s.beta == 0 && s.k <= Blocking<T>::depth &&
                      s.m * s.n * size >= stream_bytes && s.ldc * size % 64 == 0 &&
                      reinterpret_cast<std::uintptr_t>(c) % 64 == 0;
  parallel_for(ctx, blocks.rows * blocks.cols, work, [=](std::int64_t task, int thread) {
    const std::int64_t i = task / blocks.cols * blocks.m, j = task % blocks.cols * blocks.n;
    StoredA<T> from_a{a, s.lda, s.trans_a};
    StoredB<T> from_b{b, s.ldb, s.trans_b};
    StoredC<T> to{c, s.ldc, nullptr, stream};
    multiply_block<T>(from_a, from_b, to, i, smaller(blocks.m, s.m - i), j,
                      smaller(blocks.n, s.n - j), s.k, s.beta != 0,
                      Panels<T>(memory + thread * bytes, blocks.m, blocks.n, s.k));
    stream_done(stream);
  });
}

}  // namespace

template <class T>
void gemm(const Context& ctx, const GemmShape& s, const T* a, const T* b, T* c) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) {
    for (std::int64_t i = 0; i < (s.beta == 0 ? s.m : 0); ++i)
      for (std::int64_t j = 0; j < s.n; ++j) c[i * s.ldc + j] = 0;
    return;
  }
  // A single row or column lies the same way whether it is called transposed or not.
  GemmShape t = s;
  if (s.trans_a && s.m == 1 && s.lda == 1) t.trans_a = false, t.lda = s.k;
  if (!s.trans_b && s.n == 1 && s.ldb == 1) t.trans_b = true, t.ldb = s.k;

  if (!t.trans_a && t.trans_b) {
    const bool add = t.beta != 0;
    const RowProducts<T> rows = {t.m, t.k, t.n, a, t.lda, t.ldb, c, t.ldc, 1, nullptr, add};
    if (t.n <= few_rows && t.m > t.n) {  // the same of C^T
      const RowProducts<T> columns = {t.n, t.k, t.m, b, t.ldb, t.lda, c, 1, t.ldc, nullptr, add};
      return rows_dot<T, T>(ctx, columns, a);
    }
    if (t.m <= few_rows) return rows_dot<T, T>(ctx, rows, b);
    if (t.m <= in_place_rows && t.m < t.n) return rows_in_place<T, T>(ctx, rows, b);
  }
  gemm_plain<T>(ctx, t, a, b, c);
}

template void gemm<float>(const Context&, const GemmShape&, const float*, const float*, float*);
template void gemm<double>(const Context&, const GemmShape&, const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA
