#include "tools/tensorboard_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/printable.h"
#include "pages/image_encode.h"
#include "tools/terminal.h"
#include "training/report/filter_grid.h"

namespace limulus::tools {
namespace {

// A filter has some ten pixels: each of them becomes a square, as viewers would blur them.
html::Picture enlarged(const html::Picture& p) {
  constexpr int wanted = 500;  // about its width
  const int scale = std::max(1, wanted / p.width);
  html::Picture large{scale * p.width, scale * p.height, p.channels, {}};
  for (int y = 0; y < large.height; ++y)
    for (int x = 0; x < large.width; ++x) {
      const auto pixel = p.values.begin() + p.channels * ((y / scale) * p.width + x / scale);
      large.values.insert(large.values.end(), pixel, pixel + p.channels);
    }
  return large;
}

}  // namespace

TensorBoardLog::TensorBoardLog(const std::string& folder)
    : folder_(folder), others_(has_event_files(folder)), file_(folder) {}

void TensorBoardLog::begin(const Trainer& trainer, bool resumed) {
  if (others_ && !resumed)
    say_note(fmt::format(
        "{} holds event files of an earlier run; TensorBoard will show this run in its place "
        "(another folder keeps both)",
        printable(folder_)));
  if (others_ || resumed) file_.restart(trainer.step() + 1);
}

void TensorBoardLog::step(const StepInfo& s) {
  file_.add_scalars(s.step, {{"training/loss", s.loss}, {"training/lr", s.lr}});
}

void TensorBoardLog::epoch(const Trainer& trainer, const EpochRecord& e) {
  std::vector<ScalarSummary> scalars;
  for (const auto& [tag, value] : {std::pair{"epoch/training_loss", e.train_loss},
                                   {"epoch/training_top1", e.train_top1},
                                   {"epoch/held_out_loss", e.test_loss},
                                   {"epoch/held_out_top1", e.test_top1},
                                   {"epoch/held_out_top5", e.test_top5},
                                   {"epoch/images_per_second", e.images_per_second}})
    if (std::isfinite(value)) scalars.push_back({tag, value});  // of nothing held out there is none
  file_.add_scalars(trainer.step(), scalars);
  const Tensor filters = first_filters(trainer.model());
  if (!filters.defined()) return;
  const html::Picture grid =
      enlarged(report::filter_grid(filters.to_doubles(), filters.shape()).picture);
  file_.add_picture(trainer.step(),
                    {"filters", grid.width, grid.height, grid.channels,
                     encode_png(grid.values, grid.width, grid.height, grid.channels)});
}

}  // namespace limulus::tools
