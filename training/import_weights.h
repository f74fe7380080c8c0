#pragma once
// A network that was trained elsewhere becomes a checkpoint: its weights under our names, the names
// of its classes, and what its pixels are less and divided by. Everything that reads a checkpoint
// then knows what to do with a photograph.
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace limulus {

// What others do to a pixel p in [0, 1] of red, green and blue: (p - mean) / std.
struct PixelScaling {
  std::array<double, 3> mean{0, 0, 0}, std{1, 1, 1};
};

// "imagenet": mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225), of torchvision's networks;
// "unit": as they are; "half": mean and std 0.5. ValueError for another name.
PixelScaling pixel_scaling(const std::string& name);
const std::vector<std::string>& pixel_scalings();  // the names

struct ImportOptions {
  std::string model;                 // "alexnet-torchvision"
  std::filesystem::path class_file;  // training/data/class_file.h
  PixelScaling pixels;
};

struct Imported {
  std::string kind;  // of the file
  std::int64_t tensors = 0, numbers = 0;
  std::vector<std::string> classes;
  std::vector<std::string> conversions, ignored;  // told (weights_file.h)
  int short_side = 0, crop = 0;
};

// Writes the checkpoint `to`. FileError, and nothing is written, with every tensor that is missing,
// of no use, of another shape or type, or not finite, and, where all would fit another network, its
// name; and when the number of classes is not that of the network's outputs.
Imported import_weights(const std::filesystem::path& weights, const ImportOptions& options,
                        const std::filesystem::path& to);

}  // namespace limulus
