// Named tensors in one file: weights from strangers. An input that begins with { is a header that
// ends at its first NUL, and the data: its length goes before it here, as a fuzzer that makes a
// header longer seldom corrects it.
#include <algorithm>
#include <cstring>
#include <vector>

#include "formats/safetensors.h"

#include "harness.h"

using namespace limulus;

namespace {

void use(const SafetensorsFile& file) {
  for (const SafetensorsEntry& entry : file.entries()) {
    fuzz::require(file.find(entry.name) == &entry, "a tensor is found by its name");
    fuzz::require(entry.numel() >= 0, "a tensor has no negative size");
    unsigned sum = 0;  // every byte lies in the file
    for (const std::byte b : entry.bytes) sum += std::to_integer<unsigned>(b);
    fuzz::require(sum <= 255 * entry.bytes.size(), "a sum of bytes");
    try {
      fuzz::require(file.to_floats(entry).size() == static_cast<std::size_t>(entry.numel()),
                    "a float for each element");
      file.dtype(entry);
    } catch (const FileError&) {  // a type that has no counterpart
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  std::vector<std::uint8_t> bytes(data, data + size);
  if (size > 0 && data[0] == '{') {
    const auto end = std::find(bytes.begin(), bytes.end(), 0);
    const auto length = static_cast<std::uint64_t>(end - bytes.begin());
    if (end != bytes.end()) bytes.erase(end);
    bytes.insert(bytes.begin(), 8, 0);
    std::memcpy(bytes.data(), &length, 8);
  }
  file.set(bytes);
  fuzz::accepted(bytes.size(), file.path(), [&] { use(SafetensorsFile(file.path())); });
  return 0;
}
