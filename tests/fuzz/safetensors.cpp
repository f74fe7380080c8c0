// Named tensors in one file: weights from strangers.
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
  file.set({data, size});
  fuzz::accepted(size, file.path(), [&] { use(SafetensorsFile(file.path())); });
  return 0;
}
