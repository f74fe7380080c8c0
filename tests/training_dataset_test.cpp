// Recognising sets of images in their layouts, and refusing what is damaged or unknown.
#include "training/data/dataset.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "temporary_folder.h"
#include "training_sets.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string be32(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

std::string gzip(const std::string& bytes, const fs::path& scratch) {
  const gzFile file = ::gzopen(scratch.c_str(), "wb");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  return get_bytes(scratch);
}

}  // namespace

TEST_CASE("dataset: class folders without a test set are split, the same in every run") {
  TemporaryFolder folder;
  const std::string png = golden_bytes("rgb.png");
  for (int i = 0; i < 10; ++i) {
    put_bytes(folder / ("roses/" + std::to_string(i) + ".png"), png);
    put_bytes(folder / ("Tulips/" + std::to_string(i) + ".JPG"), png);
  }
  put_bytes(folder / "roses/notes.txt", "x");
  put_bytes(folder / "roses/.hidden.png", "x");
  fs::create_directories(folder / "empty");
  const Dataset data = open_dataset(folder.path);
  CHECK(data.classes == std::vector<std::string>{"Tulips", "roses"});  // 'T' < 'r'
  CHECK(data.train.size() == 16);
  CHECK(data.test.size() == 4);
  REQUIRE(data.skipped.size() == 3);
  CHECK(has(data.skipped[0].name, "empty"));
  CHECK(has(data.skipped[1].name, ".hidden.png"));
  CHECK(has(data.skipped[2].name, "notes.txt"));
  CHECK(has(data.layout, "2 class folders"));
  std::set<std::string> names;
  std::map<std::int64_t, int> tests;
  for (std::int64_t i = 0; i < data.train.size(); ++i) names.insert(data.train.name(i));
  for (std::int64_t i = 0; i < data.test.size(); ++i) {
    names.insert(data.test.name(i));
    ++tests[data.test.label(i)];
    CHECK(has(data.test.name(i), data.classes[static_cast<std::size_t>(data.test.label(i))]));
  }
  CHECK(names.size() == 20);
  CHECK(tests[0] == 2);
  CHECK(tests[1] == 2);
  const Dataset again = open_dataset(folder.path);
  for (std::int64_t i = 0; i < 4; ++i) CHECK(again.test.name(i) == data.test.name(i));
  const Dataset other = open_dataset(folder.path, {.split_seed = 1});
  bool differs = false;
  for (std::int64_t i = 0; i < 4; ++i) differs |= other.test.name(i) != data.test.name(i);
  CHECK(differs);
  CHECK(data.train.load(0).width == 20);
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path, {.strict = true}); }), "empty"));
}

TEST_CASE("dataset: a split leaves at least one image of a class on each side") {
  ImageSet all;
  for (const int label : {0, 0, 1, 2, 2, 2, 2, 2, 2, 2}) all.add_file("x.png", label);
  ImageSet train, test;
  split_by_class(all, 3, {}, &train, &test);
  CHECK(train.size() == 1 + 1 + 6);  // the one image of class 1 is for training
  CHECK(test.size() == 1 + 0 + 1);
  split_by_class(all, 3, {.test_part = 0.9}, &train, &test);
  CHECK(train.size() == 3);
  split_by_class(all, 3, {.test_part = 0}, &train, &test);
  CHECK(test.size() == 0);
  CHECK_THROWS_AS(split_by_class(all, 3, {.test_part = 1}, &train, &test), ValueError);
}

TEST_CASE("dataset: train beside test or val") {
  TemporaryFolder folder;
  for (const char* part : {"train", "val"}) {
    for (const char* name : {"a", "b", "c"}) {
      put_bytes(folder / (std::string(part) + "/" + name + "/x.png"), golden_bytes("rgb.png"));
    }
  }
  Dataset data = open_dataset(folder.path);
  CHECK(data.classes.size() == 3);
  CHECK(data.train.size() == 3);
  CHECK(data.test.size() == 3);
  CHECK(data.test.label(2) == 2);
  CHECK(has(data.test.name(2), "val"));
  put_bytes(folder / "test/b/y.png", golden_bytes("rgb.png"));
  data = open_dataset(folder.path);
  CHECK(data.test.size() == 1);
  CHECK(data.test.label(0) == 1);
  CHECK(open_dataset(folder.path, {.test_folder = "val"}).test.size() == 3);
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path, {.test_folder = "dev"}); }),
            "no folder \"dev\""));
  put_bytes(folder / "test/d/y.png", "");
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path); }), "class \"d\" is not in"));
}

TEST_CASE("dataset: Flowers-17") {
  TemporaryFolder folder;
  for (int n = 1; n <= 1360; ++n) {
    char name[32];
    std::snprintf(name, sizeof name, "jpg/image_%04d.jpg", n);
    put_bytes(folder / name, "");
  }
  put_bytes(folder / "jpg/files.txt", "");
  const Dataset data = open_dataset(folder.path);
  CHECK(data.classes.size() == 17);
  CHECK(data.classes[9] == "sunflower");
  CHECK(data.train.size() == 17 * 64);
  CHECK(data.test.size() == 17 * 16);
  CHECK(data.skipped.empty());
  for (std::int64_t i = 0; i < data.test.size(); ++i) {
    const std::string name = data.test.name(i);
    const int n = std::atoi(name.substr(name.size() - 8, 4).c_str());
    CHECK(data.test.label(i) == (n - 1) / 80);
  }
}

TEST_CASE("dataset: MNIST's files, packed and not, and damaged ones") {
  TemporaryFolder folder;
  const std::string images =
      be32(0x803) + be32(3) + be32(2) + be32(2) + std::string("abcdefghijkl");
  const std::string labels = be32(0x801) + be32(3) + std::string("\7\0\1", 3);
  fs::create_directories(folder / "fashion/train-images-idx3-ubyte");  // a folder beside the file
  put_bytes(folder / "fashion/train-images-idx3-ubyte.gz", gzip(images, folder / "scratch"));
  put_bytes(folder / "fashion/train-labels-idx1-ubyte", labels);
  put_bytes(folder / "fashion/t10k-images.idx3-ubyte", images);
  const fs::path packed_labels = folder / "fashion/t10k-labels-idx1-ubyte.gz";
  put_bytes(packed_labels, gzip(labels, folder / "scratch"));
  const Dataset data = open_dataset(folder / "fashion");
  CHECK(has(data.layout, "labels are not known"));  // whatever the folder is called
  CHECK(data.classes[9] == "9");
  CHECK(data.train.size() == 3);
  CHECK(data.train.label(0) == 7);
  CHECK(data.train.in_memory());
  const Image image = data.train.load(1);
  CHECK(image.width == 2);
  CHECK(std::string(image.rgb.begin(), image.rgb.end()) == "eeefffggghhh");
  CHECK(has(data.train.name(1), "image 1"));

  const auto path = folder / "fashion/t10k-images.idx3-ubyte";
  const auto error = [&](const std::string& bytes) {
    put_bytes(path, bytes);
    return message_of<FileError>([&] { open_dataset(folder / "fashion"); });
  };
  CHECK(
      has(error(images + "x"), "3 x 2 x 2 = 12 bytes expected after the header, but there are 13"));
  CHECK(has(error(labels), "not an IDX file"));
  CHECK(has(error(be32(0x803) + std::string(12, '\xff')), "4294967295 x 4294967295"));
  for (std::size_t size = 0; size < images.size(); ++size)
    CHECK(error(images.substr(0, size)) != "");
  const std::string packed = gzip(images, folder / "scratch");
  CHECK(error(packed) == "");
  for (std::size_t size = 0; size < packed.size(); ++size)
    CHECK(error(packed.substr(0, size)) != "");
  CHECK(has(error(packed.substr(0, packed.size() - 1)), "was cut"));
  CHECK(has(error(be32(0x803) + be32(2) + be32(2) + be32(2) + "abcdefgh"), "3 labels for the 2"));
}

TEST_CASE("dataset: CIFAR-10's binary version") {
  TemporaryFolder folder;
  std::string record(1, '\3');
  for (int c = 0; c < 3; ++c) record += std::string(1024, static_cast<char>(10 * (c + 1)));
  put_bytes(folder / "data_batch_1.bin", record + record);
  put_bytes(folder / "data_batch_3.bin", record);
  put_bytes(folder / "test_batch.bin", record);
  const Dataset data = open_dataset(folder.path);
  CHECK(data.train.size() == 3);
  CHECK(data.test.size() == 1);
  CHECK(data.skipped.size() == 3);
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path, {.strict = true}); }),
            "this part of the training set is missing"));
  CHECK(has(data.train.name(2), "data_batch_3.bin, image 0"));
  CHECK(data.classes[static_cast<std::size_t>(data.train.label(2))] == "cat");
  const Image image = data.test.load(0);
  CHECK(image.width == 32);
  for (int c = 0; c < 3; ++c) CHECK(image.pixel(31, 31)[c] == 10 * (c + 1));
  put_bytes(folder / "test_batch.bin", record + "x");
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path); }), "1 and 1 left over"));
  record[0] = 10;
  put_bytes(folder / "test_batch.bin", record);
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path); }), "label 10"));
}

TEST_CASE("dataset: MNIST's files in folders of their own names") {
  TemporaryFolder folder;
  const std::string images = be32(0x803) + be32(2) + be32(1) + be32(1) + "ab";
  const std::string labels = be32(0x801) + be32(2) + std::string("\0\1", 2);
  for (const char* part : {"train", "t10k"}) {
    const std::string image_name = std::string(part) + "-images-idx3-ubyte",
                      label_name = std::string(part) + "-labels-idx1-ubyte";
    put_bytes(folder / (image_name + "/" + image_name), images);
    put_bytes(folder / (label_name + "/" + label_name), labels);
  }
  put_bytes(folder / "readme.txt", "");
  const Dataset data = open_dataset(folder.path);
  CHECK(data.train.size() == 2);
  REQUIRE(data.skipped.size() == 1);
  CHECK(data.skipped[0].rule == SkipRule::unused);
  // Folders of pictures beside them would be left out: it is asked which is meant.
  put_bytes(folder / "cat/1.jpg", "");
  put_bytes(folder / "dog/1.jpg", "");
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path); }),
            "choose with --layout mnist or --layout classes"));
  CHECK(open_dataset(folder.path, {.layout = Layout::mnist}).train.size() == 2);
  CHECK(open_dataset(folder.path, {.layout = Layout::classes}).classes.size() == 2);
  fs::remove_all(folder / "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte");
  CHECK(has(message_of<FileError>([&] { open_mnist(folder.path); }),
            "t10k-images-idx3-ubyte is a folder"));
}

// A label file of MNIST cannot be made here, but one with its CRC-32 can: the sum is linear in the
// bits of the file, so that of three free bits in each of 20 labels some combination gives it.
std::string labels_with_crc(std::uint32_t wanted) {
  std::string bytes = be32(0x801) + be32(20) + std::string(20, '\0');
  const auto crc = [&] {
    return static_cast<std::uint32_t>(
        ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
  };
  struct Row {
    std::uint32_t sum;   // what these bits add to the CRC
    std::uint64_t bits;  // 3 for each label
  };
  const auto flip = [&](std::uint64_t bits) {
    for (int bit = 0; bit < 60; ++bit)
      if ((bits >> bit & 1) != 0)
        bytes[8 + bit / 3] = static_cast<char>(bytes[8 + bit / 3] ^ 1 << bit % 3);
  };
  const std::uint32_t none = crc();
  std::uint32_t missing = none ^ wanted;
  std::uint64_t chosen = 0;
  std::vector<Row> rows;  // Gaussian elimination: each row has a highest bit of its own
  const auto reduce = [&](std::uint32_t* sum, std::uint64_t* bits) {
    for (const Row& row : rows)
      if (std::bit_width(*sum ^ row.sum) < std::bit_width(*sum)) *sum ^= row.sum, *bits ^= row.bits;
  };
  for (int bit = 0; bit < 60; ++bit) {
    flip(std::uint64_t{1} << bit);
    Row row{crc() ^ none, std::uint64_t{1} << bit};
    flip(row.bits);
    reduce(&row.sum, &row.bits);
    if (row.sum == 0) continue;
    rows.push_back(row);
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.sum > b.sum; });
  }
  reduce(&missing, &chosen);
  REQUIRE(missing == 0);
  flip(chosen);
  return bytes;
}

TEST_CASE("dataset: MNIST and Fashion-MNIST are told apart by their labels") {
  TemporaryFolder folder;
  const auto put = [&](const char* part, std::uint32_t crc) {
    put_bytes(folder / ("fashion/" + std::string(part) + "-images-idx3-ubyte"),
              be32(0x803) + be32(20) + be32(1) + be32(1) + std::string(20, 'x'));
    put_bytes(folder / ("fashion/" + std::string(part) + "-labels-idx1-ubyte.gz"),
              gzip(labels_with_crc(crc), folder / "scratch"));
  };
  const auto open = [&] { return open_dataset(folder / "fashion"); };
  put("train", 0xe0cb4ad2);
  put("t10k", 0x4ab9eff9);
  CHECK(open().layout == "MNIST, by its labels");
  CHECK(open().classes[9] == "9");
  put("train", 0x741a4657);
  CHECK(has(message_of<FileError>(open), "one of the label files is MNIST's"));
  put("t10k", 0x80142c1f);
  CHECK(open().layout == "Fashion-MNIST, by its labels");
  CHECK(open().classes[9] == "ankle boot");
  put("t10k", 1);
  CHECK(open().classes[9] == "ankle boot");
  put("train", 2);
  CHECK(open().classes[9] == "9");
}

TEST_CASE("dataset: a folder that is none of these says what it holds") {
  TemporaryFolder folder;
  const auto error = [&] { return message_of<FileError>([&] { open_dataset(folder.path); }); };
  CHECK(has(error(), "Found 0 entries"));
  put_bytes(folder / "data_batch_1", "");
  put_bytes(folder / "sub/deeper/x.png", "");
  CHECK(has(error(), "at least 2 classes"));
  fs::remove_all(folder / "sub/deeper");
  CHECK(has(error(), "Found 2 entries: sub/, data_batch_1"));
  CHECK(has(error(), "Flowers-17"));
  CHECK(has(error(), "binary version"));
  CHECK(has(message_of<FileError>([&] { open_dataset(folder / "none"); }), "no such folder"));
  CHECK(has(message_of<FileError>([&] { open_dataset(folder / "data_batch_1"); }), "is a file"));
  TemporaryFolder one;
  put_bytes(one / "only/x.png", golden_bytes("rgb.png"));
  CHECK(has(message_of<FileError>([&] { open_dataset(one.path); }), "at least 2 classes"));
}

TEST_CASE("real data: MNIST in the folder LIMULUS_DATA") {
  const char* root = std::getenv("LIMULUS_DATA");
  if (root == nullptr || !fs::exists(fs::path(root) / "mnist")) {
    MESSAGE("skipped: LIMULUS_DATA names no folder with mnist/ in it");
    return;
  }
  const Dataset data = open_dataset(fs::path(root) / "mnist");
  CHECK(data.train.size() == 60000);
  CHECK(data.test.size() == 10000);
  CHECK(data.train.label(0) == 5);  // the well-known beginning: 5, 0, 4, 1, 9
  CHECK(data.train.label(4) == 9);
  const Image first = data.train.load(0);
  CHECK(first.width == 28);
  CHECK(std::accumulate(first.rgb.begin(), first.rgb.end(), 0) == 3 * 27525);
}
