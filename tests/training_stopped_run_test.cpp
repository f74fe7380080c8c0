// The report of a run that was stopped, from its checkpoint: beside what the trainer itself
// reports.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "backends/registry.h"
#include "formats/safetensors.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/report/report.h"
#include "training/stopped_run.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

constexpr std::int64_t kAll = 1'000'000;

struct StoppedRun {
  TemporaryFolder folder;
  std::atomic<bool> stop = false;
  RunReport report;  // of the trainer, when it stopped
  Evaluation single, ten;
  std::filesystem::path checkpoint;
  std::filesystem::path data() const { return folder / "mnist"; }

  explicit StoppedRun(std::int64_t steps) {
    write_tiny_mnist(data());
    TrainerOptions options;
    options.out = folder / "run";
    options.stop = &stop;
    options.on_step = [&](const StepInfo& s) { stop = s.step >= steps; };
    Trainer trainer(tiny_config(data()), options);
    trainer.run();
    stop = false;
    report = trainer.report();
    single = trainer.evaluate(false, 24);
    checkpoint = trainer.checkpoint_path();
  }
};

bool said(const RunReport& r, const std::string& part) {
  return std::any_of(r.missing.begin(), r.missing.end(),
                     [&](const std::string& sentence) { return has(sentence, part); });
}

Dataset opened(const TrainedModel& t, const std::filesystem::path& data) {
  DatasetOptions options;
  options.classes = t.classes;
  return open_dataset(data, options);
}

}  // namespace

TEST_CASE("a checkpoint gives the report that the trainer would give") {
  const StoppedRun run(7);  // 5 steps are an epoch: in the second one
  const TrainedModel t = load_trained(run.checkpoint, "cpu");
  RunReport r = report_from(run.checkpoint, t);
  CHECK_FALSE(r.finished);
  CHECK(r.epochs_done == 1);
  CHECK(r.step_losses == run.report.step_losses);
  REQUIRE(r.epochs.size() == 1);
  CHECK(r.epochs[0].train_loss == run.report.epochs[0].train_loss);
  CHECK(r.epochs[0].test_top1 == run.report.epochs[0].test_top1);
  CHECK(r.config.to_json() == run.report.config.to_json());
  CHECK(r.classes == run.report.classes);
  CHECK(r.filters.to_doubles() == run.report.filters.to_doubles());
  CHECK(r.walk.size() == run.report.walk.size());
  CHECK(said(r, "stopped within epoch 2, after 2 of its batches"));
  CHECK(said(r, "The time of each layer"));
  CHECK_FALSE(said(r, "history"));

  add_evaluation(r, run.checkpoint, t, opened(t, run.data()), 1);
  CHECK(r.single.loss == doctest::Approx(run.single.loss).epsilon(1e-6));
  CHECK(r.single.metrics.confusions() == run.single.metrics.confusions());
  CHECK(r.train_images == 40);
  CHECK(r.held_out == 10);
  write_report(run.folder / "page.html", r);
  const std::string page = get_bytes(run.folder / "page.html");
  CHECK(has(page, "The run was stopped early, after 1 of 3 epochs."));
  CHECK(has(page, "What this page cannot show"));
  CHECK(has(page, "stopped within epoch 2, after 2 of its batches"));
  CHECK(has(page, "The layers were not timed in this run."));
}

TEST_CASE("a run that came to its end is not called stopped") {
  const StoppedRun run(kAll);
  const TrainedModel t = load_trained(run.checkpoint, "cpu");
  const RunReport r = report_from(run.checkpoint, t);
  CHECK(r.finished);
  CHECK(r.epochs.size() == 3);
  CHECK_FALSE(said(r, "stopped within"));
}

TEST_CASE("a run that was stopped in its first epoch has no epoch, and says so") {
  const StoppedRun run(2);
  const TrainedModel t = load_trained(run.checkpoint, "cpu");
  const RunReport r = report_from(run.checkpoint, t);
  CHECK(r.epochs.empty());
  CHECK(r.step_losses.size() == 2);
  write_report(run.folder / "page.html", r);
  CHECK(has(get_bytes(run.folder / "page.html"),
            "No epoch was completed, so there is no accuracy to report yet."));
}

TEST_CASE("a history that is not there is told, and the page is written") {
  const StoppedRun run(7);
  // The same checkpoint without the tensors history/...: as after a tool that kept only weights.
  const std::filesystem::path bare = run.folder / "bare.safetensors";
  {
    const SafetensorsFile file(run.checkpoint);
    std::vector<SafetensorsItem> items;
    for (const SafetensorsEntry& e : file.entries())
      if (!e.name.starts_with("history/"))
        items.push_back({e.name, file.dtype(e), e.shape, e.bytes.data()});
    write_safetensors(bare, std::move(items), file.metadata(), {});
  }
  const TrainedModel t = load_trained(bare, "cpu");
  const RunReport r = report_from(bare, t);
  CHECK(said(r, "keeps 0 of the 1 epochs"));
  CHECK(said(r, "the loss of 0 of the 7 steps"));
  write_report(run.folder / "page.html", r);
  const std::string page = get_bytes(run.folder / "page.html");
  CHECK(has(page, "after 1 of 3 epochs"));
  CHECK(has(page, "were not kept, so there is no curve to draw"));
  CHECK_FALSE(has(page, "Not one step was made"));
}

TEST_CASE("training images that the run could not use are listed again") {
  const TemporaryFolder folder;
  for (const char* part : {"train", "test"})
    for (const char* name : {"a", "b"})
      for (int i = 0; i < 4; ++i)
        put_bytes(
            folder / "set" / part / name / (std::to_string(i) + ".png"),
            get_bytes(std::filesystem::path(LIMULUS_SOURCE_DIR) / "tests/golden/images/rgb.png"));
  put_bytes(folder / "set/train/a/cut.png", "no picture");
  TrainConfig config = default_config("lenet5", "default");
  config.data = (folder / "set").string();
  config.prepare.short_side = 28;
  config.batch = 4;
  config.epochs = 1;
  TrainerOptions options;
  options.out = folder / "run";
  Trainer trainer(config, options);
  trainer.run();
  const TrainedModel t = load_trained(trainer.checkpoint_path(), "cpu");
  RunReport r = report_from(trainer.checkpoint_path(), t);
  add_evaluation(r, trainer.checkpoint_path(), t, opened(t, config.data), 1);
  REQUIRE(r.skipped.size() == 1);
  CHECK(has(r.skipped[0].name, "cut.png"));
  CHECK(r.skipped[0].part == "training");

  // Another folder is evaluated, too, and the page says that it is another one.
  put_bytes(folder / "set/test/b/more.png", get_bytes(folder / "set/test/b/1.png"));
  RunReport other = report_from(trainer.checkpoint_path(), t);
  add_evaluation(other, trainer.checkpoint_path(), t, opened(t, config.data), 1);
  CHECK(said(other, "not those that the run began with"));
  CHECK(other.held_out == 9);
}
