#include "training/data/shards.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "core/error.h"
#include "formats/read_file.h"
#include "formats/tar.h"
#include "training/data/augment.h"
#include "training/data/class_file.h"
#include "training/data/class_names.h"
#include "training/data/dataset.h"
#include "training/data/dataset_folders.h"
#include "training/data/folder_tree.h"
#include "training/data/pack.h"
#include "training/data/shard_index.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// What a shard is for: its name up to the first character that is no letter.
std::string part_of(const std::string& name) {
  const std::string small = lower(name);
  const std::string part = small.substr(0, small.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
  if (part == "training") return "train";
  if (part == "testing") return "test";
  return part == "valid" || part == "validation" ? "val" : part;
}

// Files of one key: a picture and its class.
struct Sample {
  std::string key;
  std::optional<TarMember> picture;
  std::optional<std::int64_t> label;
};

class ShardReader {
 public:
  ShardReader(const fs::path& folder, const DatasetOptions& options) : options_(options) {
    data.kind = Layout::shards;
    const fs::path file = folder / kClassFile, index = folder / kShardIndex;
    std::error_code unknown;
    if (fs::exists(file, unknown)) names_ = read_class_file(file);
    if (fs::exists(index, unknown)) index_ = read_shard_index(index);
    if (options.classes.empty() || names_.empty()) return;
    const ClassNames network(options.classes);
    for (const std::string& name : names_) {
      label_of_.push_back(network.find(name));
      if (label_of_.back() < 0)
        throw FileError(fmt::format("{}: class \"{}\" is not in the network's classes: {}",
                                    file.string(), name, network.explain_missing(name)));
    }
  }

  // Adds the pictures of a shard.
  void add(const std::shared_ptr<const ImageSet::Shards>& shards, std::uint32_t number,
           ImageSet* to) {
    const fs::path& path = shards->paths[number];
    const auto known = index_.find(path.filename().string());
    if (known != index_.end() && known->second.bytes == shards->sizes[number] &&
        ends_as_indexed(path, known->second)) {
      for (const IndexedPicture& p : known->second.pictures) {
        if (p.label >= known_classes())
          throw FileError(fmt::format("{}: {}, at byte {}: {} is not {}",
                                      (path.parent_path() / kShardIndex).string(), known->first,
                                      p.offset, p.label, a_class()));
        const ImageSet::Place place{p.offset, number, static_cast<std::int32_t>(p.label)};
        to->add_in_shard(shards, place, of_network(p.label));
      }
      return;
    }
    TarReader reader(path);
    Sample sample;
    std::map<std::string, std::int64_t> others;  // endings that mean nothing here
    const auto finish = [&] {
      if (sample.picture && sample.label)
        to->add_in_shard(shards, {.offset = sample.picture->offset, .shard = number},
                         *sample.label);
      else if (sample.picture)
        skip(path / sample.picture->name, "has no class: its .cls file is not beside it",
             SkipRule::no_class);
      else if (sample.label)
        skip(path / (sample.key + ".cls"), "a class without a picture beside it",
             SkipRule::incomplete);
      sample = {};
    };
    for (TarMember member; reader.next(&member);) {
      const std::size_t slash = member.name.rfind('/');
      const std::size_t dot = member.name.find('.', slash == std::string::npos ? 0 : slash + 1);
      const std::string key = member.name.substr(0, dot);
      const std::string ending = dot == std::string::npos ? "" : lower(member.name.substr(dot));
      if (key != sample.key) finish();
      sample.key = key;
      if (ending == ".jpg" || ending == ".jpeg" || ending == ".png") {
        if (sample.picture)
          fail(path, member,
               fmt::format("a second picture with the key of {}: each key has one",
                           sample.picture->name));
        sample.picture = member;
      } else if (ending == ".cls") {
        if (sample.label) fail(path, member, "a second .cls file of one key");
        sample.label = label(path, member, reader.read(checked(path, member)));
      } else {
        ++others[ending.empty() ? "no ending" : ending];
      }
    }
    finish();
    for (const auto& [ending, count] : others)
      skip(path,
           fmt::format("{} files with {} in it are neither pictures nor classes", count, ending),
           SkipRule::not_a_picture);
  }

  // The classes, when all shards were read.
  void set_classes(const fs::path& folder) {
    if (!options_.classes.empty())
      data.classes = options_.classes;
    else if (!names_.empty())
      data.classes = names_;
    else
      for (std::int64_t c = 0; c <= largest_; ++c) data.classes.push_back(std::to_string(c));
    if (options_.classes.empty() && data.classes.size() < 2)
      throw FileError(fmt::format("{}: pictures of {} classes ({}); a classifier needs at least 2",
                                  folder.string(), data.classes.size(), names_text(data.classes)));
  }

  void skip(const fs::path& path, std::string reason, SkipRule rule) {
    data.skipped.push_back({path.string(), std::move(reason), rule});
  }

  Dataset data;

 private:
  // Whether the index's last picture of a shard is the last one in it, of the same class: no other
  // shard of the same size. One look for each shard; whoever reads a picture looks at that.
  static bool ends_as_indexed(const fs::path& path, const IndexedShard& known) {
    const IndexedPicture last = known.pictures.empty() ? IndexedPicture() : known.pictures.back();
    try {
      TarReader reader(path, last.offset);
      TarMember member;
      if (!known.pictures.empty() && !(reader.next(&member) && class_behind(reader) == last.label))
        return false;
      return !reader.next(&member);
    } catch (const FileError&) {  // whoever reads the shard itself says why
      return false;
    }
  }

  [[noreturn]] static void fail(const fs::path& path, const TarMember& member,
                                const std::string& what) {
    throw FileError(
        fmt::format("{}: at byte {}: {}: {}", path.string(), member.offset, member.name, what));
  }

  static const TarMember& checked(const fs::path& path, const TarMember& member) {
    if (member.size > kLongestClass)
      fail(path, member, fmt::format("{} bytes, where the number of a class stands", member.size));
    return member;
  }

  std::int64_t label(const fs::path& path, const TarMember& member,
                     const std::vector<std::uint8_t>& bytes) {
    const std::optional<std::int64_t> value = class_number(bytes);
    if (!value || *value >= known_classes()) {
      std::string text(bytes.begin(), bytes.end());
      text.erase(text.find_last_not_of(" \t\r\n") + 1);
      fail(path, member, fmt::format("\"{}\" is not {}", text, a_class()));
    }
    return of_network(*value);
  }

  // Without names, a network's last layer has as many outputs as the largest number says.
  std::int64_t known_classes() const {
    return static_cast<std::int64_t>(!names_.empty()             ? names_.size()
                                     : !options_.classes.empty() ? options_.classes.size()
                                                                 : std::size_t{100'000});
  }

  std::string a_class() const {
    return fmt::format("the number of a class, 0 to {} ({})", known_classes() - 1,
                       !names_.empty()             ? "the lines of classes.txt"
                       : !options_.classes.empty() ? "the network's classes"
                                                   : "the most that is read without classes.txt");
  }

  // The network's number for that of a .cls file.
  std::int64_t of_network(std::int64_t number) {
    largest_ = std::max(largest_, number);
    return label_of_.empty() ? number : label_of_[static_cast<std::size_t>(number)];
  }

  const DatasetOptions& options_;
  ShardIndex index_;                    // of shards-index.txt; empty: there is none
  std::vector<std::string> names_;      // of classes.txt
  std::vector<std::int64_t> label_of_;  // from there to the network's classes; empty: the same
  std::int64_t largest_ = -1;
};

// In a folder that `limulus pack` is writing, or has written: FileError unless all of its shards
// are there. Takes other names out of `names`, and returns them.
std::vector<std::string> keep_planned(const fs::path& folder, std::vector<std::string>* names) {
  const fs::path plan = folder / kPackPlan;
  std::error_code unknown;
  if (!fs::exists(plan, unknown)) return {};
  const std::vector<std::string> planned = planned_shards(plan);
  const std::set<std::string> wanted(planned.begin(), planned.end());
  const std::set<std::string> there(names->begin(), names->end());
  std::vector<std::string> missing;
  for (const std::string& name : planned)
    if (!there.contains(name)) {
      if (fs::exists(folder / name, unknown))
        throw FileError(
            fmt::format("{}: a shard's name, and no file: remove it, and the same `limulus pack` "
                        "again makes the shard",
                        (folder / name).string()));
      missing.push_back(name);
    }
  if (!missing.empty())
    throw FileError(fmt::format(
        "{}: {} of {} shards are not there ({}): `limulus pack` was stopped; the same command "
        "again goes on with it",
        folder.string(), missing.size(), planned.size(), names_text(missing, 4)));
  const auto others = std::stable_partition(
      names->begin(), names->end(), [&](const std::string& name) { return wanted.contains(name); });
  std::vector<std::string> taken_out(others, names->end());
  names->erase(others, names->end());
  return taken_out;
}

std::string shards_text(std::size_t n) { return fmt::format("{} shard{}", n, n == 1 ? "" : "s"); }

}  // namespace

std::string shard_name(const std::string& part, std::int64_t number) {
  return fmt::format("{}-{:06}.tar", part, number);
}

Dataset open_shards(const fs::path& folder, const DatasetOptions& options) {
  const Listing listing = list_folder(folder);
  std::vector<std::string> all;
  ShardReader reader(folder, options);
  Dataset& data = reader.data;
  data.skipped = listing.skipped;
  for (const std::string& name : listing.others) {
    if (name.ends_with(".tar")) {
      all.push_back(name);
    } else if (name != kClassFile && name != kPackPlan && name != kPackSkipped &&
               name != kShardIndex) {
      data.skipped.push_back(skipped_file(folder / name));
    }
  }
  for (const auto* names : {&listing.folders, &listing.pictures})
    for (const std::string& name : *names)
      reader.skip(folder / name, "without a part in a set in shards", SkipRule::unused);
  for (const std::string& name : keep_planned(folder, &all))
    reader.skip(
        folder / name,
        fmt::format("not one of the shards of {}; without that file all are read", kPackPlan),
        SkipRule::unused);
  if (all.empty())
    throw FileError(fmt::format("{}: has no shards (train-000000.tar ...)", folder.string()));
  std::map<std::string, std::vector<std::string>> parts;  // by what they are for
  for (const std::string& name : all) parts[part_of(name)].push_back(name);

  // The shards for training, and those for testing: "" is all, a set in one piece.
  const bool in_parts = parts.contains("train") || parts.contains("test") || parts.contains("val");
  std::string test;
  if (in_parts)
    for (const std::string& part : {std::string("val"), std::string("test"), options.test_folder})
      if (parts.contains(part)) test = part;
  if (!options.test_folder.empty() && test != options.test_folder) {
    std::vector<std::string> there;
    for (const auto& [part, names] : parts) there.push_back(part);
    throw FileError(fmt::format("{}: no shard is called {}-...; there are: {}", folder.string(),
                                options.test_folder, names_text(there)));
  }
  auto shards = std::make_shared<ImageSet::Shards>();
  const auto read = [&](const std::vector<std::string>& names, ImageSet* to) {
    for (const std::string& name : names) {
      const auto number = static_cast<std::uint32_t>(shards->paths.size());
      shards->paths.push_back(folder / name);
      shards->sizes.push_back(fs::file_size(folder / name));
      reader.add(shards, number, to);
    }
  };
  ImageSet pieces;
  std::size_t used = 0;
  for (const auto& [part, names] : parts) {
    if (!in_parts) {
      read(names, &pieces);
    } else if (part == "train") {
      read(names, &data.train);
    } else if (part == test) {
      read(names, &data.test);
    } else {
      for (const std::string& name : names)
        reader.skip(folder / name,
                    part == "test" || part == "val"
                        ? fmt::format("held-out pictures beside those that are taken; "
                                      "--test-folder {} takes these",
                                      part)
                        : std::string("a shard that is called neither train, test nor val"),
                    SkipRule::unused);
      continue;
    }
    used += names.size();
  }
  reader.set_classes(folder);
  data.layout = shards_text(used);
  if (!in_parts || test.empty()) {
    data.in_one_piece = true;
    if (in_parts) pieces = std::move(data.train);
    split_by_class(pieces, static_cast<std::int64_t>(data.classes.size()), options, &data.train,
                   &data.test);
    data.division =
        fmt::format("{:.0f} % of each class held out for testing", 100 * options.test_part);
  } else {
    data.layout =
        fmt::format("{} of training pictures, {} of held-out ones",
                    shards_text(used - parts[test].size()), shards_text(parts[test].size()));
  }
  if (options.classes.empty() && data.train.size() == 0)
    throw FileError(fmt::format("{}: the shards have no picture to train on{}{}", folder.string(),
                                data.skipped.empty() ? "" : "; ",
                                data.skipped.empty() ? "" : summary_with_first(data.skipped)));
  check_strict(data, options);
  return std::move(data);
}

ShardOrder::ShardOrder(const ImageSet& set, PhiloxKey shards, PhiloxKey pictures,
                       std::int64_t buffer)
    : buffer_(buffer) {
  if (buffer < 1)
    throw ValueError(fmt::format("a shuffle buffer of {} pictures; it needs 1 at least", buffer));
  std::vector<Run> in_order;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    if (in_order.empty() || set.shard(i) != set.shard(i - 1)) in_order.push_back({i, 0});
    ++in_order.back().size;
  }
  for (const std::int64_t i :
       random_permutation(static_cast<std::int64_t>(in_order.size()), shards))
    runs_.push_back(in_order[static_cast<std::size_t>(i)]);

  pictures_.reserve(static_cast<std::size_t>(set.size()));
  std::vector<std::int64_t> waiting;  // the buffer
  const auto draw = [&]() -> std::int64_t& {
    const PhiloxWords w = philox_block(pictures, pictures_.size());
    const std::uint64_t word = std::uint64_t{w.v[0]} << 32 | w.v[1];
    return waiting[static_cast<std::size_t>(word % waiting.size())];
  };
  for (const Run& run : runs_)
    for (std::int64_t i = run.begin; i < run.begin + run.size; ++i) {
      if (std::cmp_less(waiting.size(), buffer)) {
        waiting.push_back(i);
        continue;
      }
      std::int64_t& leaves = draw();
      pictures_.push_back(leaves);
      leaves = i;
    }
  while (!waiting.empty()) {
    std::int64_t& leaves = draw();
    pictures_.push_back(leaves);
    leaves = waiting.back();
    waiting.pop_back();
  }
}

void ShardOrder::read_ahead(const ImageSet& set, std::int64_t begin, std::int64_t end,
                            bool first) const {
  std::int64_t from = first ? begin : begin + buffer_;  // places in the order of reading
  const std::int64_t to = end + buffer_;
  std::int64_t before = 0;
  for (const Run& run : runs_) {
    const std::int64_t a = std::max(from, before), b = std::min(to, before + run.size);
    if (a < b) set.read_ahead(run.begin + a - before, run.begin + b - before);
    before += run.size;
  }
}

}  // namespace limulus
