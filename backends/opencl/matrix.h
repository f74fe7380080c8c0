#pragma once
// The matrix product as the host sees it: pack both operands, then run the tile (kernels/gemm.cl).
#include <cstdint>

#include "backends/opencl/run.h"

namespace limulus::opencl {

// One axis of an operand: index i stands at i / per_image * image_step + i % per_image * step.
struct Axis {
  std::int64_t size, step;
  std::int64_t per_image, image_step;
};
inline Axis plain(std::int64_t size, std::int64_t step) {  // one image: i stands at i * step
  return {size, step, size > 0 ? size : 1, 0};
}
inline Axis images(std::int64_t count, std::int64_t per_image, std::int64_t image_step) {
  return {count * per_image, 1, per_image, image_step};
}

std::int64_t packed_bytes(const Runtime& r, DType dtype, bool is_a, std::int64_t lines,
                          std::int64_t k);

// A [lines, k] of element (i, p) at offset + place(i) + place(p), in panels of MR rows; or B, whose
// columns are the lines, in panels of NR.
void pack(Runtime& r, DType dtype, bool is_a, const void* source, std::int64_t offset, Axis lines,
          Axis k, void* packed);

enum class Start : int { zero = 0, c = 1, bias = 2 };

struct Target {  // C[i, j] at offset + i ldc + place(j)
  void* c;
  std::int64_t offset, ldc;
  Axis columns;
  Start start = Start::zero;
  const void* bias = nullptr;
  std::int64_t bias_offset = 0;
};

// b_step and b_panel_step are NR and NR k for a packed B, or ldb and NR for rows of B as they are.
void multiply(Runtime& r, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* packed_a, const void* b, std::int64_t b_panel_step, std::int64_t b_step,
              const Target& to);

// The same with a packed B.
void multiply(Runtime& r, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* packed_a, const void* packed_b, const Target& to);

}  // namespace limulus::opencl
