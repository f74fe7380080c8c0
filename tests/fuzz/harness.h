#pragma once
// What the harnesses share: the input as a file, and what is asked of a reader whatever it reads.
//
//   1. It returns, or throws a FileError that names the file. Any other exception, a crash or a
//      finding of a sanitizer is a fault.
//   2. It takes no piece of memory larger than 64 times its input plus 64 MB. A file of 100 bytes
//      that claims a million tensors is refused before there is room for them.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"

namespace limulus::fuzz {

using Bytes = std::span<const std::uint8_t>;

// Ends the program where something does not hold: the fuzzer then keeps the input.
void require(bool holds, const char* what);

// A file that lives in memory only. Its name is one that every reader can open.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void set(Bytes bytes);           // the whole content
  void resize(std::size_t bytes);  // what is added reads as zeros, and takes no memory
  const std::string& path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

// While one lives, the second rule holds: an allocation beyond it ends the program. Seen are
// malloc and new under a sanitizer, and new alone without.
//
// New memory is filled with `fill`. A result that changes with it was made from memory that nothing
// was written to.
class MemoryWatch {
 public:
  explicit MemoryWatch(std::size_t input_size, std::uint8_t fill = 0);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
};

// Calls read() under both rules; whether it accepted the input.
template <class Read>
bool accepted(std::size_t input_size, const std::string& file, Read read, std::uint8_t fill = 0) {
  const MemoryWatch watch(input_size, fill);
  try {
    read();
    return true;
  } catch (const FileError& error) {
    require(std::string(error.what()).find(file) != std::string::npos, "an error names the file");
    return false;
  }
}

}  // namespace limulus::fuzz
