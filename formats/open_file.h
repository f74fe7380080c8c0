#pragma once
// A regular file, open for reading; for the readers of this folder.
#include <cstddef>
#include <filesystem>

namespace limulus {

struct OpenFile {
  // FileError names the file and what it is instead, or the system's reason. Never waits.
  explicit OpenFile(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd;
  std::size_t size = 0;
};

}  // namespace limulus
