#pragma once
// Whether an output can be written, asked before the work and not after it.
#include <filesystem>

#include "formats/atomic_file.h"

namespace limulus::tools {

// FileError, as that of writing it, where `path` cannot be written. Nothing is left behind.
inline void check_writable(const std::filesystem::path& path) {
  const AtomicFile never_committed(path);
}

}  // namespace limulus::tools
