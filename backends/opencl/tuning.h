#pragma once
// The sizes that make a kernel fast on one kind of device. They are not written in a kernel's text:
// they reach it as -D options.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace limulus::opencl {

struct Tuning {
  bool processor;        // PROCESSOR: items are long loops, and groups are one item
  int vec_f32, vec_f64;  // VEC: numbers in a vector
  int tile_rows;         // MR: rows of an item's tile (tile.cl); it is 2 VEC wide
  int group_a, group_b;  // GROUP_A x GROUP_B: tiles of a group that share local memory
  int slice;             // SLICE: steps that they fetch at a time
  int k_block;           // K_BLOCK: steps of A that are packed together
  int k_pass;            // steps of gemm in one pass over C, a multiple of k_block
  int run;               // RUN: elements of one item in a simple loop
  int run_across;        // RUN_ACROSS: pixels or results of one item that walks an outer axis
  int taps_run;          // TAPS_RUN: taps of one item of conv_weight
  std::int64_t winograd_bytes;  // of Winograd's transformed arrays at a time
  int group;  // items in a work-group along the first axis, where nothing is shared
};

// A processor: an item is a loop over much work, and a group is an item. 12 x 32 floats is the tile
// for 32 registers of 16 floats (AVX-512), 6 x 16 that for 16 registers of 8 (AVX2).
constexpr Tuning processor(int native_f32) {
  Tuning t = {true, 16, 8, 12, 1, 1, 1, 384, 384, 4096, 1024, 24, 24 << 20, 1};
  if (native_f32 >= 16) return t;
  t.vec_f32 = native_f32 >= 8 ? 8 : 4;
  t.vec_f64 = t.vec_f32 / 2;
  t.tile_rows = 6;
  return t;
}

// A GPU: many items with little work each; neighbouring items touch neighbouring elements. Tiles of
// 8 x 8 numbers, and blocks of 128 x 64 for a group of 128 items, were best on an NVIDIA H100.
constexpr Tuning gpu() { return {false, 4, 2, 8, 16, 8, 8, 512, 512, 4, 1, 1, 1 << 30, 128}; }

// ---- tuning_text.cpp ----------------------------------------------------------------------------

// "" or what is wrong with these sizes: "k_block is 0, not 16 to 4096".
std::string check_tuning(const Tuning& t);
// "" or what differs in b: "vec_f32 8, tile_rows 6".
std::string difference(const Tuning& a, const Tuning& b);

// Sizes as JSON, {"vec_f32": 8, ...}, and back: fields of `t` that are not sizes stay as they are.
// ValueError says why they cannot be used: "it is damaged", "k_block is 0, not 16 to 4096".
std::string tuning_json(const Tuning& t);
Tuning tuning_from_json(std::string_view text, Tuning t);

}  // namespace limulus::opencl
