// The sets that come as a few files of raw pixels: MNIST's IDX format and CIFAR-10's records.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>
#include <utility>

#include "core/checked.h"
#include "core/error.h"
#include "formats/read_file.h"
#include "training/dataset.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostBytes = std::int64_t{2} << 30;

std::int64_t big_endian(std::span<const std::uint8_t> b, std::size_t at) {
  return std::int64_t{b[at]} << 24 | b[at + 1] << 16 | b[at + 2] << 8 | b[at + 3];
}

// IDX: 0 0, type (8 = bytes), rank, then each size in 4 bytes with the highest first, then the
// data. The sizes are read, and checked, before the data is unpacked.
std::vector<std::uint8_t> read_idx(const fs::path& path, int rank,
                                   std::vector<std::int64_t>* sizes) {
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
  const auto data = static_cast<std::int64_t>(bytes.size() - header);
  if (data != expected || expected == 0) {
    throw FileError(fmt::format("{}: {} = {} bytes expected after the header, but there are {}{}",
                                path.string(), product, expected, data,
                                data > expected ? " or more" : ""));
  }
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

// MNIST's file names are written with '-' or '.' before "idx", packed or not.
fs::path find_idx(const fs::path& folder, const std::string& begin, const std::string& idx) {
  for (const char* dot : {"-", "."}) {
    for (const char* packed : {"", ".gz"}) {
      fs::path path = folder / fmt::format("{}{}{}-ubyte{}", begin, dot, idx, packed);
      std::error_code ignored;
      if (fs::exists(path, ignored)) return path;
    }
  }
  throw FileError(
      fmt::format("{}: has no {}-{}-ubyte, packed (.gz) or not", folder.string(), begin, idx));
}

ImageSet read_mnist_part(const fs::path& folder, const std::string& part) {
  const fs::path image_path = find_idx(folder, part + "-images", "idx3");
  const fs::path label_path = find_idx(folder, part + "-labels", "idx1");
  std::vector<std::int64_t> image_sizes, label_sizes;
  std::vector<std::uint8_t> pixels = read_idx(image_path, 3, &image_sizes);
  const std::vector<std::uint8_t> labels = read_idx(label_path, 1, &label_sizes);
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
  return ImageSet::from_pixels(image_path.string(), std::move(pixels),
                               {labels.begin(), labels.end()}, 1, static_cast<int>(image_sizes[1]),
                               static_cast<int>(image_sizes[2]));
}

// CIFAR-10: one record is a label and a 3 x 32 x 32 image.
constexpr std::size_t kRecord = 1 + 3 * 32 * 32;

ImageSet read_cifar_files(const std::vector<fs::path>& paths, const std::string& name) {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  for (const fs::path& path : paths) {
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
  }
  return ImageSet::from_pixels(name, std::move(pixels), std::move(labels), 3, 32, 32);
}

}  // namespace

Dataset open_mnist(const fs::path& folder) {
  Dataset data;
  data.train = read_mnist_part(folder, "train");
  data.test = read_mnist_part(folder, "t10k");
  // The files of Fashion-MNIST have MNIST's names: only the folder tells them apart.
  std::error_code ignored;
  std::string where = fs::weakly_canonical(folder, ignored).string();
  std::transform(where.begin(), where.end(), where.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool fashion = where.find("fashion") != std::string::npos;
  if (fashion) {
    data.classes = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                    "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
  } else {
    for (int digit = 0; digit < 10; ++digit) data.classes.push_back(std::to_string(digit));
  }
  data.layout =
      fmt::format("{} (IDX files): {} training and {} test images",
                  fashion ? "Fashion-MNIST" : "MNIST", data.train.size(), data.test.size());
  return data;
}

Dataset open_cifar10(const fs::path& folder) {
  Dataset data;
  data.classes = {"airplane", "automobile", "bird",  "cat",  "deer",
                  "dog",      "frog",       "horse", "ship", "truck"};
  std::vector<fs::path> batches;
  for (int i = 1; i <= 5; ++i) {
    fs::path path = folder / fmt::format("data_batch_{}.bin", i);
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      batches.push_back(std::move(path));
    } else {
      data.skipped.push_back({path.string(), "this part of the training set is missing"});
    }
  }
  if (batches.empty()) {
    throw FileError(
        fmt::format("{}: has no data_batch_1.bin to data_batch_5.bin", folder.string()));
  }
  data.train = read_cifar_files(batches, (folder / "data_batch_*.bin").string());
  data.test = read_cifar_files({folder / "test_batch.bin"}, (folder / "test_batch.bin").string());
  data.layout = fmt::format("CIFAR-10 (binary version): {} training and {} test images",
                            data.train.size(), data.test.size());
  return data;
}

}  // namespace limulus
