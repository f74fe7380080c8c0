#include "training/data/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "formats/tar.h"
#include "pages/image_encode.h"
#include "training/data/augment.h"
#include "training/data/class_names.h"
#include "training/data/image.h"
#include "training/data/shard_index.h"
#include "training/data/shards.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kQuality = 95;
constexpr int kMostShards = 100'000;

bool is_png(const std::vector<std::uint8_t>& bytes) { return !bytes.empty() && bytes[0] == 0x89; }

// A picture as it goes into a shard; `reason` where it cannot be used.
struct Stored {
  std::string name, reason;
  std::vector<std::uint8_t> bytes;
  std::string ending() const { return is_png(bytes) ? ".png" : ".jpg"; }
};

Stored store(const ImageSet& set, std::int64_t i, int side) {
  Stored s;
  s.name = set.name(i);
  try {
    s.bytes = set.encoded(i);
    const Image image = decode_image(s.bytes, s.name, side);
    if (image.width == side && image.height == side) return s;
    const Image square = prepare(image, {.short_side = side, .square = true});
    s.bytes = is_png(s.bytes) ? encode_png(square)
                              : encode_jpeg(square.rgb, square.width, square.height, 3, kQuality);
  } catch (const FileError& error) {
    const std::string what = error.what();
    s.reason = what.starts_with(s.name + ": ") ? what.substr(s.name.size() + 2) : what;
    s.bytes.clear();
  }
  return s;
}

// "00000123_rose": the number makes it unique, the rest tells where it came from. A key ends at the
// first dot, so it has none.
std::string key_of(std::int64_t number, const std::string& name) {
  std::string stem = fs::path(name).stem().string();
  for (char& c : stem)
    if (c == '.' || c == '/' || static_cast<unsigned char>(c) < ' ') c = '_';
  return fmt::format("{:08}_{}", number, stem);
}

struct Part {
  const char* name;
  const ImageSet* set;
  std::int64_t shards;
  std::vector<std::int64_t> order = {};

  std::int64_t begin(std::int64_t shard) const { return shard * set->size() / shards; }
};

std::vector<std::string> shards_in(const Json& plan) {
  std::vector<std::string> names;
  for (const char* part : {"train", "test"})
    for (std::int64_t s = 0; s < plan.at(part).get<std::int64_t>(); ++s)
      names.push_back(shard_name(part, s));
  return names;
}

Json read_plan(const fs::path& file) {
  try {
    const std::vector<std::uint8_t> bytes = read_file(file);
    Json plan = Json::parse(bytes.begin(), bytes.end());
    for (const char* part : {"train", "test"})
      if (const auto n = plan.at(part).get<std::int64_t>(); n < 0 || n > kMostShards)
        throw FileError(fmt::format("{}: {} shards called {}; the most is {}", file.string(), n,
                                    part, kMostShards));
    return plan;
  } catch (const Json::exception&) {
    throw FileError(
        fmt::format("{}: is damaged: not a plan of `limulus pack`. Remove it if all "
                    "shards are there",
                    file.string()));
  }
}

// Pictures order[first .. last) by several threads, in this order.
std::vector<Stored> store_all(const Part& part, std::int64_t first, std::int64_t last,
                              const PackOptions& options) {
  std::vector<Stored> stored(static_cast<std::size_t>(last - first));
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < stored.size(); i = next++)
        stored[i] = store(*part.set, part.order[static_cast<std::size_t>(first) + i], options.side);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < options.threads; ++t) others.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return stored;
}

class Packer {
 public:
  Packer(const Dataset& data, fs::path out, const PackOptions& options)
      : data_(data), out_(std::move(out)), options_(options) {
    packed_.skipped = data.skipped;
  }

  Packed run() {
    if (data_.train.in_memory() || data_.test.in_memory())
      throw ValueError(fmt::format("pack: a set in the layout {} is in a few large files already",
                                   name_of(data_.kind)));
    const std::int64_t train = data_.train.size(), test = data_.test.size();
    if (options_.side < 1 || options_.side > 4096 || options_.threads < 1 || options_.shards < 1 ||
        options_.shards > std::min<std::int64_t>(kMostShards, std::max<std::int64_t>(train, 1)))
      throw ValueError(fmt::format(
          "pack: {} shards for {} training pictures of side {}: a shard needs one picture, "
          "and there are at most {} shards of sides 1 to 4096",
          options_.shards, train, options_.side, kMostShards));
    const std::int64_t test_shards =
        test == 0 ? 0
                  : std::clamp<std::int64_t>((test * options_.shards + train / 2) / train, 1, test);
    Part parts[] = {{"train", &data_.train, options_.shards}, {"test", &data_.test, test_shards}};
    begin(parts[0], parts[1]);
    for (Part& part : parts) {
      const auto purpose = part.set == &data_.train ? 0U : 1U;
      part.order =
          random_permutation(part.set->size(), random_key(0, RandomPurpose::pack, 0, purpose));
      std::int64_t& pictures = part.set == &data_.train ? packed_.train : packed_.test;
      for (std::int64_t s = 0; s < part.shards; ++s) {
        const std::int64_t n = shard(part, s);
        if (n < 0) return std::move(packed_);
        pictures += n;
        ++packed_.shards;
        packed_.bytes += fs::file_size(out_ / shard_name(part.name, s));
      }
    }
    finish();
    return std::move(packed_);
  }

 private:
  // The folder, the names of the classes, and the plan; or the plan of an earlier sitting.
  void begin(const Part& train, const Part& test) const {
    make_folders(out_);
    const Json plan = {{"train", train.shards},
                       {"test", test.shards},
                       {"side", options_.side},
                       {"train_pictures", fmt::format("{:016x}", print(*train.set))},
                       {"test_pictures", fmt::format("{:016x}", print(*test.set))}};
    const fs::path file = out_ / kPackPlan, class_file = out_ / kClassFile;
    std::error_code unknown;
    const std::string names = class_names();
    if (fs::exists(file, unknown)) {
      const Json earlier = read_plan(file);
      for (const auto& [key, value] : plan.items())
        if (!earlier.contains(key) || earlier.at(key) != value)
          throw FileError(fmt::format(
              "{}: holds shards that were packed from other pictures or with other options: {} "
              "was {}, and is {} now. Choose another --out, or remove that folder",
              out_.string(), key, earlier.contains(key) ? earlier.at(key).dump() : "missing",
              value.dump()));
      if (!fs::exists(class_file, unknown)) write_file_atomically(class_file, names);
      return;
    }
    for (const auto& entry : fs::directory_iterator(out_))
      if (entry.path().extension() == ".tar")
        throw FileError(
            fmt::format("{}: holds {}, which no `limulus pack` has planned; choose another --out",
                        out_.string(), entry.path().filename().string()));
    if (fs::exists(class_file, unknown)) {  // of a pack that was killed before it wrote its plan
      const std::vector<std::uint8_t> there = read_file(class_file);
      if (!std::equal(there.begin(), there.end(), names.begin(), names.end()))
        throw FileError(
            fmt::format("{}: is there already, with other names of classes; choose another --out",
                        class_file.string()));
    }
    write_file_atomically(class_file, names);
    write_file_atomically(file, plan.dump(2) + "\n");
  }

  // One a line, as read_class_file reads them.
  std::string class_names() const {
    std::string names;
    for (const std::string& name : data_.classes) {
      if (printable(name) != name)
        throw FileError(
            fmt::format("the class {} has characters that cannot be seen, or is not "
                        "UTF-8: {} could not hold it; rename its folder",
                        printable(name), kClassFile));
      names += name + "\n";
    }
    return names;
  }

  std::uint64_t print(const ImageSet& set) const { return fingerprint(set, data_.classes); }

  bool stopping() const { return options_.stop != nullptr && options_.stop->load(); }

  void skip(const Part& part, std::string name, std::string reason) {
    packed_.skipped.push_back({std::move(name), std::move(reason), SkipRule::unreadable,
                               std::string(part.name) == "train" ? "training" : "held out"});
    if (options_.strict) throw FileError(text_of(packed_.skipped.back()));
  }

  void count(std::int64_t pictures) {
    done_ += pictures;
    if (options_.on_pictures) options_.on_pictures(done_, data_.train.size() + data_.test.size());
  }

  // Writes a shard, or keeps the one that is there. How many pictures it has; -1: told to stop.
  std::int64_t shard(const Part& part, std::int64_t s) {
    const std::int64_t first = part.begin(s), last = part.begin(s + 1);
    const fs::path path = out_ / shard_name(part.name, s);
    std::error_code unknown;
    if (fs::exists(path, unknown)) return keep(part, path, first, last);
    TarWriter tar(path);
    std::vector<IndexedPicture> places;
    const std::int64_t piece = std::int64_t{64} * options_.threads;
    for (std::int64_t i = first; i < last; i += piece) {
      if (stopping()) return -1;
      const std::int64_t end = std::min(last, i + piece);
      std::vector<Stored> stored = store_all(part, i, end, options_);
      for (std::int64_t k = i; k < end; ++k) {
        Stored& picture = stored[static_cast<std::size_t>(k - i)];
        if (!picture.reason.empty()) {
          skip(part, std::move(picture.name), std::move(picture.reason));
          continue;
        }
        const std::string key = key_of(k, picture.name);
        const std::int64_t label = label_of(part, k);
        const std::string digits = std::to_string(label);
        places.push_back({tar.add(key + picture.ending(), picture.bytes), label});
        tar.add(key + ".cls",
                {reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()});
      }
      count(end - i);
    }
    tar.commit();
    index_[path.filename().string()] = {fs::file_size(path), places};
    return static_cast<std::int64_t>(places.size());
  }

  // Of the k-th picture in the order of the shards.
  static std::int64_t label_of(const Part& part, std::int64_t k) {
    return part.set->label(part.order[static_cast<std::size_t>(k)]);
  }

  // A whole shard of an earlier sitting. What was skipped then is found out again.
  std::int64_t keep(const Part& part, const fs::path& path, std::int64_t first, std::int64_t last) {
    std::set<std::int64_t> there;
    std::vector<IndexedPicture> places;
    try {
      TarReader reader(path);
      for (TarMember member; reader.next(&member);) {
        if (member.name.ends_with(".cls")) continue;
        const std::int64_t k = std::strtoll(member.name.c_str(), nullptr, 10);
        if (k < first || k >= last || !there.insert(k).second)
          throw FileError(
              fmt::format("{}: at byte {}: {} is none of the pictures {} to {} that belong here, "
                          "or the second of its number",
                          path.string(), member.offset, printable(member.name), first, last - 1));
        places.push_back({member.offset, label_of(part, k)});
      }
      index_[path.filename().string()] = {reader.file_size(), std::move(places)};
    } catch (const FileError& e) {
      throw FileError(fmt::format("{}. Remove this shard, and it is packed again", e.what()));
    }
    for (std::int64_t k = first; k < last; ++k)
      if (!there.contains(k)) {
        Stored picture = store(*part.set, part.order[static_cast<std::size_t>(k)], options_.side);
        skip(part, std::move(picture.name),
             picture.reason.empty() ? "could not be read when its shard was packed"
                                    : std::move(picture.reason));
      }
    ++packed_.kept;
    count(last - first);
    return static_cast<std::int64_t>(there.size());
  }

  void finish() {
    std::string list;
    for (const Skipped& s : packed_.skipped) list += printable(text_of(s)) + "\n";
    write_file_atomically(out_ / kPackSkipped, list);
    write_shard_index(out_ / kShardIndex, index_);
    packed_.finished = true;
  }

  const Dataset& data_;
  fs::path out_;
  const PackOptions& options_;
  Packed packed_;
  ShardIndex index_;
  std::int64_t done_ = 0;
};

}  // namespace

Packed pack(const Dataset& data, const fs::path& out, const PackOptions& options) {
  return Packer(data, out, options).run();
}

std::vector<std::string> planned_shards(const fs::path& plan) { return shards_in(read_plan(plan)); }

}  // namespace limulus
