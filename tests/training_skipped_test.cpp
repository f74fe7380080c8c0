// Pictures that cannot be used: one channel from the decoder to the counts, for training and
// held-out pictures alike; and what is said of nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "pages/image_encode.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/recipes.h"
#include "training/report/report.h"
#include "training/trainer.h"
#include "training_sets.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::string png(int width, int height, int grey) {
  const std::vector<std::uint8_t> values(static_cast<std::size_t>(3 * width * height),
                                         static_cast<std::uint8_t>(grey));
  const auto bytes = encode_png(values, width, height, 3);
  return {bytes.begin(), bytes.end()};
}

// Two classes of 6 training and 3 held-out pictures of 40 x 40.
void write_set(const fs::path& folder) {
  for (const char* name : {"dark", "light"})
    for (int i = 0; i < 9; ++i)
      put_bytes(folder / (i < 6 ? "train" : "test") / name / (std::to_string(i) + ".png"),
                png(40, 40, (name[0] == 'd' ? 20 : 200) + i));
}

TrainConfig config_of(const fs::path& data) {
  TrainConfig c = default_config("cifar-convnet", "default");
  c.data = data.string();
  c.epochs = 2;
  c.batch = 4;
  return c;
}

std::vector<std::string> of_part(const Trainer& t, const std::string& part) {
  std::vector<std::string> found;
  for (const Skipped& s : t.skipped())
    if (s.part == part) found.push_back(fs::path(s.name).filename().string());
  return found;
}

}  // namespace

TEST_CASE(
    "skipped: damaged and small pictures, of training and held out, are counted before step 1") {
  const TemporaryFolder folder;
  write_set(folder / "data");
  const std::string whole = png(40, 40, 9);
  put_bytes(folder / "data/train/dark/small.png", png(20, 20, 9));
  put_bytes(folder / "data/train/dark/wide.png", png(90, 31, 9));
  put_bytes(folder / "data/train/light/cut.png", whole.substr(0, whole.size() / 2));
  put_bytes(folder / "data/test/dark/empty.png", "");
  put_bytes(folder / "data/test/dark/high.png", png(31, 90, 9));
  std::string flipped = whole;  // its header is whole, its pixels are not
  flipped[flipped.size() - 20] = static_cast<char>(flipped[flipped.size() - 20] ^ 0x55);
  put_bytes(folder / "data/test/light/flipped.png", flipped);

  Trainer t(config_of(folder / "data"), quiet(folder / "out"));
  CHECK(t.dataset().train.size() == 15);
  CHECK(t.usable_train() == 12);
  CHECK(t.dataset().test.size() == 9);
  CHECK(t.usable_test() == 6);
  CHECK(of_part(t, "training") == std::vector<std::string>{"small.png", "wide.png", "cut.png"});
  CHECK(of_part(t, "held out") == std::vector<std::string>{"empty.png", "high.png", "flipped.png"});
  CHECK(t.skipped()[0].reason == "20x20 is smaller than the crop 32x32");
  CHECK(t.skipped()[0].rule == SkipRule::wrong_size);
  CHECK(t.skipped()[1].reason == "90x31 is smaller than the crop 32x32");
  CHECK(t.skipped()[2].rule == SkipRule::unreadable);
  CHECK(t.run());
  CHECK(t.skipped().size() == 6);
  const Evaluation e = t.evaluate(false, 9);
  CHECK(e.images == 9);
  CHECK(e.metrics.count() == 6);
  CHECK(e.skipped.size() == 3);
  CHECK(e.guesses.back().image == t.dataset().test.size() - 1 - (e.skipped.count(8) ? 1 : 0));
  const RunReport r = t.report();
  CHECK(r.train_images == 15);
  CHECK(r.held_out == 9);
  CHECK(r.skipped.size() == 6);

  // The same from a checkpoint.
  Trainer again(config_of(folder / "data"), quiet(folder / "out"));
  again.resume(t.checkpoint_path());
  CHECK(again.run());
  CHECK(of_part(again, "training") == of_part(t, "training"));
  CHECK(again.usable_test() == 6);

  // --strict stops at the first, before anything is trained.
  TrainConfig strict = config_of(folder / "data");
  strict.strict = true;
  CHECK(has(message_of<FileError>([&] { Trainer(strict, quiet(folder / "strict")); }),
            "small.png: 20x20 is smaller than the crop 32x32"));
  for (const char* name : {"dark/small.png", "dark/wide.png", "light/cut.png"})
    fs::remove(folder / "data/train" / name);
  CHECK(has(message_of<FileError>([&] { Trainer(strict, quiet(folder / "strict")); }),
            "empty.png: "));
}

TEST_CASE("skipped: a class, a part or a whole set that cannot be used is an error before step 1") {
  const TemporaryFolder folder;
  write_set(folder / "data");
  const auto error = [&] {
    return message_of<FileError>(
        [&] { Trainer(config_of(folder / "data"), quiet(folder / "out")); });
  };
  for (int i = 6; i < 9; ++i)
    put_bytes(folder / "data/test/dark" / (std::to_string(i) + ".png"), "no");
  CHECK(error() == "");  // three of six held-out pictures are left
  for (int i = 6; i < 9; ++i)
    put_bytes(folder / "data/test/light" / (std::to_string(i) + ".png"), png(8, 8, 0));
  CHECK(has(error(), "none of the 6 held-out images in "));
  write_set(folder / "data");
  for (int i = 0; i < 6; ++i)
    put_bytes(folder / "data/train/dark" / (std::to_string(i) + ".png"), png(31, 32, 0));
  CHECK(has(error(), "none of the 6 training images of class \"dark\""));
  CHECK(has(error(), "31x32 is smaller than the crop 32x32"));
  for (int i = 0; i < 6; ++i)
    put_bytes(folder / "data/train/light" / (std::to_string(i) + ".png"), "no");
  CHECK(has(error(), "none of the 12 training images in "));
}

TEST_CASE("skipped: a picture of another size than the mean image, held out") {
  const TemporaryFolder folder;
  write_set(folder / "data");
  put_bytes(folder / "data/test/dark/large.png", png(48, 48, 9));
  TrainConfig c = config_of(folder / "data");
  c.subtract_mean_image = true;
  Trainer t(c, quiet(folder / "out"));
  CHECK(t.run());
  CHECK(t.usable_test() == 6);
  CHECK(has(t.skipped()[0].reason, "48x48 is not the size of the mean image, 40x40"));
}

TEST_CASE("nothing held out: no accuracy, and no 0 %") {
  const TemporaryFolder folder;
  put_bytes(folder / "data/dark/1.png", png(40, 40, 9));
  put_bytes(folder / "data/light/1.png", png(40, 40, 200));
  TrainConfig c = config_of(folder / "data");
  Trainer t(c, quiet(folder / "out"));
  CHECK(t.dataset().test.size() == 0);
  CHECK(t.run());
  const Evaluation e = t.evaluate(false, 5);
  CHECK(e.images == 0);
  CHECK(std::isnan(e.metrics.top1()));
  CHECK(std::isnan(e.loss));
  RunReport r = t.report();
  CHECK(std::isnan(r.epochs[0].test_top1));
  write_report(folder / "report.html", r);
  const std::string page = get_bytes(folder / "report.html");
  CHECK(has(page, "nothing was held out"));
  CHECK_FALSE(has(page, "held-out</"));  // no empty curve in a legend
  CHECK_FALSE(has(page, "nan%"));
  CHECK_FALSE(has(page, ">nan"));

  // Its checkpoint has no NaN, which JSON does not know, and is read again.
  Trainer again(c, quiet(folder / "out"));
  again.resume(t.checkpoint_path());
  CHECK(std::isnan(again.report().epochs[1].test_loss));
  c.schedule.kind = ScheduleKind::plateau;
  CHECK(has(message_of<ValueError>([&] { Trainer(c, quiet(folder / "plateau")); }),
            "nothing is held out"));
}

TEST_CASE("a folder where a file is to be written is an error before step 1") {
  const TemporaryFolder folder;
  write_set(folder / "data");
  for (const char* name : {"checkpoint.safetensors", "report.html"}) {
    fs::create_directories(folder / "out" / name);
    CHECK(has(
        message_of<FileError>([&] { Trainer(config_of(folder / "data"), quiet(folder / "out")); }),
        std::string(name) + ": is a folder, but a file must be written there"));
    fs::remove(folder / "out" / name);
  }
}
