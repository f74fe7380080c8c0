#pragma once
// A small training task: 40 grey pictures of 28 x 28 in two classes that differ by where they are
// bright, in MNIST's files, and a configuration of LeNet-5 for them.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/rng.h"
#include "training/config.h"
#include "training/recipes.h"
#include "training/trainer.h"

namespace limulus {

inline void write_idx(const std::filesystem::path& path, const std::vector<int>& sizes,
                      const std::vector<unsigned char>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.put(0).put(0).put(8).put(static_cast<char>(sizes.size()));
  for (const int size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(size >> shift));
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

// A run that saves at its end alone, or when it is stopped.
inline TrainerOptions quiet(const std::filesystem::path& out) {
  TrainerOptions o;
  o.out = out;
  o.checkpoint_seconds = 1e9;
  return o;
}

inline void write_tiny_mnist(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  Rng rng(7);
  for (const auto& [name, count] : {std::pair{"train", 40}, std::pair{"t10k", 10}}) {
    std::vector<unsigned char> pixels, labels;
    for (int i = 0; i < count; ++i) {
      const int label = i % 2;
      labels.push_back(static_cast<unsigned char>(label));
      for (int y = 0; y < 28; ++y)
        for (int x = 0; x < 28; ++x)
          pixels.push_back(
              static_cast<unsigned char>(((x < 14) == (label == 0) ? 150 : 30) + rng.below(60)));
    }
    write_idx(folder / (std::string(name) + "-images-idx3-ubyte"), {count, 28, 28}, pixels);
    write_idx(folder / (std::string(name) + "-labels-idx1-ubyte"), {count}, labels);
  }
}

inline TrainConfig tiny_config(const std::filesystem::path& data) {
  TrainConfig c = default_config("lenet5", "default");
  c.data = data.string();
  c.epochs = 3;
  c.batch = 8;
  return c;
}

}  // namespace limulus
