#pragma once
// A checkpoint to be handed in or passed on: the network, its classes, its normalization and the
// course of its run, without the velocities, which only training needs. They are half of a
// checkpoint. In bf16 the weights are half as large again.
//
// load_trained() reads it, and a report can be made of it. A run cannot go on from it: without the
// velocities its next steps would be others.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "formats/safetensors.h"

namespace limulus {

struct Slimmed {
  std::int64_t numbers = 0;  // weights
  std::uintmax_t bytes_before = 0, bytes_after = 0;
};

// `dtype`: f32 or bf16. FileError if `checkpoint` is no checkpoint, or a weight is too large for
// bf16.
Slimmed save_slim(const std::filesystem::path& checkpoint, const std::filesystem::path& to,
                  DType dtype);

// The entry's values, rounded. FileError, which names the value, if one is too large for bf16.
std::vector<Bf16> rounded_to_bf16(const SafetensorsFile& file, const SafetensorsEntry& entry);

}  // namespace limulus
