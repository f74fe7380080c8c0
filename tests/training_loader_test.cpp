// The loader's batches: the same for any number of workers, and from any point of an epoch.
#include "training/data/loader.h"

#include <doctest/doctest.h>

#include <set>

#include "core/error.h"
#include "temporary_folder.h"
#include "training/data/image_cache.h"
#include "training/data/statistics.h"
#include "training_sets.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

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
    CHECK(has(skipped.at(9).name, "9.png"));
    CHECK_FALSE(has(skipped.at(9).reason, "9.png"));
    CHECK(skipped.at(9).rule == SkipRule::unreadable);

    Loader strict(cache, {.crop = 10}, {},
                  {.batch = 4, .shuffle = false, .workers = workers, .strict = true});
    strict.start(0);
    Batch batch;
    CHECK(strict.next(batch));
    CHECK(has(message_of<FileError>([&] { strict.next(batch); }), "4.png"));
    // A crop that is too large for all of them leaves nothing.
    Loader large(cache, {.crop = 13}, {}, {.batch = 4, .shuffle = false, .workers = workers});
    CHECK(all_batches(large, 0).empty());
    CHECK(large.skipped().size() == 12);
    CHECK(has(large.skipped().at(0).reason, "x12 is smaller than the crop 13x13"));
    CHECK(loader.skipped().size() == 5);  // of the other loader's concern
  }
  CHECK(has(message_of<FileError>([&] {
              measure_pixels(*std::make_unique<ImageCache>(set.subset({4, 5})));
            }),
            "none of 2 images can be used; the first is "));
  ImageCache small(set, {.short_side = 0}, std::size_t{1} << 30, 13);  // rgb.png is 20 x 12
  small.try_all(100, 2);
  CHECK(small.skipped().size() == 12);
  CHECK(small.skipped().at(0).rule == SkipRule::wrong_size);
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
