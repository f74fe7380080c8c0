#pragma once
// Whether an output can be written, asked before the work and not after it; and writing it.
#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "core/printable.h"
#include "formats/atomic_file.h"

namespace limulus::tools {

// FileError, as that of writing it, where `path` cannot be written. Nothing is left behind.
inline void check_writable(const std::filesystem::path& path) {
  const AtomicFile never_committed(path);
}

// Writes a page, and returns what to say of it: "look.html (21.9 MB)".
inline std::string written(const std::filesystem::path& path, const std::string& page) {
  write_file_atomically(path, page);
  return fmt::format("{} ({:.1f} MB)", printable(path.string()),
                     static_cast<double>(page.size()) / 1e6);
}

}  // namespace limulus::tools
