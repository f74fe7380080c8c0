#pragma once
// Sizes that make a kernel fast on one kind of device, and that no kernel's text fixes: they reach it
// as -D options.
#include <cstdint>

namespace limulus::opencl {

struct Tuning {
  int vec_f32, vec_f64;  // VEC: numbers in a vector register
  int tile_rows;         // MR: rows of the register tile of gemm; it is 2 VEC wide
  int run;               // RUN: elements of one item in a simple loop
  int run_across;        // RUN_ACROSS: pixels or results of one item that walks an outer axis
  int pack_run;          // PACK_RUN: steps that one item packs
  std::int64_t k_block;  // steps of gemm in one pass
  std::size_t group;     // items in a work-group along the first axis
};

// A processor: an item is a loop over much work, and a group is an item. 12 x 32 floats is the tile
// for 32 registers of 16 floats (AVX-512), 6 x 16 that for 16 registers of 8 (AVX2).
constexpr Tuning processor(int native_f32) {
  if (native_f32 >= 16) return {16, 8, 12, 4096, 128, 64, 384, 1};
  if (native_f32 >= 8) return {8, 4, 6, 4096, 128, 64, 256, 1};
  return {4, 2, 6, 4096, 128, 64, 256, 1};
}

// A GPU: many items with little work each; neighbouring items touch neighbouring elements.
constexpr Tuning gpu() { return {4, 2, 4, 1, 1, 1, 4096, 64}; }

}  // namespace limulus::opencl
