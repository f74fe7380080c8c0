// Recognising sets of images, statistics over them, augmentation and the loader.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "temporary_folder.h"
#include "training/dataset.h"
#include "training/image_cache.h"
#include "training/loader.h"
#include "training/statistics.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string golden_bytes(const std::string& name) {
  return get_bytes(fs::path(LIMULUS_SOURCE_DIR) / "tests/golden/images" / name);
}

// Ten classes of random pixels, `n` images of side x side.
ImageSet noise_set(int n, int side) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(n) * 3 * side * side);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(philox_block({3, 0}, i).v[0]);
  }
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) labels[static_cast<std::size_t>(i)] = i % 10;
  return ImageSet::from_pixels("noise", std::move(pixels), std::move(labels), 3, side, side);
}

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

std::vector<Batch> all_batches(Loader& loader, std::int64_t epoch, std::int64_t first = 0) {
  std::vector<Batch> batches;
  loader.start(epoch, first);
  for (Batch batch; loader.next(batch); batch = {}) batches.push_back(batch);
  return batches;
}

bool same(const Batch& a, const Batch& b) {
  return a.index == b.index && a.size == b.size && a.labels == b.labels && a.sources == b.sources &&
         a.images == b.images;
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
  REQUIRE(data.skipped.size() == 2);
  CHECK(has(data.skipped[0].name, "empty"));
  CHECK(has(data.skipped[1].name, "notes.txt"));
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
  put_bytes(folder / "fashion/train-images-idx3-ubyte.gz", gzip(images, folder / "scratch"));
  put_bytes(folder / "fashion/train-labels-idx1-ubyte", labels);
  put_bytes(folder / "fashion/t10k-images.idx3-ubyte", images);
  put_bytes(folder / "fashion/t10k-labels-idx1-ubyte.gz", gzip(labels, folder / "scratch"));
  const Dataset data = open_dataset(folder / "fashion");
  CHECK(has(data.layout, "Fashion-MNIST"));
  CHECK(data.classes[9] == "ankle boot");
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

TEST_CASE("dataset: a folder that is none of these says what it holds") {
  TemporaryFolder folder;
  const auto error = [&] { return message_of<FileError>([&] { open_dataset(folder.path); }); };
  CHECK(has(error(), "Found 0 entries"));
  put_bytes(folder / "data_batch_1", "");
  put_bytes(folder / "sub/deeper/x.png", "");
  CHECK(has(error(), "Found 2 entries: sub/, data_batch_1"));
  CHECK(has(error(), "Flowers-17"));
  CHECK(has(error(), "binary version"));
  CHECK(has(message_of<FileError>([&] { open_dataset(folder / "none"); }), "no such folder"));
  CHECK(has(message_of<FileError>([&] { open_dataset(folder / "data_batch_1"); }), "is a file"));
  TemporaryFolder one;
  put_bytes(one / "only/x.png", golden_bytes("rgb.png"));
  CHECK(has(message_of<FileError>([&] { open_dataset(one.path); }), "at least 2 classes"));
}

TEST_CASE("prepare: shorter side, middle square, border") {
  Image wide{8, 4, std::vector<std::uint8_t>(96)};
  for (int x = 0; x < 8; ++x) {
    for (int y = 0; y < 4; ++y) wide.pixel(x, y)[0] = static_cast<std::uint8_t>(10 * x);
  }
  const Image square = prepare(wide, {.short_side = 0});
  CHECK(square.width == 4);
  CHECK(square.pixel(0, 0)[0] == 20);
  CHECK(square.pixel(3, 3)[0] == 50);
  const Image large = prepare(wide, {.short_side = 6, .square = false});
  CHECK(large.width == 12);
  CHECK(large.height == 6);
  const Image padded = prepare(wide, {.short_side = 4, .square = true, .pad = 2});
  CHECK(padded.width == 8);
  CHECK(padded.pixel(1, 4)[0] == 0);
  CHECK(padded.pixel(2, 2)[0] == 20);
}

TEST_CASE("augment: ten-crop takes four corners, the middle, and their mirror images") {
  const int side = 5, crop = 3;
  Image image{side, side, {}};
  for (int i = 0; i < side * side; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(i + 100 * c));
  }
  Normalization norm;
  norm.mean = {1, 2, 3};
  norm.scale = {0.5f, 1, 2};
  const Augment options{.crop = crop, .random = false, .ten_crop = true};
  CHECK(views(options) == 10);
  std::vector<float> out(10 * 3 * crop * crop);
  augment(image, {}, options, norm, out.data());
  const int corner[5][2] = {{0, 0}, {2, 0}, {0, 2}, {2, 2}, {1, 1}};
  for (int v = 0; v < 10; ++v) {
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < crop; ++y) {
        for (int x = 0; x < crop; ++x) {
          const int sx = corner[v % 5][0] + (v < 5 ? x : crop - 1 - x);
          const int sy = corner[v % 5][1] + y;
          const float expected = (sy * side + sx + 100 * c - norm.mean[c]) * norm.scale[c];
          CHECK(out[((v * 3 + c) * crop + y) * crop + x] == expected);
        }
      }
    }
  }
  // One view is the middle one; a mean image is subtracted at the crop's own place.
  std::vector<float> middle(3 * crop * crop);
  augment(image, {}, {.crop = crop, .random = false}, norm, middle.data());
  CHECK(std::equal(middle.begin(), middle.end(), out.begin() + 4 * 27));
  norm.mean_image.assign(image.rgb.size(), 0);
  norm.mean_side = side;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < side * side; ++i) {
      norm.mean_image[static_cast<std::size_t>(c * side * side + i)] =
          static_cast<float>(i + 100 * c - 7);
    }
  }
  augment(image, {}, options, norm, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == 7 * norm.scale[i / 9 % 3]);
}

TEST_CASE("augment: every choice occurs, follows the key, and is what it says") {
  const Image image = noise_set(1, 6).load(0);
  Augment options{.crop = 4, .vertical_flip = true};
  const Normalization norm;
  std::set<std::vector<float>> seen;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<float> a(48), b(48);
    augment(image, {1, i}, options, norm, a.data());
    augment(image, {1, i}, options, norm, b.data());
    CHECK(a == b);
    seen.insert(a);
  }
  CHECK(seen.size() == 3 * 3 * 2 * 2);  // places x mirror x flip
  options.mirror = options.vertical_flip = false;
  seen.clear();
  for (std::uint64_t i = 0; i < 200; ++i) {
    std::vector<float> a(48);
    augment(image, {1, i}, options, norm, a.data());
    seen.insert(a);
  }
  CHECK(seen.size() == 9);

  // Grey is luma; a grey picture stays as it is.
  const Image flat{6, 6, std::vector<std::uint8_t>(108, 77)};
  std::vector<float> grey(16);
  augment(flat, {1, 1}, {.crop = 4, .channels = 1}, norm, grey.data());
  CHECK(grey == std::vector<float>(16, 77));
  // A zoomed part of a flat picture is flat; of noise it differs from any unzoomed one.
  std::vector<float> zoomed(48);
  augment(flat, {1, 2}, {.crop = 4, .zoom_min = 0.5, .zoom_max = 2}, norm, zoomed.data());
  CHECK(zoomed == std::vector<float>(48, 77));

  CHECK(has(message_of<ShapeError>([&] { augment(flat, {}, {.crop = 7}, norm, zoomed.data()); }),
            "7 x 7 from an image of 6 x 6"));
  CHECK_THROWS_AS(check({.channels = 2}, norm), ValueError);
  CHECK_THROWS_AS(check({.zoom_min = 2, .zoom_max = 1}, norm), ValueError);
  Normalization with_image;
  with_image.mean_image.resize(108);
  with_image.mean_side = 6;
  CHECK_NOTHROW(check({.crop = 4}, with_image));
  CHECK_THROWS_AS(check({.zoom_max = 2}, with_image), ValueError);
  with_image.mean_side = 7;
  CHECK_THROWS_AS(check({.crop = 4}, with_image), ShapeError);
}

TEST_CASE("augment: the colour shift has the covariance it should") {
  // Over many keys, shift = sigma * sum_k a_k row_k: covariance sigma^2 * sum_k row_k row_k^T.
  const Image image{1, 1, {100, 100, 100}};
  Normalization norm;
  norm.colour_axes = {{{30, 20, 10}, {-5, 5, 5}, {0, 1, -2}}};
  const Augment options{.crop = 1, .colour_sigma = 0.1};
  const int n = 20000;
  double mean[3] = {}, product[3][3] = {};
  for (int i = 0; i < n; ++i) {
    float out[3];
    augment(image, random_key(5, RandomPurpose::augment, 0, static_cast<std::uint64_t>(i)), options,
            norm, out);
    for (int p = 0; p < 3; ++p) {
      mean[p] += (out[p] - 100.0) / n;
      for (int q = 0; q < 3; ++q) product[p][q] += (out[p] - 100.0) * (out[q] - 100.0) / n;
    }
  }
  for (int p = 0; p < 3; ++p) {
    CHECK(std::abs(mean[p]) < 0.1);
    for (int q = 0; q < 3; ++q) {
      double expected = 0;
      for (int k = 0; k < 3; ++k)
        expected += 0.01 * norm.colour_axes[k][p] * norm.colour_axes[k][q];
      CHECK(std::abs(product[p][q] - expected) < 0.05 * 9);
    }
  }
}

TEST_CASE("statistics: eigenvectors of a matrix made by hand") {
  // A = sum_k value_k e_k e_k^T with e = (2, 2, 1)/3, (-2, 1, 2)/3, (1, -2, 2)/3.
  const double e[3][3] = {{2, 2, 1}, {-2, 1, 2}, {1, -2, 2}};
  const double value[3] = {900, 50, 0.25};
  Matrix3 a{};
  for (int k = 0; k < 3; ++k) {
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) a[i][j] += value[k] * e[k][i] * e[k][j] / 9;
    }
  }
  Vector3 values;
  Matrix3 vectors;
  symmetric_eigen(a, &values, &vectors);
  for (int k = 0; k < 3; ++k) {
    CHECK(values[k] == doctest::Approx(value[k]).epsilon(1e-12));
    double dot = 0;
    for (int i = 0; i < 3; ++i) dot += vectors[k][i] * e[k][i] / 3;
    CHECK(std::abs(dot) == doctest::Approx(1).epsilon(1e-12));
  }
  symmetric_eigen({{{2, 0, 0}, {0, 2, 0}, {0, 0, 5}}}, &values, &vectors);
  CHECK(values == Vector3{5, 2, 2});
  CHECK(vectors[0] == Vector3{0, 0, 1});
}

TEST_CASE("statistics: mean, covariance and mean image of a set made by hand") {
  // Two images of 1 x 2 x 2; red takes 0 and 40, green 10 and 30 with it, blue is constant.
  const std::vector<std::uint8_t> pixels = {0,  0,  40, 40, 10, 10, 30, 30, 7, 7, 7, 7,
                                            40, 40, 0,  0,  30, 30, 10, 10, 7, 7, 7, 7};
  ImageCache cache(ImageSet::from_pixels("hand", pixels, {0, 1}, 3, 2, 2), {.short_side = 0});
  const PixelStatistics s = measure_pixels(cache);
  CHECK(s.images == 2);
  CHECK(s.mean == Vector3{20, 20, 7});
  CHECK(s.covariance == Matrix3{{{400, 200, 0}, {200, 100, 0}, {0, 0, 0}}});
  CHECK(s.eigenvalues[0] == doctest::Approx(500));
  CHECK(s.eigenvalues[1] == doctest::Approx(0).scale(1));
  CHECK(s.mean_side == 2);
  CHECK(s.mean_image == std::vector<float>{20, 20, 20, 20, 20, 20, 20, 20, 7, 7, 7, 7});
  CHECK(measure_pixels(cache, 1).mean == Vector3{20, 20, 7});
  const Normalization norm = make_normalization(s, 0.5f, true);
  CHECK(norm.scale[1] == 0.5f);
  CHECK(norm.mean_side == 2);
  // sqrt(500) (2, 1, 0) / sqrt(5)
  CHECK(norm.colour_axes[0][0] == doctest::Approx(20));
  CHECK(norm.colour_axes[0][1] == doctest::Approx(10));

  ImageCache noise(noise_set(50, 9), {.short_side = 8});
  const PixelStatistics one = measure_pixels(noise, 40, 1), four = measure_pixels(noise, 40, 4);
  CHECK(one.images == 40);
  CHECK(one.covariance == four.covariance);
  CHECK(one.mean_image == four.mean_image);
}

TEST_CASE("loader: the same batches for any number of workers, each image once") {
  const auto cache = std::make_shared<ImageCache>(noise_set(53, 12), Prepare{.short_side = 0});
  const Augment options{.crop = 9, .vertical_flip = true, .zoom_max = 1.5, .colour_sigma = 0.1};
  Normalization norm;
  norm.colour_axes = {{{30, 20, 10}, {-5, 5, 5}, {0, 1, -2}}};
  Loader inline_loader(cache, options, norm, {.batch = 8, .workers = 0, .seed = 4});
  CHECK(inline_loader.batches() == 7);
  const auto expected = all_batches(inline_loader, 2);
  REQUIRE(expected.size() == 7);
  CHECK(expected.back().size == 5);
  CHECK(expected[0].images.size() == 8 * 3 * 9 * 9);
  std::set<std::int64_t> sources;
  for (const Batch& batch : expected) {
    for (std::size_t i = 0; i < batch.sources.size(); ++i) {
      sources.insert(batch.sources[i]);
      CHECK(batch.labels[i] == batch.sources[i] % 10);
    }
  }
  CHECK(sources.size() == 53);
  for (const int workers : {1, 2, 4}) {
    CAPTURE(workers);
    Loader loader(cache, options, norm, {.batch = 8, .workers = workers, .prefetch = 2, .seed = 4});
    const auto batches = all_batches(loader, 2);
    REQUIRE(batches.size() == expected.size());
    for (std::size_t b = 0; b < batches.size(); ++b) CHECK(same(batches[b], expected[b]));
    // Resumed in the middle of the epoch.
    const auto rest = all_batches(loader, 2, 3);
    REQUIRE(rest.size() == 4);
    for (std::size_t b = 0; b < 4; ++b) CHECK(same(rest[b], expected[b + 3]));
    // Started again while batches are in work.
    loader.start(0);
    Batch batch;
    REQUIRE(loader.next(batch));
    loader.start(2);
    REQUIRE(loader.next(batch));
    CHECK(same(batch, expected[0]));
  }
  Loader other(cache, options, norm, {.batch = 8, .workers = 0, .seed = 4});
  const auto next_epoch = all_batches(other, 3);
  CHECK(next_epoch[0].sources != expected[0].sources);
  CHECK(all_batches(other, 2, 7).empty());
  CHECK_THROWS_AS(other.start(0, 8), ValueError);
  Loader dropping(cache, options, norm, {.batch = 8, .shuffle = false, .drop_last = true});
  const auto full = all_batches(dropping, 0);
  CHECK(full.size() == 6);
  CHECK(full[0].sources == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("loader: an epoch changes the augmentation of an image, not only the order") {
  const auto cache = std::make_shared<ImageCache>(noise_set(1, 30), Prepare{.short_side = 0});
  Loader loader(cache, {.crop = 10}, {}, {.workers = 1});
  std::set<std::vector<float>> seen;
  for (int epoch = 0; epoch < 5; ++epoch) seen.insert(all_batches(loader, epoch)[0].images);
  CHECK(seen.size() == 5);
}

TEST_CASE("loader: unreadable images are left out and listed, or an error at their batch") {
  TemporaryFolder folder;
  ImageSet set;
  for (int i = 0; i < 12; ++i) {
    const auto path = folder / (std::to_string(i) + ".png");
    // The whole second batch, and one image of the third.
    const bool bad = (i >= 4 && i < 8) || i == 9;
    put_bytes(path, bad ? "not a picture" : golden_bytes("rgb.png"));
    set.add_file(path, i);
  }
  const auto cache = std::make_shared<ImageCache>(set, Prepare{.short_side = 12});
  for (const int workers : {0, 2}) {
    CAPTURE(workers);
    Loader loader(cache, {.crop = 10}, {}, {.batch = 4, .shuffle = false, .workers = workers});
    for (int twice = 0; twice < 2; ++twice) {
      const auto batches = all_batches(loader, 0);
      REQUIRE(batches.size() == 2);
      CHECK(batches[0].index == 0);
      CHECK(batches[1].index == 2);
      CHECK(batches[1].sources == std::vector<std::int64_t>{8, 10, 11});
      CHECK(batches[1].images.size() == 3 * 300);
    }
    const auto skipped = loader.skipped();
    REQUIRE(skipped.size() == 5);
    CHECK(skipped[4].first == 9);
    CHECK(has(skipped[4].second.reason, "9.png"));

    Loader strict(cache, {.crop = 10}, {},
                  {.batch = 4, .shuffle = false, .workers = workers, .strict = true});
    strict.start(0);
    Batch batch;
    CHECK(strict.next(batch));
    CHECK(has(message_of<FileError>([&] { strict.next(batch); }), "4.png"));
    // A crop that is too large is no reason to skip.
    Loader large(cache, {.crop = 13}, {}, {.batch = 4, .shuffle = false, .workers = workers});
    large.start(0);
    CHECK(has(message_of<ShapeError>([&] { large.next(batch); }), "0.png"));
  }
  CHECK_THROWS_AS(measure_pixels(*std::make_unique<ImageCache>(set.subset({4, 5}))), FileError);
  CHECK(measure_pixels(*cache).unreadable == 5);
}

TEST_CASE("loader: can be stopped at any time, and ten-crop gives ten views an image") {
  const auto cache = std::make_shared<ImageCache>(noise_set(64, 12), Prepare{.short_side = 0});
  for (int taken = 0; taken < 4; ++taken) {
    Loader loader(cache, {.crop = 9}, {}, {.batch = 4, .workers = 3});
    loader.start(0);
    Batch batch;
    for (int i = 0; i < taken; ++i) CHECK(loader.next(batch));
  }
  Loader never_started(cache, {.crop = 9}, {}, {});
  Batch batch;
  CHECK_THROWS_AS(never_started.next(batch), ValueError);
  Loader ten(cache, {.crop = 9, .random = false, .ten_crop = true}, {}, {.batch = 4});
  ten.start(0);
  REQUIRE(ten.next(batch));
  CHECK(batch.views == 10);
  CHECK(batch.labels.size() == 4);
  CHECK(batch.images.size() == 4 * 10 * 3 * 81);
}

TEST_CASE("image cache: keeps up to its limit, and gives the same image") {
  const ImageSet set = noise_set(10, 8);  // 192 bytes an image
  ImageCache cache(set, {.short_side = 0}, 500);
  for (std::int64_t i = 0; i < 10; ++i) CHECK(cache.get(i)->rgb == set.load(i).rgb);
  CHECK(cache.bytes() == 2 * 192);
  CHECK(cache.get(1).get() == cache.get(1).get());
  CHECK(cache.get(5).get() != cache.get(5).get());
}

TEST_CASE("real data: flowers5") {
  const fs::path folder = fs::path(LIMULUS_SOURCE_DIR) / "data/flowers5";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: data/flowers5 is not there");
    return;
  }
  const Dataset data = open_dataset(folder, {.strict = true});
  CHECK(data.classes ==
        std::vector<std::string>{"daisy", "dandelion", "roses", "sunflowers", "tulips"});
  CHECK(data.train.size() == 800);
  CHECK(data.test.size() == 200);
  std::vector<std::int64_t> few;
  for (std::int64_t i = 0; i < 200; i += 9) few.push_back(i);
  const auto cache = std::make_shared<ImageCache>(data.test.subset(few));
  const PixelStatistics s = measure_pixels(*cache);
  CHECK(s.mean_side == 256);
  for (int c = 0; c < 3; ++c) CHECK((s.mean[c] > 40 && s.mean[c] < 180));
  CHECK(s.eigenvalues[0] > 5 * s.eigenvalues[1]);  // brightness is most of what varies
  Loader one(cache, {.colour_sigma = 0.1}, make_normalization(s), {.batch = 8, .strict = true});
  Loader two(cache, {.colour_sigma = 0.1}, make_normalization(s),
             {.batch = 8, .workers = 2, .strict = true});
  const auto a = all_batches(one, 0), b = all_batches(two, 0);
  REQUIRE(a.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(same(a[i], b[i]));
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
