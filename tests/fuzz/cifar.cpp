// CIFAR-10's records: a label and an image of 32 x 32. The input is a part of the training set, and
// the test set.
#include "harness.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"

using namespace limulus;

namespace {

struct Set {
  Set() {
    for (const char* file : {"data_batch_3.bin", "test_batch.bin"})
      std::filesystem::create_symlink(input.path(), folder / file);
  }
  TemporaryFolder folder;
  fuzz::MemoryFile input;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Set set;
  set.input.set({data, size});
  Dataset read;
  const std::string folder = set.folder.path.string();
  if (!fuzz::accepted(size, folder, [&] { read = open_cifar10(folder); })) return 0;
  for (const ImageSet& part : {read.train, read.test}) {
    fuzz::require(part.size() == static_cast<std::int64_t>(size / 3073), "an image per record");
    const Image last = part.load(part.size() - 1);
    fuzz::require(last.rgb[0] == data[size - 3072], "the first byte of an image is its first red");
  }
  return 0;
}
