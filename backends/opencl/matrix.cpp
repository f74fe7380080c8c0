#include "backends/opencl/matrix.h"

#include <algorithm>

namespace limulus {
namespace opencl {
namespace {

std::int64_t a_row(const Runtime& r, DType dtype) { return r.tuning().k_block + r.vec(dtype); }

void pack(Runtime& r, DType dtype, const char* kernel, const Items& items, const Operand& s,
          void* packed) {
  const std::int64_t piece = s.piece == 0 ? s.k : s.piece;
  r.launch("gemm", dtype, kernel, items, s.data, s.offset, s.batch_step, s.lines, s.line_step, s.k,
           piece, s.piece_step, s.step, packed);
}

}  // namespace

std::int64_t packed_a(const Runtime& r, DType dtype, std::int64_t lines, std::int64_t k) {
  return round_up(lines, r.panel_a()) * ceil_div(k, r.tuning().k_block) * a_row(r, dtype);
}

std::int64_t packed_b(const Runtime& r, DType dtype, std::int64_t lines, std::int64_t k) {
  return round_up(lines, r.panel_b(dtype)) * k;
}

void pack_a(Runtime& r, DType dtype, const Operand& from, void* packed) {
  const std::int64_t panels = ceil_div(from.lines, r.panel_a());
  pack(r, dtype, "pack_a", {ceil_div(from.k, r.tuning().k_block), panels, from.batch}, from,
       packed);
}

void pack_b(Runtime& r, DType dtype, const Operand& from, void* packed) {
  const std::int64_t panels = ceil_div(from.lines, r.panel_b(dtype));
  pack(r, dtype, "pack_b", {ceil_div(from.k, r.tuning().k_block), panels, from.batch}, from,
       packed);
}

void multiply(Runtime& r, DType dtype, const Product& s, const void* a, const void* b, void* c,
              Pool& pool) {
  const std::int64_t width = r.panel_b(dtype);
  const bool along = (s.k <= 64 && s.m > s.k) || s.batch > 1;
  Items groups = {ceil_div(s.m, r.panel_a()), ceil_div(s.n, width), s.batch};
  if (along) std::swap(groups[0], groups[1]);
  const std::int64_t b_panel = s.b_step == 0 ? width * s.k : width;
  const std::int64_t b_step = s.b_step == 0 ? width : s.b_step;
  // With this many passes, what the additions to C round away counts.
  const bool many = s.k / 64 > r.tuning().k_pass;
  const Workspace lost(pool, bytes_of(dtype, many ? s.batch * s.m * s.n : 0));
  void* const kept = many ? lost.data() : nullptr;
  std::int64_t k0 = 0;
  do {  // k = 0 needs a pass, too: C becomes zero
    const std::int64_t k1 = std::min<std::int64_t>(s.k, k0 + r.tuning().k_pass);
    r.launch_groups("gemm", dtype, "gemm_tile", groups, a, s.a_batch, b, b_panel, b_step, s.b_batch,
                    s.k, k0, k1, c, s.c_batch, s.m, s.n, s.ldc, s.add || k0 > 0 ? 1 : 0,
                    along ? 1 : 0, kept);
    k0 = k1;
  } while (k0 < s.k);
}

namespace {

// Into how many parts the steps of a GPU's product are cut: as many as give a card enough groups
// to choose from, but parts of 640 steps or more, as each costs a pass over C.
std::int64_t parts_of_steps(std::int64_t groups, std::int64_t k, std::int64_t pass) {
  constexpr std::int64_t least = 640;
  const std::int64_t parts =
      std::clamp<std::int64_t>(groups_wanted / groups, 1, std::max<std::int64_t>(k / least, 1));
  return std::max(parts, k / (plain_passes * pass));
}

}  // namespace

void multiply(Runtime& r, DType dtype, const GroupProduct& s, const Factor& a, const Factor& b,
              void* c, Pool& pool) {
  const std::int64_t panels_a = ceil_div(s.m, r.panel_a()),
                     panels_b = ceil_div(s.n, r.panel_b(dtype));
  const std::int64_t groups = panels_a * panels_b * s.batch;
  if (groups == 0) return;
  const std::int64_t pass = r.tuning().k_pass;
  std::int64_t parts = parts_of_steps(groups, s.k, pass);
  const std::int64_t k_part = round_up(ceil_div(s.k, parts), 64);  // whole slices
  parts = s.k == 0 ? 1 : ceil_div(s.k, k_part);
  const Workspace partial(pool, bytes_of(dtype, parts > 1 ? s.batch * parts * s.m * s.n : 0));
  const bool whole = parts == 1;
  const std::int64_t ldc = whole ? s.ldc : s.n, c_batch = whole ? s.c_batch : s.m * s.n;
  const bool aligned = ldc % r.vec(dtype) == 0 && c_batch % r.vec(dtype) == 0;
  const void* none = nullptr;
  // One line, or one step, lies either way.
  const bool along_a = a.step == 1, along_b = b.step == 1;
  const char* const kernel = along_a   ? along_b ? "product_steps_steps" : "product_steps_lines"
                             : along_b ? "product_lines_steps"
                                       : "product_lines_lines";
  std::int64_t k0 = 0;
  do {  // k = 0 needs a pass, too: C becomes zero
    const bool last = k0 + pass >= k_part;
    r.launch_groups("gemm", dtype, kernel, {panels_a, panels_b, s.batch * parts}, a.data, a.offset,
                    a.batch_step, a.line_step, a.step, b.data, b.offset, b.batch_step, b.line_step,
                    b.step, s.k, k_part, static_cast<cl_int>(parts), k0, k0 + pass,
                    whole ? c : partial.data(), c_batch, s.m, s.n, ldc,
                    (whole && s.add) || k0 > 0 ? 1 : 0, aligned ? 1 : 0,
                    whole && last ? s.bias : none, whole && last && s.relu ? 1 : 0);
    k0 += pass;
  } while (k0 < k_part);
  if (!whole)
    r.launch("gemm", dtype, "sum_parts", {s.n, s.m, s.batch}, partial.data(),
             static_cast<cl_int>(parts), c, s.c_batch, s.m, s.n, s.ldc, s.add ? 1 : 0, s.bias,
             s.relu ? 1 : 0);
}

namespace {

constexpr std::int64_t few = 160;     // rows for which the other operand is read where it is
constexpr std::int64_t very_few = 4;  // gemm.cl: DM and DN

// y[j, i] = b[i] + sum over p of x[j, p] w[i, p], or added to y: few rows of x, many of w.
void few_rows(Runtime& r, DType dtype, const LinearShape& s, const void* x, std::int64_t ldx,
              const void* w, std::int64_t ldw, const void* b, void* y, std::int64_t ldy, bool add,
              Pool& pool) {
  if (s.n <= very_few)
    return r.launch("gemm", dtype, "linear_dot", {ceil_div(s.out, very_few), 1, 1}, x, ldx, w, ldw,
                    s.in, y, s.n, s.out, ldy, add ? 1 : 0, b, s.relu ? 1 : 0);
  const Workspace packed(pool, bytes_of(dtype, packed_b(r, dtype, s.n, s.in)));
  pack_b(r, dtype, {x, 0, s.n, ldx, s.in, 1}, packed.data());
  r.launch_groups("gemm", dtype, "linear_tile",
                  {ceil_div(s.n, r.panel_b(dtype)), ceil_div(s.out, r.panel_a()), 1}, w, ldw,
                  packed.data(), s.in, y, s.n, s.out, ldy, add ? 1 : 0, b, s.relu ? 1 : 0);
}

}  // namespace
}  // namespace opencl

void OpenClBackend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  using namespace opencl;
  run(dtype, "gemm", s, [&](Runtime& r) {
    if (s.m * s.n == 0) return;
    if (!r.tuning().processor) {
      const Factor from_a = {a, 0, s.trans_a ? 1 : s.lda, s.trans_a ? s.lda : 1};
      const Factor from_b = {b, 0, s.trans_b ? s.ldb : 1, s.trans_b ? 1 : s.ldb};
      return multiply(r, dtype, {s.m, s.n, s.k, s.ldc, s.beta != 0}, from_a, from_b, c, pool());
    }
    if (s.trans_b && !s.trans_a && s.m <= few)
      return few_rows(r, dtype, {s.m, s.k, s.n}, a, s.lda, b, s.ldb, nullptr, c, s.ldc, s.beta != 0,
                      pool());
    const Workspace pa(pool(), bytes_of(dtype, packed_a(r, dtype, s.m, s.k)));
    pack_a(r, dtype, {a, 0, s.m, s.trans_a ? 1 : s.lda, s.k, s.trans_a ? s.lda : 1}, pa.data());
    Product product = {s.m, s.n, s.k, s.ldc, s.beta != 0};
    if (!s.trans_b && s.m <= few && s.n % r.panel_b(dtype) == 0) {
      product.b_step = s.ldb;
      return multiply(r, dtype, product, pa.data(), b, c, pool());
    }
    const Workspace pb(pool(), bytes_of(dtype, packed_b(r, dtype, s.n, s.k)));
    pack_b(r, dtype, {b, 0, s.n, s.trans_b ? s.ldb : 1, s.k, s.trans_b ? 1 : s.ldb}, pb.data());
    multiply(r, dtype, product, pa.data(), pb.data(), c, pool());
  });
}

void OpenClBackend::linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  if ((s.n > opencl::few && runtime_->tuning().processor) ||
      s.weights == DType::bf16)  // kernels here read no bf16; Backend says so
    return Backend::linear_forward(dtype, s, x, w, b, y);
  run(dtype, "linear_forward", s, [&](opencl::Runtime& r) {
    if (s.n * s.out == 0) return;
    if (!r.tuning().processor && s.n > opencl::very_few)
      return multiply(r, dtype,
                      {.m = s.n, .n = s.out, .k = s.in, .ldc = s.out, .bias = b, .relu = s.relu},
                      {x, 0, s.in, 1}, {w, 0, s.in, 1}, y, pool());
    opencl::few_rows(r, dtype, s, x, s.in, w, s.in, b, y, s.out, false, pool());
  });
}

}  // namespace limulus
