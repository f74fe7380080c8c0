// MNIST's files, packed with gzip or not: the input once as the images, once as the labels of a set
// whose other files are right.
#include <string>
#include <vector>

#include "harness.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"

using namespace limulus;

namespace {

std::string idx(std::vector<int> sizes, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(sizes.size())};
  for (const int size : sizes) bytes += {0, 0, 0, static_cast<char>(size)};
  return bytes + values;
}

// A folder in which one of the four files is the input. The others have two images of 2 x 2.
struct Set {
  explicit Set(const std::string& fuzzed) {
    for (const std::string part : {"train", "t10k"}) {
      put_bytes(folder / (part + "-images-idx3-ubyte"), idx({2, 2, 2}, "12345678"));
      put_bytes(folder / (part + "-labels-idx1-ubyte"), idx({2}, {1, 9}));
    }
    std::filesystem::remove(folder / fuzzed);
    std::filesystem::create_symlink(input.path(), folder / fuzzed);
  }
  void read(fuzz::Bytes bytes) {
    input.set(bytes);
    Dataset set;
    if (!fuzz::accepted(bytes.size(), folder.path.string(), [&] { set = open_mnist(folder.path); }))
      return;
    for (std::int64_t i = 0; i < set.test.size(); ++i) {
      const Image image = set.test.load(i);
      fuzz::require(!image.rgb.empty() && set.test.label(i) >= 0 && set.test.label(i) < 10,
                    "an image and its label");
    }
  }
  TemporaryFolder folder;
  fuzz::MemoryFile input;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Set images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte");
  images.read({data, size});
  labels.read({data, size});
  return 0;
}
