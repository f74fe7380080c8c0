#pragma once
// `limulus gradcheck --export DIR`: random configurations with their inputs, results and gradients,
// for another framework to compute again (benchmarks/versus/gradients.py).
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/backend.h"

namespace limulus::tools {

// Writes DIR/configurations.json and DIR/tensors.safetensors.
void export_gradients(const std::filesystem::path& folder, std::int64_t count, std::uint64_t seed,
                      Backend& backend);

}  // namespace limulus::tools
