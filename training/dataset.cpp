#include "training/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "formats/read_file.h"
#include "training/augment.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

struct Listing {
  std::vector<std::string> folders, files;  // names, sorted by their bytes, without hidden ones
};

Listing list(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code ignored;
    (it->is_directory(ignored) ? listing.folders : listing.files).push_back(name);
  }
  if (error) {
    throw FileError(
        fmt::format("{}: cannot list the folder: {}", folder.string(), error.message()));
  }
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_pictures(const fs::path& folder) {
  const Listing listing = list(folder);
  return std::any_of(listing.files.begin(), listing.files.end(),
                     [](const std::string& name) { return is_picture(name); });
}

void skip(Dataset* data, const DatasetOptions& options, std::string name, std::string reason) {
  if (options.strict) throw FileError(fmt::format("{}: {}", name, reason));
  data->skipped.push_back({std::move(name), std::move(reason)});
}

// Adds the pictures of one class folder; how many there were.
std::int64_t add_folder(const fs::path& folder, std::int64_t label, const DatasetOptions& options,
                        Dataset* data, ImageSet* to) {
  std::int64_t count = 0;
  for (const std::string& name : list(folder).files) {
    if (is_picture(name)) {
      to->add_file(folder / name, label);
      ++count;
    } else {
      skip(data, options, (folder / name).string(), "not a .jpg, .jpeg or .png file");
    }
  }
  return count;
}

// Which subfolder holds the test images; "" for none.
std::string find_test_folder(const Listing& listing, const fs::path& folder,
                             const DatasetOptions& options) {
  if (!options.test_folder.empty()) {
    if (contains(listing.folders, options.test_folder)) return options.test_folder;
    throw FileError(fmt::format("{}: has no folder \"{}\"; it has: {}", folder.string(),
                                options.test_folder, fmt::join(listing.folders, ", ")));
  }
  for (const char* name : {"test", "val", "validation", "valid"}) {
    if (contains(listing.folders, name)) return name;
  }
  return "";
}

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

fs::path flowers17_folder(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "jpg", ignored) ? folder / "jpg" : folder;
}

}  // namespace

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
  Dataset data;
  const Listing top = list(folder);
  const bool has_train = contains(top.folders, "train");
  const fs::path train_folder = has_train ? folder / "train" : folder;
  const Listing classes = has_train ? list(train_folder) : top;

  ImageSet all;
  for (const std::string& name : classes.folders) {
    // A folder without pictures is no class, and takes no label.
    const auto label = static_cast<std::int64_t>(data.classes.size());
    if (add_folder(train_folder / name, label, options, &data, &all) == 0) {
      skip(&data, options, (train_folder / name).string(), "a class folder without pictures");
      continue;
    }
    data.classes.push_back(name);
  }
  if (data.classes.size() < 2) {
    throw FileError(
        fmt::format("{}: folders with .jpg or .png pictures: {} ({}); a classifier needs "
                    "at least 2 classes",
                    train_folder.string(), data.classes.size(), fmt::join(data.classes, ", ")));
  }

  const std::string test_name = has_train ? find_test_folder(top, folder, options) : "";
  if (test_name.empty()) {
    split_by_class(all, static_cast<std::int64_t>(data.classes.size()), options, &data.train,
                   &data.test);
    data.layout = fmt::format("a folder of {} class folders, {:.0f} % of each held out for testing",
                              data.classes.size(), 100 * options.test_part);
    return data;
  }
  data.train = std::move(all);
  for (const std::string& name : list(folder / test_name).folders) {
    const auto at = std::find(data.classes.begin(), data.classes.end(), name);
    if (at == data.classes.end()) {
      throw FileError(fmt::format("{}: class \"{}\" is not in {}, which has: {}",
                                  (folder / test_name).string(), name, train_folder.string(),
                                  fmt::join(data.classes, ", ")));
    }
    if (add_folder(folder / test_name / name, at - data.classes.begin(), options, &data,
                   &data.test) == 0) {
      skip(&data, options, (folder / test_name / name).string(), "a class folder without pictures");
    }
  }
  data.layout =
      fmt::format("train and {} folders of {} class folders", test_name, data.classes.size());
  return data;
}

Dataset open_flowers17(const fs::path& folder, const DatasetOptions& options) {
  Dataset data;
  data.classes.assign(std::begin(kFlowers17), std::end(kFlowers17));
  const fs::path pictures = flowers17_folder(folder);
  ImageSet all;
  for (const std::string& name : list(pictures).files) {
    const int number = flower_number(name);
    if (number >= 1 && number <= 1360) {
      all.add_file(pictures / name, (number - 1) / 80);
    } else if (name != "files.txt") {
      skip(&data, options, (pictures / name).string(),
           "not one of image_0001.jpg to image_1360.jpg");
    }
  }
  if (all.size() == 0) {
    throw FileError(fmt::format("{}: no image_0001.jpg to image_1360.jpg", pictures.string()));
  }
  if (all.size() != 1360) {
    skip(&data, options, pictures.string(),
         fmt::format("only {} of Flowers-17's 1360 images are there", all.size()));
  }
  split_by_class(all, 17, options, &data.train, &data.test);
  data.layout = fmt::format("Flowers-17, {:.0f} % of each class held out for testing",
                            100 * options.test_part);
  return data;
}

Dataset open_dataset(const fs::path& folder, const DatasetOptions& options) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw FileError(fmt::format("{}: {}", folder.string(),
                                fs::exists(folder, ignored)
                                    ? "is a file, expected a folder of images"
                                    : "there is no such folder; --data says where the images are"));
  }
  const Listing top = list(folder);
  const auto any_file = [&](const char* begin, const char* end) {
    return std::any_of(top.files.begin(), top.files.end(), [&](const std::string& name) {
      return name.starts_with(begin) && name.ends_with(end);
    });
  };
  if (any_file("train-images", "ubyte") || any_file("train-images", "ubyte.gz")) {
    return open_mnist(folder);
  }
  if (any_file("data_batch_", ".bin")) return open_cifar10(folder);
  for (const std::string& name : list(flowers17_folder(folder)).files) {
    if (flower_number(name) > 0) return open_flowers17(folder, options);
  }
  const fs::path train = contains(top.folders, "train") ? folder / "train" : folder;
  for (const std::string& name : list(train).folders) {
    if (has_pictures(train / name)) return open_class_folders(folder, options);
  }

  std::vector<std::string> found = top.folders;
  for (std::string& name : found) name += '/';
  found.insert(found.end(), top.files.begin(), top.files.end());
  const std::size_t count = found.size();
  if (count > 12) found.resize(12);
  std::string hint;
  if (contains(top.files, "data_batch_1")) {
    hint = "; this is CIFAR-10's Python version: take its binary version";
  }
  throw FileError(fmt::format(
      "{}: not a set of images that is understood. Understood are: folders of pictures, one per "
      "class (<class>/*.jpg or .png), alone or under train/ beside test/ or val/; Flowers-17 "
      "(jpg/image_0001.jpg ...); MNIST or Fashion-MNIST (train-images-idx3-ubyte, also .gz); "
      "CIFAR-10's "
      "binary version (data_batch_1.bin ...). Found {} entries{}{}{}{}",
      folder.string(), count, count ? ": " : "", fmt::join(found, ", "),
      count > found.size() ? ", ..." : "", hint));
}

}  // namespace limulus
