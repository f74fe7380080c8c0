// The sets that come as a few files of raw pixels: MNIST's IDX format and CIFAR-10's records.
#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "formats/read_file.h"
#include "training/data/dataset_folders.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostBytes = std::int64_t{2} << 30;

std::int64_t big_endian(std::span<const std::uint8_t> b, std::size_t at) {
  return std::int64_t{b[at]} << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3];
}

// MNIST and Fashion-MNIST use the same file names, in folders of any name; their labels tell them
// apart. These are the CRC-32 of the unpacked label files, as gzip computes it:
enum class KnownLabels { neither, digits, fashion };

KnownLabels known_labels(const std::vector<std::uint8_t>& file) {
  switch (::crc32(0, file.data(), static_cast<uInt>(file.size()))) {
    case 0xe0cb4ad2:  // train-labels, 60,008 bytes
    case 0x4ab9eff9:  // t10k-labels, 10,008 bytes
      return KnownLabels::digits;
    case 0x741a4657:
    case 0x80142c1f:
      return KnownLabels::fashion;
    default:
      return KnownLabels::neither;
  }
}

// IDX: 0 0, type (8 = bytes), rank, then each size in 4 bytes with the highest first, then the
// data. The sizes are read, and checked, before the data is unpacked.
std::vector<std::uint8_t> read_idx(const fs::path& path, int rank, std::vector<std::int64_t>* sizes,
                                   KnownLabels* known = nullptr) {
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(rank);
  std::int64_t expected = 1;
  std::string product;
  const auto read_header = [&](std::span<const std::uint8_t> bytes) {
    if (bytes.size() < header || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 ||
        bytes[3] != rank) {
      throw FileError(
          fmt::format("{}: not an IDX file of bytes with {} dimensions: it must begin with "
                      "00 00 08 {:02x} and {} sizes",
                      path.string(), rank, rank, rank));
    }
    sizes->clear();
    expected = 1;
    product.clear();
    for (int r = 0; r < rank; ++r) {
      const std::int64_t size = big_endian(bytes, 4 + 4 * static_cast<std::size_t>(r));
      sizes->push_back(size);
      product += fmt::format("{}{}", r ? " x " : "", size);
      expected = size_product(expected, size);
    }
    if (expected > kMostBytes) {
      throw FileError(fmt::format("{}: {} bytes are more than {}, the most that is read",
                                  path.string(), product, kMostBytes));
    }
    return header + static_cast<std::size_t>(expected);
  };
  std::vector<std::uint8_t> bytes = read_unpacked(path, header, read_header);
  read_header(bytes);
  if (known != nullptr) *known = known_labels(bytes);
  if (expected == 0)
    throw FileError(fmt::format("{}: holds nothing: {} = 0 bytes", path.string(), product));
  const auto data = static_cast<std::int64_t>(bytes.size() - header);
  if (data != expected) {
    throw FileError(fmt::format("{}: {} = {} bytes expected after the header, but there are {}{}",
                                path.string(), product, expected, data,
                                data > expected ? " or more" : ""));
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

// What is in a file's place, as "is a named pipe, not a file"; "" if nothing is there.
std::string instead_of_file(const fs::path& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) == 0) return kind_of(found.st_mode);
  const int error = errno;
  std::error_code ignored;
  if (error == ENOENT || error == ENOTDIR)
    return fs::is_symlink(path, ignored) ? "is a symbolic link to nothing" : "";
  return "cannot be looked at: " + system_message(error);
}

// MNIST's file names are written with '-' or '.' before "idx", packed or not; some archives unpack
// each into a folder of its own name. Only files count: such a folder may stand beside its file.
fs::path find_idx(const fs::path& folder, const std::string& begin, const std::string& idx) {
  std::string other;
  for (const char* dot : {"-", "."}) {
    for (const char* packed : {"", ".gz"}) {
      const std::string name = fmt::format("{}{}{}-ubyte{}", begin, dot, idx, packed);
      for (const fs::path& path : {folder / name, folder / name / name}) {
        std::error_code ignored;
        if (fs::is_regular_file(path, ignored)) return path;
        if (const std::string what = instead_of_file(path); !what.empty())
          other = fmt::format("; {} {}", path.string(), what);
      }
    }
  }
  throw FileError(fmt::format("{}: has no file {}-{}-ubyte, packed (.gz) or not{}", folder.string(),
                              begin, idx, other));
}

struct MnistPart {
  ImageSet images;
  KnownLabels known = KnownLabels::neither;
  std::vector<fs::path> files;  // what was read
};

MnistPart read_mnist_part(const fs::path& folder, const std::string& part) {
  const fs::path image_path = find_idx(folder, part + "-images", "idx3");
  const fs::path label_path = find_idx(folder, part + "-labels", "idx1");
  std::vector<std::int64_t> image_sizes, label_sizes;
  std::vector<std::uint8_t> pixels = read_idx(image_path, 3, &image_sizes);
  KnownLabels known = KnownLabels::neither;
  const std::vector<std::uint8_t> labels = read_idx(label_path, 1, &label_sizes, &known);
  if (image_sizes[0] != label_sizes[0]) {
    throw FileError(fmt::format("{}: {} labels for the {} images of {}", label_path.string(),
                                label_sizes[0], image_sizes[0], image_path.filename().string()));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] > 9) {
      throw FileError(fmt::format("{}: label {} of image {}, expected 0 to 9", label_path.string(),
                                  labels[i], i));
    }
  }
  if (image_sizes[1] > 4096 || image_sizes[2] > 4096) {
    throw FileError(
        fmt::format("{}: images of {} x {}", image_path.string(), image_sizes[1], image_sizes[2]));
  }
  return {
      ImageSet::from_pixels(image_path.string(), std::move(pixels), {labels.begin(), labels.end()},
                            1, static_cast<int>(image_sizes[1]), static_cast<int>(image_sizes[2])),
      known,
      {image_path, label_path}};
}

// Lists whatever lies beside the files that were read and is not in the list yet.
void skip_others(const fs::path& folder, const std::vector<fs::path>& read, Dataset* data) {
  const Listing listing = list_folder(folder);
  std::set<std::string> listed;
  for (const Skipped& s : data->skipped) listed.insert(s.name);
  for (const Skipped& s : listing.skipped)
    if (!listed.contains(s.name)) data->skipped.push_back(s);
  for (const auto* names : {&listing.folders, &listing.pictures, &listing.others})
    for (const std::string& name : *names) {
      const bool was_read = std::any_of(read.begin(), read.end(), [&](const fs::path& path) {
        return path == folder / name || path.parent_path() == folder / name;
      });
      if (!was_read && !listed.contains((folder / name).string()))
        data->skipped.push_back({(folder / name).string(),
                                 fmt::format("without a part in {}", name_of(data->kind)),
                                 SkipRule::unused});
    }
}

// CIFAR-10: one record is a label and a 3 x 32 x 32 image.
constexpr std::size_t kRecord = 1 + 3 * 32 * 32;

ImageSet read_cifar_file(const fs::path& path) {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  const auto bytes = read_file(path);
  if (bytes.empty() || bytes.size() % kRecord != 0) {
    throw FileError(fmt::format(
        "{}: {} bytes are not a whole number of records of 1 + 3 x 32 x 32 "
        "= {} bytes ({} and {} left over)",
        path.string(), bytes.size(), kRecord, bytes.size() / kRecord, bytes.size() % kRecord));
  }
  for (std::size_t at = 0; at < bytes.size(); at += kRecord) {
    if (bytes[at] > 9) {
      throw FileError(fmt::format("{}: label {} in record {}, expected 0 to 9", path.string(),
                                  bytes[at], at / kRecord));
    }
    labels.push_back(bytes[at]);
    const auto* record = bytes.data() + at;
    pixels.insert(pixels.end(), record + 1, record + kRecord);
  }
  return ImageSet::from_pixels(path.string(), std::move(pixels), std::move(labels), 3, 32, 32);
}

}  // namespace

Dataset open_mnist(const fs::path& folder, const DatasetOptions& options) {
  Dataset data;
  data.kind = Layout::mnist;
  std::vector<fs::path> read;
  KnownLabels known = KnownLabels::neither;
  const auto take = [&](const char* name, ImageSet* to) {
    MnistPart part = read_mnist_part(folder, name);
    *to = std::move(part.images);
    read.insert(read.end(), part.files.begin(), part.files.end());
    if (known != KnownLabels::neither && part.known != KnownLabels::neither && known != part.known)
      throw FileError(fmt::format(
          "{}: one of the label files is MNIST's and the other Fashion-MNIST's", folder.string()));
    if (part.known != KnownLabels::neither) known = part.known;
  };
  take("t10k", &data.test);
  try {
    take("train", &data.train);
  } catch (const FileError& error) {  // an evaluation can do without
    if (options.classes.empty() || data.test.size() == 0) throw;
    data.train = {};
    data.skipped.push_back({folder.string(),
                            fmt::format("without its training part: {}", error.what()),
                            SkipRule::unused});
  }
  if (known == KnownLabels::fashion) {
    data.classes = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                    "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
  } else {
    for (int digit = 0; digit < 10; ++digit) data.classes.push_back(std::to_string(digit));
  }
  data.layout = known == KnownLabels::fashion ? "Fashion-MNIST, by its labels"
                : known == KnownLabels::digits
                    ? "MNIST, by its labels"
                    : "IDX files whose labels are not known, so that classes "
                      "are numbers";
  data.division = "the t10k files held out";
  skip_others(folder, read, &data);
  check_strict(data, options);
  return data;
}

Dataset open_cifar10(const fs::path& folder, const DatasetOptions& options) {
  Dataset data;
  data.kind = Layout::cifar10;
  data.classes = {"airplane", "automobile", "bird",  "cat",  "deer",
                  "dog",      "frog",       "horse", "ship", "truck"};
  std::vector<fs::path> batches;
  for (int i = 1; i <= 5; ++i) {
    fs::path path = folder / fmt::format("data_batch_{}.bin", i);
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) {
      batches.push_back(std::move(path));
    } else {
      const std::string what = instead_of_file(path);
      data.skipped.push_back({path.string(),
                              what.empty() ? "this part of the training set is missing"
                                           : what + "; this part of the training set is missing",
                              SkipRule::incomplete});
    }
  }
  if (batches.empty() && options.classes.empty()) {
    throw FileError(
        fmt::format("{}: has no data_batch_1.bin to data_batch_5.bin", folder.string()));
  }
  const fs::path test = folder / "test_batch.bin";
  for (const fs::path& path : batches) data.train = data.train.joined(read_cifar_file(path));
  data.test = read_cifar_file(test);
  data.layout = fmt::format("CIFAR-10, binary version, {} of its 5 data batches", batches.size());
  data.division = "the test batch held out";
  batches.push_back(test);
  for (const char* own : {"batches.meta.txt", "readme.html"}) batches.push_back(folder / own);
  skip_others(folder, batches, &data);
  check_strict(data, options);
  return data;
}

}  // namespace limulus
