// An array in numpy's format.
#include "formats/npy.h"

#include "harness.h"

using namespace limulus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.set({data, size});
  NpyArray array;
  if (fuzz::accepted(size, file.path(), [&] { array = read_npy(file.path()); }))
    fuzz::require(
        array.numel() >= 0 &&
            array.data.size() == static_cast<std::size_t>(array.numel()) * size_of(array.dtype),
        "the elements are as many as the shape says");
  return 0;
}
