#pragma once
// Whether an output can be written, asked before the work and not after it; and writing it.
#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"

namespace limulus::tools {

// FileError, as that of writing it, where `path` cannot be written. Nothing is left behind.
inline void check_writable(const std::filesystem::path& path) {
  const AtomicFile never_committed(path);
}

// The end of a file's name in small letters: ".png" of "Filters.PNG".
inline std::string ending_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

// The same for a page. ValueError if its name is that of a picture, as nothing would open it then;
// `picture` is the ending under which a picture is written instead, or "".
inline void check_page(const std::filesystem::path& path, const std::string& picture = "") {
  const std::string ending = ending_of(path);
  for (const char* other : {".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"})
    if (ending == other && ending != picture)
      throw ValueError(fmt::format("{}: this is a page{}; name it .html", printable(path.string()),
                                   picture.empty() ? "" : ", or a picture as " + picture));
  check_writable(path);
}

// Writes a page, and returns what to say of it: "look.html (21.9 MB)".
inline std::string written(const std::filesystem::path& path, const std::string& page) {
  write_file_atomically(path, page);
  return fmt::format("{} ({:.1f} MB)", printable(path.string()),
                     static_cast<double>(page.size()) / 1e6);
}

}  // namespace limulus::tools
