#include "training/data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "core/error.h"
#include "training/data/augment.h"
#include "training/data/class_names.h"
#include "training/data/dataset_folders.h"
#include "training/data/pack.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

constexpr Layout kLayouts[] = {Layout::automatic, Layout::classes, Layout::train_test,
                               Layout::flowers17, Layout::mnist,   Layout::cifar10,
                               Layout::shards};

const char* const kFlowers17[] = {
    "daffodil",  "snowdrop", "lily of the valley", "bluebell",   "crocus", "iris",
    "tigerlily", "tulip",    "fritillary",         "sunflower",  "daisy",  "coltsfoot",
    "dandelion", "cowslip",  "buttercup",          "windflower", "pansy"};

// n of image_<n>.jpg with four digits, or 0.
int flower_number(const std::string& name) {
  int number = 0;
  if (name.size() != 14 || !name.starts_with("image_") || !name.ends_with(".jpg")) return 0;
  const auto parsed = std::from_chars(name.data() + 6, name.data() + 10, number);
  return parsed.ptr == name.data() + 10 ? number : 0;
}

// Whether these names are Flowers-17's: pictures of each of its classes.
bool are_flowers17(const std::vector<std::string>& names) {
  std::set<int> classes;
  for (const std::string& name : names)
    if (const int n = flower_number(name); n >= 1 && n <= 1360) classes.insert((n - 1) / 80);
  return classes.size() == std::size(kFlowers17);
}

const TopFolder* find_folder(const FolderTree& tree, const std::string& name) {
  const auto found = std::find_if(tree.folders.begin(), tree.folders.end(),
                                  [&](const TopFolder& folder) { return folder.name == name; });
  return found == tree.folders.end() ? nullptr : &*found;
}

void check_folder(const fs::path& folder) {
  if (folder.empty())
    throw FileError("no folder of images is named; --data says where the images are");
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::directory) return;
  throw FileError(fmt::format("{}: {}", folder.string(),
                              status.type() == fs::file_type::not_found
                                  ? "there is no such folder; --data says where the images are"
                              : error ? "cannot be opened: " + error.message()
                                      : std::string("is a file, expected a folder of images")));
}

bool is_mnist(const std::string& name) {
  for (const char* begin : {"train-images", "train-labels", "t10k-images", "t10k-labels"})
    if (name.starts_with(begin) && (name.ends_with("ubyte") || name.ends_with("ubyte.gz")))
      return true;
  return false;
}

bool is_cifar10(const std::string& name) {
  return name == "test_batch.bin" || (name.starts_with("data_batch_") && name.ends_with(".bin"));
}

// The plan of `limulus pack` stands there before the first shard.
bool is_shard(const std::string& name) { return name.ends_with(".tar") || name == kPackPlan; }

// One file is enough: the reader of the set says which others are missing. A pipe or a broken link
// in a file's place counts, and so does a folder, as some archives unpack each file into one.
template <class Match>
bool any_entry(const Listing& top, Match matches) {
  return std::any_of(top.others.begin(), top.others.end(), matches) ||
         std::any_of(top.folders.begin(), top.folders.end(), matches) ||
         std::any_of(top.skipped.begin(), top.skipped.end(), [&](const Skipped& s) {
           return matches(fs::path(s.name).filename().string());
         });
}

[[noreturn]] void not_understood(const FolderTree& tree, const Listing& top) {
  std::vector<std::string> found = top.folders;
  for (std::string& name : found) name += '/';
  for (const auto* files : {&top.pictures, &top.others})
    found.insert(found.end(), files->begin(), files->end());
  std::sort(found.begin() + static_cast<std::ptrdiff_t>(top.folders.size()), found.end());
  const std::size_t count = found.size();
  if (count > 12) found.resize(12);
  const auto has = [&](const char* name) {
    return std::find(top.others.begin(), top.others.end(), name) != top.others.end();
  };
  std::string hint;
  if (has("data_batch_1")) hint = "; this is CIFAR-10's Python version: take its binary version";
  if (has("train.bin") && has("test.bin"))
    hint = "; this looks like CIFAR-100, which is not read, only CIFAR-10";
  std::vector<Skipped> skipped = tree.skipped;
  for (const TopFolder& folder : tree.folders) {
    const auto more = folder.as_class().skipped;
    skipped.insert(skipped.end(), more.begin(), more.end());
  }
  const auto below = std::find_if(skipped.begin(), skipped.end(), [](const Skipped& s) {
    const std::string name = fs::path(s.name).filename().string();
    return is_mnist(name) || is_cifar10(name);
  });
  if (below != skipped.end())
    hint += fmt::format("; is {} meant?", fs::path(below->name).parent_path().string());
  if (!skipped.empty()) hint += "; " + summary_with_first(skipped);
  throw FileError(fmt::format(
      "{}: not a set of images in a known layout. The known layouts are folders of pictures, one "
      "per class (<class>/*.jpg or .png), alone or under train/ beside test/ or val/; Flowers-17 "
      "(jpg/image_0001.jpg ...); MNIST or Fashion-MNIST (train-images-idx3-ubyte, also .gz); "
      "CIFAR-10's binary version (data_batch_1.bin ...); shards (train-000000.tar ...). Found {} "
      "{}{}{}{}{}",
      tree.path.string(), count, count == 1 ? "entry" : "entries", count ? ": " : "",
      fmt::join(found, ", "), count > found.size() ? ", ..." : "", hint));
}

}  // namespace

const char* name_of(Layout layout) {
  static constexpr const char* kNames[] = {"auto",  "classes", "train-test", "flowers17",
                                           "mnist", "cifar10", "shards"};
  return kNames[static_cast<std::size_t>(layout)];
}

Layout parse_layout(const std::string& name) {
  for (const Layout layout : kLayouts)
    if (name == name_of(layout)) return layout;
  throw ValueError(
      fmt::format("layout: there is no '{}'; the layouts are auto, classes, train-test, flowers17, "
                  "mnist, cifar10 "
                  "and shards",
                  name));
}

void split_by_class(const ImageSet& all, std::int64_t classes, const DatasetOptions& options,
                    ImageSet* train, ImageSet* test) {
  if (!(options.test_part >= 0 && options.test_part < 1)) {
    throw ValueError(fmt::format("split: test_part {} is not in [0, 1)", options.test_part));
  }
  std::vector<std::vector<std::int64_t>> of_class(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < all.size(); ++i) {
    of_class[static_cast<std::size_t>(all.label(i))].push_back(i);
  }
  std::vector<std::int64_t> kept, held_out;
  for (std::size_t c = 0; c < of_class.size(); ++c) {
    const auto& members = of_class[c];
    const auto n = static_cast<std::int64_t>(members.size());
    auto tests =
        static_cast<std::int64_t>(std::llround(options.test_part * static_cast<double>(n)));
    if (tests == 0 && options.test_part > 0 && n > 1) tests = 1;
    if (tests == n) tests = std::max<std::int64_t>(n - 1, 0);
    const auto order =
        random_permutation(n, random_key(options.split_seed, RandomPurpose::split, 0, c));
    for (std::int64_t i = 0; i < n; ++i) {
      (i < tests ? held_out : kept).push_back(members[static_cast<std::size_t>(order[i])]);
    }
  }
  std::sort(kept.begin(), kept.end());
  std::sort(held_out.begin(), held_out.end());
  *train = all.subset(kept);
  *test = all.subset(held_out);
}

Dataset open_class_folders(const fs::path& folder, const DatasetOptions& options) {
  check_folder(folder);
  return read_folders(read_tree(folder), options);
}

Dataset open_flowers17(const fs::path& folder, const DatasetOptions& options) {
  check_folder(folder);
  Dataset data;
  data.kind = Layout::flowers17;
  data.classes.assign(std::begin(kFlowers17), std::end(kFlowers17));
  std::error_code ignored;
  const bool inside = fs::is_directory(folder / "jpg", ignored);
  const fs::path pictures = inside ? folder / "jpg" : folder;
  const Listing listing = list_folder(pictures);
  const auto skip = [&](const std::string& name, std::string reason, SkipRule rule) {
    data.skipped.push_back({name, std::move(reason), rule});
  };
  data.skipped = listing.skipped;
  ImageSet all;
  for (const std::string& name : listing.pictures) {
    const int number = flower_number(name);
    if (number >= 1 && number <= 1360) {
      all.add_file(pictures / name, (number - 1) / 80);
    } else {
      skip((pictures / name).string(), "not one of image_0001.jpg to image_1360.jpg",
           SkipRule::no_class);
    }
  }
  for (const std::string& name : listing.others)  // its own list of names is no surprise
    if (name != "files.txt") data.skipped.push_back(skipped_file(pictures / name));
  for (const std::string& name : listing.folders)
    skip((pictures / name).string(), "a folder without a part in Flowers-17", SkipRule::unused);
  if (all.size() == 0) {
    throw FileError(fmt::format("{}: no image_0001.jpg to image_1360.jpg", pictures.string()));
  }
  if (all.size() != 1360) {
    skip(pictures.string(),
         fmt::format("only {} of Flowers-17's 1360 images are there", all.size()),
         SkipRule::incomplete);
  }
  if (inside) {
    const Listing top = list_folder(folder);
    data.skipped.insert(data.skipped.end(), top.skipped.begin(), top.skipped.end());
    for (const auto* names : {&top.folders, &top.pictures, &top.others})
      for (const std::string& name : *names)
        if (name != "jpg")
          skip((folder / name).string(), "without a part in Flowers-17", SkipRule::unused);
  }
  data.in_one_piece = true;
  split_by_class(all, 17, options, &data.train, &data.test);
  data.layout = "Flowers-17";
  data.division =
      fmt::format("{:.0f} % of each class held out for testing", 100 * options.test_part);
  check_strict(data, options);
  return data;
}

namespace {

Dataset read_dataset(const fs::path& folder, const DatasetOptions& options) {
  check_folder(folder);
  switch (options.layout) {
    case Layout::automatic:
      break;
    case Layout::classes:
    case Layout::train_test:
      return open_class_folders(folder, options);
    case Layout::flowers17:
      return open_flowers17(folder, options);
    case Layout::mnist:
      return open_mnist(folder, options);
    case Layout::cifar10:
      return open_cifar10(folder, options);
    case Layout::shards:
      return open_shards(folder, options);
  }
  const Listing top = list_folder(folder);
  FolderTree tree = read_tree(folder);
  const TopFolder* jpg = find_folder(tree, "jpg");
  std::vector<std::string> with_pictures;
  for (const TopFolder& part : tree.folders)
    if (part.count() > 0) with_pictures.push_back(part.name);

  // What the files say; then whether there are folders of pictures that this would leave out.
  std::vector<Layout> fits;
  if (any_entry(top, is_mnist)) fits.push_back(Layout::mnist);
  if (any_entry(top, is_cifar10)) fits.push_back(Layout::cifar10);
  if (any_entry(top, is_shard)) fits.push_back(Layout::shards);
  const bool in_jpg = jpg != nullptr && are_flowers17(jpg->pictures);
  if (in_jpg || are_flowers17(tree.pictures)) fits.push_back(Layout::flowers17);
  const std::size_t own = in_jpg ? 1 : 0;  // jpg/ is Flowers-17's own
  if (fits.size() > 1 || (fits.size() == 1 && with_pictures.size() > own)) {
    std::vector<std::string> choices;
    for (const Layout layout : fits) choices.push_back(std::string("--layout ") + name_of(layout));
    if (with_pictures.size() > own) choices.emplace_back("--layout classes");
    throw FileError(fmt::format(
        "{}: holds the files of a known set and also {}; choose with {}, or move one of them away",
        folder.string(),
        with_pictures.size() > own
            ? fmt::format("folders with pictures ({})", names_text(with_pictures))
            : std::string("those of another one"),
        fmt::join(choices, " or ")));
  }
  if (fits.size() == 1) {
    DatasetOptions known = options;
    known.layout = fits[0];
    return read_dataset(folder, known);
  }
  if (with_pictures.empty()) not_understood(tree, top);
  return read_folders(std::move(tree), options);
}

}  // namespace

Dataset open_dataset(const fs::path& folder, const DatasetOptions& options) {
  Dataset data = read_dataset(folder, options);
  if (!options.test_folder.empty() && data.kind != Layout::train_test &&
      data.kind != Layout::shards)
    throw ValueError(fmt::format(
        "{}: is read as {}, where no folder holds the test pictures, so that --test-folder {} "
        "would be ignored",
        folder.string(), name_of(data.kind), options.test_folder));
  return data;
}

}  // namespace limulus
