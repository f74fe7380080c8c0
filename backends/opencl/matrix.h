#pragma once
// The matrix product as the host sees it (kernels/gemm.cl): on a processor, pack both operands,
// then run the tile; on a GPU, run groups of tiles on operands where they lie.
#include <cstdint>

#include "backends/opencl/run.h"

namespace limulus::opencl {

// A line is a row of A or a column of B. Element (line, p) of an operand stands at
//     offset + batch * batch_step + line * line_step + p / piece * piece_step + p % piece * step.
struct Operand {
  const void* data;
  std::int64_t offset, lines, line_step, k, step;
  std::int64_t batch = 1, batch_step = 0;
  std::int64_t piece = 0, piece_step = 0;  // 0: p runs straight through
};

// Numbers in the packed form of one matrix.
std::int64_t packed_a(const Runtime& r, DType dtype, std::int64_t lines, std::int64_t k);
std::int64_t packed_b(const Runtime& r, DType dtype, std::int64_t lines, std::int64_t k);

// A in panels of panel_a() rows, or B in panels of panel_b() columns.
void pack_a(Runtime& r, DType dtype, const Operand& from, void* packed);
void pack_b(Runtime& r, DType dtype, const Operand& from, void* packed);

// C[i, j] at batch * c_batch + i ldc + j. A and B are packed. Or b_step is not 0: then step p of B
// is a row at p * b_step, and n is a multiple of panel_b().
struct Product {
  std::int64_t m, n, k, ldc;
  bool add = false;
  std::int64_t b_step = 0;
  std::int64_t batch = 1, a_batch = 0, b_batch = 0, c_batch = 0;
};
// `pool` gives the workspace that sums of very many terms need.
void multiply(Runtime& r, DType dtype, const Product& s, const void* a, const void* b, void* c,
              Pool& pool);

// So many groups keep a card busy: long sums are cut into parts until there are as many.
constexpr std::int64_t groups_wanted = 512;
// ... and up to so many passes over k (tuning.h) are added up without keeping what rounds away.
constexpr std::int64_t plain_passes = 32;

// The same on a GPU. An operand lies where it lies: line i, step p of batch b at
//     offset + b * batch_step + i * line_step + p * step,    one of the two steps being 1.
struct Factor {
  const void* data;
  std::int64_t offset, line_step, step;
  std::int64_t batch_step = 0;
};
// C [m, n], rows of ldc, plus a bias [n] if there is one, and its positive part if `relu`.
struct GroupProduct {
  std::int64_t m, n, k, ldc;
  bool add = false;
  std::int64_t batch = 1, c_batch = 0;
  const void* bias = nullptr;
  bool relu = false;
};
void multiply(Runtime& r, DType dtype, const GroupProduct& s, const Factor& a, const Factor& b,
              void* c, Pool& pool);

}  // namespace limulus::opencl
