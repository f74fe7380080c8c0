#include "backends/opencl/matrix.h"

#include <algorithm>

namespace limulus {
namespace opencl {
namespace {

std::int64_t panel_width(const Runtime& r, DType dtype, bool is_a) {
  return is_a ? r.tuning().tile_rows : 2 * r.vec(dtype);
}

}  // namespace

std::int64_t packed_bytes(const Runtime& r, DType dtype, bool is_a, std::int64_t lines,
                          std::int64_t k) {
  const std::int64_t width = panel_width(r, dtype, is_a);
  return ceil_div(lines, width) * width * k * static_cast<std::int64_t>(size_of(dtype));
}

void pack(Runtime& r, DType dtype, bool is_a, const void* source, std::int64_t offset, Axis lines,
          Axis k, void* packed) {
  const Items items = {ceil_div(k.size, r.tuning().pack_run),
                       ceil_div(lines.size, panel_width(r, dtype, is_a)), 1};
  r.launch("gemm", dtype, is_a ? "pack_a" : "pack_b", items, source, offset, lines.size,
           lines.per_image, lines.image_step, lines.step, k.size, k.per_image, k.image_step, k.step,
           packed);
}

void multiply(Runtime& r, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* packed_a, const void* b, std::int64_t b_panel_step, std::int64_t b_step,
              const Target& to) {
  const Items tiles = {ceil_div(m, panel_width(r, dtype, true)),
                       ceil_div(n, panel_width(r, dtype, false)), 1};
  Start start = to.start;
  std::int64_t k0 = 0;
  do {  // k = 0 needs a pass, too: C becomes zero or the bias
    const std::int64_t k1 = std::min(k, k0 + r.tuning().k_block);
    r.launch("gemm", dtype, "gemm_tile", tiles, packed_a, b, b_panel_step, b_step, k, k0, k1, to.c,
             to.offset, m, n, to.ldc, to.columns.per_image, to.columns.image_step,
             static_cast<int>(start), to.bias, to.bias_offset);
    start = Start::c;
    k0 = k1;
  } while (k0 < k);
}

void multiply(Runtime& r, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* packed_a, const void* packed_b, const Target& to) {
  const std::int64_t width = panel_width(r, dtype, false);
  multiply(r, dtype, m, n, k, packed_a, packed_b, width * k, width, to);
}

}  // namespace opencl

void OpenClBackend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  using namespace opencl;
  run(dtype, "gemm", s, [&](Runtime& r) {
    constexpr std::int64_t few_rows = 64, dot_rows = 4, dot_columns = 4;  // gemm.cl: DM, DN
    const auto start = s.beta == 0 ? Start::zero : Start::c;
    if (s.trans_b && !s.trans_a && s.m <= few_rows) {
      const Items tiles = {ceil_div(s.m, dot_rows), ceil_div(s.n, dot_columns), 1};
      return r.launch("gemm", dtype, "gemm_dot", tiles, a, s.lda, b, s.ldb, s.k, c, s.m, s.n, s.ldc,
                      static_cast<int>(start));
    }
    const auto bytes = [&](bool is_a) {
      return static_cast<std::size_t>(packed_bytes(r, dtype, is_a, is_a ? s.m : s.n, s.k));
    };
    const Workspace packed_a(pool(), bytes(true));
    pack(r, dtype, true, a, 0, plain(s.m, s.trans_a ? 1 : s.lda), plain(s.k, s.trans_a ? s.lda : 1),
         packed_a.data());
    const Target to = {c, 0, s.ldc, plain(s.n, 1), start};
    // Few rows of A use B too few times to earn its packing: the tile reads its rows where they are.
    const std::int64_t width = panel_width(r, dtype, false);
    if (!s.trans_b && s.m <= few_rows && s.n % width == 0)
      return multiply(r, dtype, s.m, s.n, s.k, packed_a.data(), b, width, s.ldb, to);
    const Workspace packed_b(pool(), bytes(false));
    pack(r, dtype, false, b, 0, plain(s.n, s.trans_b ? s.ldb : 1),
         plain(s.k, s.trans_b ? 1 : s.ldb), packed_b.data());
    multiply(r, dtype, s.m, s.n, s.k, packed_a.data(), packed_b.data(), to);
  });
}

}  // namespace limulus
