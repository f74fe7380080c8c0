#pragma once
// A set of pictures in a few large files. A disk reads one large file ten to a hundred times as
// fast as many small ones, and a folder of 1.2 million files takes long to list, copy and delete.
// So a large set is packed once (pack.h) into shards: tar files in WebDataset's convention.
//
//     train-000000.tar    00000000_rose.jpg   a photograph
//                         00000000_rose.cls   the number of its class, as text: "2"
//                         00000001_tulip.jpg  ...
//     test-000000.tar     the held-out part
//     classes.txt         the names of classes 0, 1, 2 ..., one a line
//     shards-index.txt    where each picture begins (shard_index.h)
//
// The part of a file's name up to its first dot is its key: files with one key belong together, and
// follow each other. Others' shards are read, too: those without classes.txt have classes "0", "1"
// ..., those that are called neither train, test nor val come in one piece. In them, files of other
// endings are passed over, and counted.
//
// How an epoch reads them. Pictures at random places would take a seek each. Instead the shards are
// shuffled, each is read from front to end, and its pictures pass through a buffer of B pictures:
// each newcomer takes the place of one that is drawn from the buffer and goes into the next batch.
// Here the buffer holds numbers of pictures, not pixels. So the order of an epoch is known
// beforehand, follows from (seed, epoch) alone, and a run can go on in the middle of it. The system
// is told what the buffer takes in (ImageSet::read_ahead) and keeps it in its memory.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/philox.h"
#include "training/data/image_set.h"

namespace limulus {

// The order of an epoch over a set in shards. Every random choice comes from the two keys.
class ShardOrder {
 public:
  // `buffer` pictures, at least 1.
  ShardOrder(const ImageSet& set, PhiloxKey shards, PhiloxKey pictures, std::int64_t buffer);

  // Pictures in the order in which they leave the buffer: what the batches hold.
  const std::vector<std::int64_t>& pictures() const { return pictures_; }

  // Before pictures `begin` to `end` - 1 of that order leave the buffer: reads ahead those that
  // take their places; before the first, also those that fill it.
  void read_ahead(const ImageSet& set, std::int64_t begin, std::int64_t end, bool first) const;

 private:
  std::int64_t buffer_;
  struct Run {  // pictures of one shard, by index
    std::int64_t begin, size;
  };
  std::vector<Run> runs_;  // in the order in which they are read
  std::vector<std::int64_t> pictures_;
};

// "train-000012.tar": part "train", number 12 of `limulus pack`.
std::string shard_name(const std::string& part, std::int64_t number);

}  // namespace limulus
