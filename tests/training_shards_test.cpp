// Shards: packing photographs into tar files, and the order in which an epoch reads them.
#include "training/data/shards.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "core/note.h"
#include "formats/tar.h"
#include "pages/image_encode.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"
#include "training/data/loader.h"
#include "training/data/pack.h"
#include "training/evaluate.h"
#include "training/recipes.h"
#include "training/trained_model.h"
#include "training/trainer.h"
#include "write_tar.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string png(int side, int red, int green) {
  Image image{side, side, std::vector<std::uint8_t>(static_cast<std::size_t>(3) * side * side)};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      image.pixel(x, y)[0] = static_cast<std::uint8_t>(red + 3 * x);
      image.pixel(x, y)[1] = static_cast<std::uint8_t>(green + 5 * y);
    }
  const auto bytes = encode_png(image);
  return {bytes.begin(), bytes.end()};
}

// Two classes of `each` pictures in folders.
void write_folders(const fs::path& folder, int each, int side = 40) {
  for (int i = 0; i < each; ++i) {
    put_bytes(folder / "train" / "a" / ("p." + std::to_string(i) + ".png"), png(side, 4 * i, 0));
    put_bytes(folder / "train" / "b" / ("q" + std::to_string(i) + ".png"), png(side, 0, 4 * i));
    if (i % 3 != 0) continue;
    put_bytes(folder / "test" / "a" / ("t" + std::to_string(i) + ".png"), png(side, 4 * i, 9));
    put_bytes(folder / "test" / "b" / ("u" + std::to_string(i) + ".png"), png(side, 9, 4 * i));
  }
}

// The names and contents of all files in a folder.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(folder))
    all[entry.path().filename().string()] = get_bytes(entry.path());
  return all;
}

bool same(const Batch& a, const Batch& b) {
  return a.index == b.index && a.labels == b.labels && a.sources == b.sources &&
         a.images == b.images;
}

}  // namespace

TEST_CASE("pack: each picture once, resized once, and the same bytes for any number of threads") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 10);
  put_bytes(folder / "in" / "train" / "a" / "cut.png", png(40, 1, 2).substr(0, 90));
  const Dataset data = open_dataset(folder / "in");
  const Packed one = pack(data, folder / "one", {.side = 32, .shards = 3});
  CHECK(one.finished);
  CHECK(one.train == 20);
  CHECK(one.test == 8);
  CHECK(one.shards == 4);  // 3, and 8 / 21 of 3 is 1
  REQUIRE(one.skipped.size() == 1);
  CHECK(has(one.skipped[0].name, "cut.png"));
  pack(data, folder / "four", {.side = 32, .shards = 3, .threads = 4});
  CHECK(contents(folder / "one") == contents(folder / "four"));
  CHECK(has(get_bytes(folder / "one" / "skipped.txt"), "cut.png: "));

  const Dataset shards = open_dataset(folder / "one");
  CHECK(shards.kind == Layout::shards);
  CHECK(shards.classes == data.classes);
  CHECK(shards.train.size() == 20);
  CHECK(shards.test.size() == 8);
  CHECK(fingerprint(shards.train, shards.classes) != fingerprint(shards.test, shards.classes));
  // Each picture under its own name, with its own label and pixels.
  std::map<std::string, std::int64_t> originals;
  for (std::int64_t i = 0; i < data.train.size(); ++i)
    originals[fs::path(data.train.name(i)).stem().string()] = i;
  std::set<std::int64_t> seen;
  for (std::int64_t i = 0; i < shards.train.size(); ++i) {
    std::string stem = fs::path(shards.train.name(i)).stem().string().substr(9);
    std::replace(stem.begin(), stem.end(), '_', '.');
    CAPTURE(stem);
    REQUIRE(originals.contains(stem));
    const std::int64_t original = originals[stem];
    seen.insert(original);
    CHECK(shards.train.label(i) == data.train.label(original));
    const Image expected = prepare(data.train.load(original), {.short_side = 32});
    CHECK(shards.train.load(i).rgb == expected.rgb);  // a PNG stays one: no loss
  }
  CHECK(seen.size() == 20);
  // What has the right size already is kept byte for byte.
  pack(shards, folder / "again", {.side = 32, .shards = 1});
  const Dataset again = open_dataset(folder / "again");
  CHECK(again.train.size() == 20);
  std::multiset<std::vector<std::uint8_t>> a, b;
  for (std::int64_t i = 0; i < 20; ++i) {
    a.insert(shards.train.encoded(i));
    b.insert(again.train.encoded(i));
  }
  CHECK(a == b);
}

TEST_CASE("pack: stopped at any moment, it goes on, and nothing incomplete is trained on") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 12);
  const Dataset data = open_dataset(folder / "in");
  PackOptions options{.side = 32, .shards = 4};
  pack(data, folder / "whole", options);
  const auto expected = contents(folder / "whole");
  for (const std::int64_t last : {0, 1, 7, 13, 24}) {
    CAPTURE(last);
    const fs::path out = folder / ("out" + std::to_string(last));
    std::atomic<bool> stop = last == 0;  // before the first shard
    PackOptions stopped = options;
    stopped.stop = &stop;
    stopped.on_pictures = [&](std::int64_t done, std::int64_t) { stop = done >= last; };
    const Packed part = pack(data, out, stopped);
    CHECK(!part.finished);
    CHECK((part.shards >= 1) == (last > 0));
    for (const auto& file : contents(out))  // what is there is whole
      CHECK_MESSAGE(file.second == expected.at(file.first), file.first);
    CHECK(has(message_of<FileError>([&] { open_dataset(out); }), "`limulus pack` was stopped"));
    put_bytes(out / "test-000000.tar.tmp-12345678", "left by a killed program");
    const Packed rest = pack(data, out, options);
    CHECK(rest.finished);
    CHECK(rest.kept == part.shards);
    CHECK(contents(out) == expected);
  }
  CHECK(has(message_of<FileError>([&] { pack(data, folder / "whole", {.side = 16, .shards = 4}); }),
            "side was 32, and is 16 now"));
  put_bytes(folder / "in" / "train" / "a" / "new.png", png(40, 7, 7));
  CHECK(has(
      message_of<FileError>([&] { pack(open_dataset(folder / "in"), folder / "whole", options); }),
      "packed from other pictures"));
  CHECK_THROWS_AS(pack(data, folder / "x", {.side = 32, .shards = 25}), ValueError);
  fs::create_directories(folder / "other");
  put_bytes(folder / "other" / "classes.txt", "somebody's\n");
  CHECK(has(message_of<FileError>([&] { pack(data, folder / "other", options); }),
            "with other names of classes"));
  CHECK(get_bytes(folder / "other" / "classes.txt") == "somebody's\n");
}

namespace {

// What tells where a set's pictures are and what they are, and their pixels.
std::vector<std::string> described(const Dataset& data) {
  std::vector<std::string> all;
  for (const ImageSet* set : {&data.train, &data.test})
    for (std::int64_t i = 0; i < set->size(); ++i) {
      const Image image = set->load(i);
      all.push_back(set->identity(i) + " " + set->name(i) + " " + std::to_string(set->label(i)) +
                    " " + std::string(image.rgb.begin(), image.rgb.end()));
    }
  return all;
}

}  // namespace

TEST_CASE("the index says what the shards say, and whoever reads a picture looks whether it does") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 10);
  put_bytes(folder / "in" / "train" / "a" / "cut.png", png(40, 1, 2).substr(0, 90));
  const fs::path out = folder / "out", index = out / "shards-index.txt",
                 shard = out / "train-000001.tar";
  const PackOptions options{.side = 32, .shards = 3};
  pack(open_dataset(folder / "in"), out, options);
  const std::string text = get_bytes(index);
  const auto indexed = described(open_dataset(out));
  fs::remove(index);
  const auto walked = described(open_dataset(out));
  CHECK(indexed == walked);
  // Packing once more, with all shards there, writes it as it was, and the names of the classes.
  fs::remove(out / "classes.txt");
  CHECK(pack(open_dataset(folder / "in"), out, options).kept == 4);
  CHECK(get_bytes(index) == text);
  // It is used: where a shard of the same size says something else of a class, the picture tells.
  const std::string tar = get_bytes(shard);
  std::string changed = tar;
  TarReader first(shard);
  TarMember label;
  REQUIRE((first.next(&label) && first.next(&label)));
  changed[label.begin] = changed[label.begin] == '0' ? '1' : '0';
  put_bytes(shard, changed);
  const Dataset wrong = open_dataset(out);
  int refused = 0;
  for (std::int64_t i = 0; i < wrong.train.size(); ++i)
    refused += has(message_of<FileError>([&] { wrong.train.load(i); }), "but not by the shard");
  CHECK(refused == 1);
  put_bytes(shard, tar);
  // The network's own order of classes changes labels, not what the shard has to say.
  const Dataset other = open_dataset(out, {.classes = {"b", "a"}});
  REQUIRE(other.train.size() == 20);
  CHECK(other.train.label(0) == 1 - open_dataset(out).train.label(0));
  CHECK(other.train.load(0).width == 32);
  // A shard of another size is read itself, and so is one that took another's place.
  put_bytes(shard, tar + std::string(512, '\0'));
  CHECK(described(open_dataset(out)).size() == walked.size());
  fs::rename(out / "train-000002.tar", folder / "kept.tar");
  fs::copy_file(shard, out / "train-000002.tar");
  const Dataset doubled = open_dataset(out);
  for (std::int64_t i = 0; i < doubled.train.size(); ++i) CHECK(doubled.train.load(i).width == 32);
  fs::rename(folder / "kept.tar", out / "train-000002.tar");
  put_bytes(shard, std::string(tar.size(), 'x'));
  CHECK(has(message_of<FileError>([&] { open_dataset(out); }), "train-000001.tar: at byte 0"));
  put_bytes(shard, tar.substr(0, tar.size() - 1024));
  CHECK(has(message_of<FileError>([&] { open_dataset(out); }), "train-000001.tar: at byte"));
  CHECK(has(message_of<FileError>([&] { pack(open_dataset(folder / "in"), out, options); }),
            "Remove this shard, and it is packed again"));
  fs::remove(shard);
  fs::create_directories(shard);
  CHECK(has(message_of<FileError>([&] { open_dataset(out); }), "a shard's name, and no file"));
  fs::remove(shard);
  put_bytes(shard, tar);
  // One that was not packed with the others is left out, and named.
  fs::copy_file(shard, out / "train-000003.tar");
  const Dataset more = open_dataset(out);
  CHECK(described(more) == walked);
  REQUIRE(more.skipped.size() == 1);
  CHECK(has(text_of(more.skipped[0]), "train-000003.tar: not one of the shards of shards.json"));
  fs::remove(out / "train-000003.tar");

  // Cut anywhere, or with a line changed, it is refused, and the message says what to do.
  for (std::size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    put_bytes(index, text.substr(0, size));
    REQUIRE(has(message_of<FileError>([&] { open_dataset(out); }), "shards-index.txt: line "));
  }
  const auto error = [&](const std::string& from, const std::string& to) {
    std::string damaged = text;
    damaged.replace(damaged.find(from), from.size(), to);
    put_bytes(index, damaged);
    return message_of<FileError>([&] { open_dataset(out); });
  };
  CHECK(has(error("shards 1", "shards 2"),
            "line 1: expected \"limulus shards 1\", found \"limulus shards 2\""));
  CHECK(has(error("shards 1", "shards 1\r"), "found \"limulus shards 1\\x0d\""));
  CHECK(has(error("\nend ", "\nend 0"), "the checksum is another"));
  CHECK(has(error("train-000002.tar", "train-000003.tar"), "the checksum is another"));
  put_bytes(index, text + "\n");
  CHECK(has(message_of<FileError>([&] { open_dataset(out); }), "more lines behind the end"));
  CHECK(has(error("train-000002.tar", "train-000001.tar"), "train-000001.tar is there twice"));
  CHECK(has(error("\n0 ", "\n-0 "), "expected where a picture begins, and its class"));
  CHECK(has(error("\n0 ", "\n99999999 "), "a picture at byte 99999999 of "));
  CHECK(has(error("\n0 ", "\n0 0\n0 "), "a picture at byte 0, behind one at byte 0"));
  CHECK(has(error("\n0 ", "\n0 7"), "the checksum is another"));
  put_bytes(index, text);
  put_bytes(out / "classes.txt", "a\n");
  CHECK(has(message_of<FileError>([&] { open_dataset(out); }),
            "1 is not the number of a class, 0 to 0"));
  put_bytes(out / "classes.txt", "a\nb\n");
  CHECK(has(error(".tar ", ".tar x"), "expected a shard's name, its bytes and its pictures"));
  CHECK(has(error("\n0 ", "\n\n0 "), "Remove this file"));
}

TEST_CASE("shards of others: no names, other endings, mistakes") {
  const TemporaryFolder folder;
  const fs::path in = folder / "in", tar = in / "data-0.tar";
  fs::create_directories(in);
  const std::string picture = png(8, 1, 2);
  write_tar(tar, {{"x/1.jpg", picture},
                  {"x/1.cls", "0\n"},
                  {"x/1.json", "{}"},
                  {"y/1.cls", "2"},
                  {"y/1.seg.jpg", picture},
                  {"y/1.PNG", picture},
                  {"z.png", picture},
                  {"w.cls", "1"}});
  const Dataset data = open_dataset(in, {.test_part = 0});
  CHECK(data.classes == std::vector<std::string>{"0", "1", "2"});
  REQUIRE(data.train.size() == 2);
  CHECK(data.train.label(1) == 2);
  CHECK(fs::path(data.train.name(1)) == tar / "y/1.PNG");
  CHECK(data.train.load(0).width == 8);
  REQUIRE(data.skipped.size() == 4);
  CHECK(has(summary(data.skipped), "4 skipped"));

  const auto error = [&](const std::vector<std::pair<std::string, std::string>>& files) {
    write_tar(tar, files);
    return message_of<FileError>([&] { open_dataset(in); });
  };
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", "two"}}), "1.cls: \"two\" is not the number"));
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", "-1"}}), "\"-1\" is not the number"));
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", "999999999"}}), "0 to 99999"));
  CHECK(has(error({{"1.jpg", picture}, {"1.png", picture}}), "a second picture with the key"));
  CHECK(has(error({{"1.cls", "1"}, {"1.cls", "1"}}), "a second .cls file"));
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", std::string(17, '1')}}), "17 bytes"));
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", "0"}}), "a classifier needs at least 2"));
  put_bytes(in / "classes.txt", "one\ntwo\n");
  CHECK(has(error({{"1.jpg", picture}, {"1.cls", "2"}}), "0 to 1 (the lines of classes.txt)"));
  CHECK(has(message_of<FileError>([&] {
              write_tar(tar, {{"1.jpg", picture}, {"1.cls", "1"}});
              open_dataset(in, {.classes = {"one", "three"}});
            }),
            "class \"two\" is not in the network's classes"));
  // Labels become indices of the network's classes.
  const Dataset known = open_dataset(in, {.classes = {"zero", "two", "one"}});
  CHECK(known.train.joined(known.test).label(0) == 1);
}

TEST_CASE("the order of an epoch: each picture once, from shards in a random order") {
  ImageSet set;
  const auto shards = std::make_shared<const ImageSet::Shards>();
  for (std::uint32_t shard = 0; shard < 10; ++shard)
    for (std::uint64_t i = 0; i < 30; ++i) set.add_in_shard(shards, {i * 512, shard}, 0);
  const PhiloxKey a{1, 2}, b{1, 3};
  const auto order = ShardOrder(set, a, b, 25).pictures();
  std::vector<std::int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t i = 0; i < 300; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(ShardOrder(set, a, b, 25).pictures() == order);
  CHECK(ShardOrder(set, {5, 2}, b, 25).pictures() != order);
  CHECK(ShardOrder(set, a, {5, 3}, 25).pictures() != order);
  // A buffer of one shuffles the shards alone.
  const auto unmixed = ShardOrder(set, a, b, 1).pictures();
  int jumps = 0;
  for (std::size_t i = 1; i < unmixed.size(); ++i) jumps += unmixed[i] != unmixed[i - 1] + 1;
  CHECK(jumps >= 5);
  CHECK(jumps <= 9);
  CHECK(!std::is_sorted(order.begin(), order.end()));
  // No picture leaves before it is read: at most 25 places before its turn.
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto turn = std::find(unmixed.begin(), unmixed.end(), order[i]) - unmixed.begin();
    CHECK(turn <= static_cast<std::ptrdiff_t>(i) + 25);
  }
  // A large buffer mixes pictures of all shards: the first 100 come from nearly all of them.
  std::set<std::uint32_t> first;
  const auto mixed = ShardOrder(set, a, b, 1000).pictures();
  for (int i = 0; i < 100; ++i) first.insert(set.shard(mixed[static_cast<std::size_t>(i)]));
  CHECK(first.size() >= 8);
  CHECK_THROWS_AS(ShardOrder(set, a, b, 0), ValueError);
}

TEST_CASE("a loader of shards: the same batches for any number of workers, from any point on") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 20, 16);
  pack(open_dataset(folder / "in"), folder / "out", {.side = 16, .shards = 4});
  const Dataset data = open_dataset(folder / "out");
  const auto batches = [&](int workers, std::int64_t epoch, std::int64_t first,
                           std::uint64_t seed = 4) {
    // Nothing is kept: each picture comes from its shard.
    const auto cache = std::make_shared<ImageCache>(data.train, Prepare{.short_side = 16}, 0);
    Loader loader(cache, {.crop = 9, .zoom_max = 1.5}, {},
                  {.batch = 6, .shuffle_buffer = 10, .workers = workers, .seed = seed});
    std::vector<Batch> all;
    loader.start(epoch, first);
    for (Batch batch; loader.next(batch); batch = {}) all.push_back(batch);
    return all;
  };
  const auto expected = batches(0, 3, 0);
  REQUIRE(expected.size() == 7);
  std::set<std::int64_t> sources;
  for (const Batch& batch : expected) sources.insert(batch.sources.begin(), batch.sources.end());
  CHECK(sources.size() == 40);
  for (const int workers : {1, 3}) {
    const auto again = batches(workers, 3, 0), rest = batches(workers, 3, 4);
    REQUIRE(again.size() == 7);
    REQUIRE(rest.size() == 3);
    for (std::size_t i = 0; i < 7; ++i) CHECK(same(again[i], expected[i]));
    for (std::size_t i = 0; i < 3; ++i) CHECK(same(rest[i], expected[4 + i]));
  }
  CHECK(batches(0, 4, 0)[0].sources != expected[0].sources);
  CHECK(batches(0, 3, 0, 5)[0].sources != expected[0].sources);
}

TEST_CASE("training on shards, stopped in the middle of an epoch and resumed, ends the same") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 12, 28);
  pack(open_dataset(folder / "in"), folder / "shards", {.side = 28, .shards = 3});
  TrainConfig config = default_config("lenet5", "default");
  config.data = (folder / "shards").string();
  config.epochs = 2;
  config.batch = 5;
  config.shuffle_buffer = 8;
  TrainerOptions options;
  options.checkpoint_seconds = 1e9;
  options.cache_bytes = 10'000;  // some are kept, most are read anew
  const auto weights = [](Trainer& t) {
    std::vector<std::vector<float>> all;
    for (const auto& [name, w] : t.model().parameters()) all.push_back(w.to_vector<float>());
    return all;
  };
  options.out = folder / "whole";
  Trainer whole(config, options);
  REQUIRE(whole.run());
  CHECK(whole.cached_bytes() <= 10'000);
  CHECK(whole.cached_bytes() > 0);
  for (const std::int64_t last : {2, 7}) {
    std::atomic<bool> stop = false;
    TrainerOptions stopping = options;
    stopping.out = folder / "stopped";
    stopping.stop = &stop;
    stopping.on_step = [&](const StepInfo& s) { stop = s.step >= last; };
    Trainer first(config, stopping);
    CHECK(!first.run());
    TrainerOptions going = options;
    going.out = stopping.out;
    going.workers = 3;
    Trainer second(config, going);
    second.resume(second.checkpoint_path());
    CHECK(second.step() == last);
    REQUIRE(second.run());
    CHECK(weights(second) == weights(whole));
  }
}

namespace {

// A run of an epoch on the pictures in `folder`/in.
TrainConfig short_run(const fs::path& folder, TrainerOptions* options) {
  TrainConfig config = default_config("lenet5", "default");
  config.data = (folder / "in").string();
  config.epochs = 1;
  config.batch = 5;
  options->out = folder / "out";
  return config;
}

}  // namespace

TEST_CASE("who goes on with other pictures than the run began with is told") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 6, 28);
  TrainerOptions options;
  TrainConfig config = short_run(folder.path, &options);
  Trainer first(config, options);
  REQUIRE(first.run());
  config.epochs = 2;
  std::vector<std::string> notes;
  set_note_sink([&](const std::string& text) { notes.push_back(text); });
  Trainer(config, options).resume(first.checkpoint_path());
  CHECK(notes.empty());
  const fs::path train = folder / "in" / "train";  // one for one: as many as before
  fs::rename(train / "a" / "p.1.png", train / "b" / "p.1.png");
  fs::rename(train / "b" / "q1.png", train / "a" / "q1.png");
  Trainer(config, options).resume(first.checkpoint_path());
  set_note_sink({});
  REQUIRE(notes.size() == 1);
  CHECK(has(notes[0], "not those that this run began with"));
}

TEST_CASE("an evaluation that is stopped keeps what it has, and says so") {
  const TemporaryFolder folder;
  write_folders(folder / "in", 12, 28);
  TrainerOptions options;
  Trainer trainer(short_run(folder.path, &options), options);
  REQUIRE(trainer.run());
  const TrainedModel t = load_trained(trainer.checkpoint_path(), "cpu");
  const auto images = std::make_shared<ImageCache>(trainer.dataset().train, t.config.prepare);
  std::atomic<bool> stop = false;
  std::int64_t calls = 0, last = 0;
  EvaluationWatch watch{.stop = &stop, .keep_partial = true};
  watch.on_images = [&](std::int64_t done, std::int64_t all) {
    CHECK(all == 24);
    CHECK(done > last);
    last = done;
    stop = ++calls == 3;
  };
  const auto run = [&] {
    return evaluate_set(*t.model, device("cpu"), t.config, t.normalization, images, 2, false, 0, 1,
                        watch);
  };
  const Evaluation part = run();
  CHECK(part.partial);
  CHECK(part.metrics.count() == 15);
  CHECK(part.images == 24);
  watch.keep_partial = false;
  CHECK_THROWS_AS(run(), Stopped);
  watch.stop = nullptr;
  last = 0;
  const Evaluation whole = run();
  CHECK(!whole.partial);
  CHECK(whole.metrics.count() == 24);
  CHECK(last == 24);
}

TEST_CASE("the error of a mean that a sample has") {
  ImageSet set;
  std::vector<std::uint8_t> pixels;  // one pixel each: 0, 100, 0, 100 ...
  for (int i = 0; i < 400; ++i) pixels.push_back(i % 8 < 4 ? 0 : 100);
  set = ImageSet::from_pixels("x", pixels, std::vector<std::int64_t>(400, 0), 1, 1, 1);
  ImageCache cache(set, {.short_side = 0});
  const PixelStatistics sample = measure_pixels(cache, 100, 2), all = measure_pixels(cache, 400);
  CHECK(all.mean_error[0] == 0);
  // 100 images of 0 or 100, half of each: s = 50.25, over the root of 100
  CHECK(sample.images == 100);
  CHECK(sample.mean_error[0] == doctest::Approx(5.025).epsilon(0.02));
}
