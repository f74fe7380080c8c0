#pragma once
// Writing shards (shards.h): each photograph is read once, brought to the size that training looks
// at, and stored.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "training/data/dataset.h"

namespace limulus {

inline constexpr const char* kClassFile = "classes.txt";
inline constexpr const char* kPackPlan = "shards.json";     // what is to be written
inline constexpr const char* kPackSkipped = "skipped.txt";  // pictures that could not be used

struct PackOptions {
  int side = 256;       // the paper's: shorter side 256, then the middle 256 x 256
  int shards = 8;       // of the training part; the held-out part gets as many in proportion
  int threads = 1;      // that decode and encode; no influence on the bytes
  bool strict = false;  // a picture that cannot be used is a FileError
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::int64_t done, std::int64_t all)> on_pictures;
};

struct Packed {
  bool finished = false;             // false: it was told to stop; what is complete stays
  std::int64_t train = 0, test = 0;  // pictures in the shards that are there
  int shards = 0, kept = 0;          // that are there; of them from an earlier sitting
  std::uintmax_t bytes = 0;
  std::vector<Skipped> skipped;  // with those that data.skipped has
};

// Packs the set into `out`. Pictures are dealt to the shards in a random order that is always the
// same, so that each shard has pictures of all classes. A JPEG or PNG of the right size is stored
// as it is; others become a JPEG of quality 95, or a PNG if they were one. The same pictures and
// options give the same bytes.
//
// Each shard is written beside its place and then renamed, so that a shard that is there is whole.
// Called again after it was stopped or killed, with the same pictures and options, it keeps those
// and goes on. FileError for a folder with shards of other pictures or options.
Packed pack(const Dataset& data, const std::filesystem::path& out, const PackOptions& options);

// The names of all shards in a plan that pack() wrote. FileError where it is damaged.
std::vector<std::string> planned_shards(const std::filesystem::path& plan);

}  // namespace limulus
