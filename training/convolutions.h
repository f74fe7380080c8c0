#pragma once
// What a trained network sees with, in a small file: the convolutions of a checkpoint, without the
// fully connected layers, which have most of the numbers. AlexNet's convolutions have 2,334,080,
// 4.7 MB in bf16, against 244 MB for all of its weights.
//
//     conv1.weight, conv1.bias ...   bf16
//     data/mean                      the mean image, of a run that subtracts one
//     __metadata__                   a checkpoint's "config", "classes", "normalization" and
//                                    "data"; "left_out" = the layers that have weights and are not
//                                    in the file, as JSON
//
// load_trained(file, device, Needs::convolutions) reads it. A whole network in bf16: slim.h.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace limulus {

struct SavedConvolutions {
  std::vector<std::string> layers, left_out;  // "conv1" ..., "fc6" ...
  std::int64_t numbers = 0;
};

// FileError if `checkpoint` is no checkpoint; ValueError if its network has no convolution to keep.
SavedConvolutions save_convolutions(const std::filesystem::path& checkpoint,
                                    const std::filesystem::path& to);

}  // namespace limulus
