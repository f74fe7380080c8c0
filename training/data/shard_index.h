#pragma once
// Where each picture of a set in shards begins, and its class: one file beside the shards, so that
// a program that opens the set need not walk through all of it (ImageNet: 22 GB, most of a minute)
// for the headers in it.
//
//     limulus shards 1
//     train-000000.tar 20997632 1200    a shard, how many bytes and how many pictures it has
//     0 817                             where its first picture begins, and the picture's class
//     38912 3
//     ...
//     end 5c1e7f02                      the CRC-32 of all before
//
// A shard whose size or last picture is another, or that the index does not name, is read itself.
// And whoever reads a picture compares the class behind it with the index's
// (ImageSet::Place::check).
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace limulus {

class TarReader;

inline constexpr const char* kShardIndex = "shards-index.txt";

struct IndexedPicture {
  std::uint64_t offset = 0;  // of its header in the shard (formats/tar.h)
  std::int64_t label = 0;    // a line of classes.txt, counted from 0
};

struct IndexedShard {
  std::uint64_t bytes = 0;
  std::vector<IndexedPicture> pictures;
};

using ShardIndex = std::map<std::string, IndexedShard>;  // by the shard's name

void write_shard_index(const std::filesystem::path& file, const ShardIndex& index);

// FileError, with the line, for a file that was cut, damaged or edited, or whose places do not rise
// within the shard's bytes.
ShardIndex read_shard_index(const std::filesystem::path& file);

// The number in a .cls file: "12", perhaps with blanks and a line's end around it. Nothing for
// anything else.
std::optional<std::int64_t> class_number(std::span<const std::uint8_t> bytes);
inline constexpr std::uint64_t kLongestClass = 16;  // bytes of such a file

// That of the member behind the one that the reader has given; nothing if it is no such file.
std::optional<std::int64_t> class_behind(TarReader& reader);

}  // namespace limulus
