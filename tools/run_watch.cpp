#include "tools/run_watch.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "tools/terminal.h"
#include "tools/writable.h"

namespace limulus::tools {
namespace {

// The live page is written this often at most, and asked for as often (training/report/live.js).
constexpr auto kLiveInterval = std::chrono::seconds(5);

std::filesystem::path live_path(const std::string& out) {
  return std::filesystem::path(out) / "live.html";
}

std::string size_text(std::uintmax_t bytes) {
  const auto size = static_cast<double>(bytes);
  return bytes < 1'000'000 ? fmt::format("{:.0f} kB", size / 1e3)
                           : fmt::format("{:.1f} MB", size / 1e6);
}

}  // namespace

RunWatch::RunWatch(const TrainArguments& a, Trainer& trainer)
    : trainer_(trainer), out_(a.out), every_(a.snapshots), live_(a.live) {
  if (every_ == 0 && !live_ && a.tensorboard.empty()) return;
  if (live_) check_writable(live_path(out_));
  if (every_ > 0) series_.emplace(out_);
  if (!a.tensorboard.empty()) tensorboard_ = std::make_unique<TensorBoardLog>(a.tensorboard);
  if (every_ > 0 || live_) {
    std::optional<Photograph> photograph = trainer.first_photograph();
    if (!photograph)
      throw FileError(fmt::format(
          "{}: no picture of it can be decoded any more, so that there are no maps to show",
          trainer.config().data));
    subject_ = {trainer.config(), trainer.dataset().classes, std::move(*photograph)};
  }
  if (series_) {
    series_->begin(subject_, a.resume, trainer.epoch());
    const auto epochs = trainer.report().epochs;
    if (trainer.batch() == 0)
      keep(trainer.epoch(), trainer.epoch() > 0 && !epochs.empty() ? &epochs.back() : nullptr);
  }
  if (tensorboard_) tensorboard_->begin(trainer, a.resume);
  if (live_) {
    look();
    show(LiveState::running, "Before the first step of this sitting.", "");
    print_line(fmt::format("Live    {}", printable(live_path(out_).string())));
  }
}

void RunWatch::guarded(const std::function<void()>& write) {
  if (!failure_.empty()) return;
  try {
    write();
  } catch (const FileError& error) {
    failure_ = error.what();
  }
}

void RunWatch::look() { sight_ = take_snapshot(trainer_.model(), subject_.photograph.input); }

// At the end of every so many epochs, and of the last.
void RunWatch::keep(std::int64_t epoch, const EpochRecord* record) {
  if (epoch % every_ != 0 && epoch < trainer_.config().epochs) return;
  look();
  series_->add(epoch, *sight_, record);
}

void RunWatch::show(LiveState state, const std::string& doing, const std::string& error) {
  std::error_code unknown;
  LiveMoment moment;
  moment.state = state;
  moment.doing = doing;
  moment.written = std::time(nullptr);
  moment.error = error;
  moment.report = state == LiveState::finished;
  moment.snapshots = series_ && series_->count() > 0;
  write_file_atomically(live_path(out_), live_page(trainer_.report(), moment, sight_, subject_));
  shown_ = std::chrono::steady_clock::now();
}

void RunWatch::step(const StepInfo& s) {
  guarded([&] {
    if (tensorboard_) tensorboard_->step(s);
    if (!live_ || std::chrono::steady_clock::now() - shown_ < kLiveInterval) return;
    look();
    show(LiveState::running,
         fmt::format("Epoch {} of {}, step {} of {}: {:.1f} images a second, {} left.", s.epoch,
                     s.epochs, s.batch, s.batches, s.images_per_second, duration(s.seconds_left)),
         "");
  });
}

void RunWatch::epoch(const EpochRecord& e) {
  guarded([&] {
    if (tensorboard_) tensorboard_->epoch(trainer_, e);
    if (series_) keep(e.epoch, &e);
    if (!live_ || std::chrono::steady_clock::now() - shown_ < kLiveInterval) return;
    look();
    show(LiveState::running,
         fmt::format("Epoch {} of {} is done.", e.epoch, trainer_.config().epochs), "");
  });
}

void RunWatch::evaluating() {
  guarded([&] {
    if (live_)
      show(LiveState::running, "All epochs are done; the held-out images are being evaluated.", "");
  });
}

void RunWatch::end(LiveState state, std::string error) {
  if (!live_) return;
  if (error.empty()) error = failure_;
  if (!error.empty()) state = LiveState::failed;
  const std::string done =
      fmt::format("after {} of {} epochs", trainer_.epoch(), trainer_.config().epochs);
  // Also where something else could not be written: the page must not say for ever that the run
  // goes on.
  try {
    if (state != LiveState::failed) look();
    show(state,
         state == LiveState::finished ? fmt::format("The run is finished, {}.", done)
         : state == LiveState::stopped
             ? fmt::format("The run was stopped {}; --resume goes on.", done)
             : fmt::format("The run failed {}.", done),
         error);
  } catch (const FileError& failed) {
    if (failure_.empty()) failure_ = failed.what();
  }
}

void RunWatch::print_pages() const {
  if (series_)
    print_line(fmt::format("Snapshots   {} ({}, {}; their pictures in {}, {})",
                           printable(series_->page().string()), series_->count(),
                           size_text(series_->page_bytes()),
                           printable((std::filesystem::path(out_) / "snapshots").string()),
                           size_text(series_->bytes())));
  if (live_) print_line("Live page   " + printable(live_path(out_).string()));
}

}  // namespace limulus::tools
