// A run that becomes longer than it was meant to be; and checkpoints without what only training
// needs, from which none can go on.
#include <doctest/doctest.h>

#include "core/error.h"
#include "formats/safetensors.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/convolutions.h"
#include "training/slim.h"
#include "training/stopped_run.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

std::vector<std::vector<float>> weights(const Module& model) {
  std::vector<std::vector<float>> all;
  for (const auto& [name, w] : model.parameters()) all.push_back(w.to_vector<float>());
  return all;
}

struct Longer {
  TemporaryFolder folder;
  TrainConfig config;
  std::filesystem::path checkpoint = folder / "run" / "checkpoint.safetensors";

  explicit Longer(const ScheduleOptions& schedule) {
    write_tiny_mnist(folder / "data");
    config = tiny_config(folder / "data");
    config.schedule = schedule;
    config.epochs = 2;
    Trainer(config, quiet(folder / "run")).run();
    config.epochs = 4;
  }
  // The run of 2 epochs goes on to 4; its note. `same`: as one of 4 epochs from the start?
  std::string go_on(bool* same) {
    Trainer whole(config, quiet(folder / "whole"));
    whole.run();
    Trainer rest(config, quiet(folder / "run"));
    rest.resume(checkpoint);
    CHECK(rest.run());
    CHECK(rest.report().epochs.size() == 4);
    *same = weights(rest.model()) == weights(whole.model());
    return rest.longer();
  }
};

}  // namespace

TEST_CASE("made longer, a run whose rates do not depend on its length is that of a longer one") {
  for (const ScheduleOptions& schedule :
       {ScheduleOptions{.kind = ScheduleKind::constant},
        ScheduleOptions{.kind = ScheduleKind::plateau, .patience = 1}}) {
    Longer run(schedule);
    bool same = false;
    CHECK(run.go_on(&same).empty());
    CHECK(same);
    CHECK(load_config(run.checkpoint).epochs == 4);
  }
}

TEST_CASE("where the rates depend on the length, the new ones are told") {
  for (const ScheduleOptions& schedule :
       {ScheduleOptions{.kind = ScheduleKind::cosine},
        ScheduleOptions{.kind = ScheduleKind::constant, .warmup = 0.2}}) {
    Longer run(schedule);
    bool same = true;
    const std::string note = run.go_on(&same);
    CHECK_FALSE(same);
    CHECK(has(note,
              "the run had 2 epochs and now has 4: from step 11 on, the rate is that of the "
              "schedule"));
    CHECK(has(note, "over 4 epochs"));
  }
}

TEST_CASE("a run cannot become shorter") {
  Longer run({.kind = ScheduleKind::constant});
  run.config.epochs = 1;
  Trainer t(run.config, quiet(run.folder / "run"));
  const std::string message = message_of<FileError>([&] { t.resume(run.checkpoint); });
  CHECK(has(message, "epochs: 2 in the checkpoint, 1 now"));
  CHECK(has(message, "A run can be made longer than its 2 epochs, but not shorter"));
}

TEST_CASE("slim: the same answers and the same report, without velocities") {
  const Longer run({.kind = ScheduleKind::constant});
  const auto slim = run.folder / "slim.safetensors", half = run.folder / "half.safetensors";
  const Slimmed f32 = save_slim(run.checkpoint, slim, DType::f32);
  const Slimmed bf16 = save_slim(run.checkpoint, half, DType::bf16);
  CHECK(f32.numbers == 61'706);
  CHECK(f32.bytes_before == std::filesystem::file_size(run.checkpoint));
  CHECK(f32.bytes_after == std::filesystem::file_size(slim));
  CHECK(f32.bytes_before - f32.bytes_after >= 4U * 61'706);
  CHECK(f32.bytes_after - bf16.bytes_after >= 2U * 61'706 - 200);
  const SafetensorsFile file(slim);
  for (const SafetensorsEntry& entry : file.entries())
    CHECK_FALSE(entry.name.starts_with("velocity/"));
  const TrainedModel was = load_trained(run.checkpoint, "cpu"), is = load_trained(slim, "cpu");
  CHECK(weights(*is.model) == weights(*was.model));
  CHECK(is.classes == was.classes);
  CHECK(is.train_print == was.train_print);
  load_trained(half, "cpu");
  for (const auto& path : {slim, half}) {
    const RunReport report = report_from(path, load_trained(path, "cpu"));
    CHECK(report.epochs.size() == 2);
    CHECK(report.step_losses.size() == 10);
  }
}

TEST_CASE("no run goes on from a slim checkpoint, and the way to begin a new one is said") {
  Longer run({.kind = ScheduleKind::constant});
  run.config.epochs = 2;
  const auto slim = run.folder / "slim.safetensors";
  save_slim(run.checkpoint, slim, DType::f32);
  Trainer t(run.config, quiet(run.folder / "other"));
  const std::string message = message_of<FileError>([&] { t.resume(slim); });
  CHECK(has(message, "it has no velocities"));
  CHECK(has(message, "`limulus train --init " + slim.string() + "` begins a new run"));
  const auto eye = run.folder / "eye.safetensors";
  save_convolutions(run.checkpoint, eye);
  CHECK(has(message_of<FileError>([&] { t.resume(eye); }), "it has no state of a run"));
}
