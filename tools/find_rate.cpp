#include "tools/find_rate.h"

#include <fmt/format.h>

#include <filesystem>

#include "backends/registry.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "tools/data_output.h"
#include "tools/terminal.h"
#include "tools/writable.h"
#include "training/rate_sweep.h"
#include "training/report/rate_page.h"

namespace limulus::tools {
namespace {

// Of a training part that is seen more often than this, part of the fall is learned by heart.
constexpr double kMostPasses = 10;

// The command as it was given, option by option.
std::string command_line_of(const CLI::App& command) {
  std::string text = "limulus " + command.get_name();
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    text += " --" + option->get_single_name();
    if (option->get_expected_max() > 0)
      for (const std::string& value : option->results()) text += " " + value;
  }
  return text;
}

void print_rates(const RateSweep& sweep) {
  print_line("        rate       loss   smoothed");
  for (const std::size_t i : rates_to_show(sweep)) {
    const RateStep& s = sweep.steps[i];
    const bool last = i + 1 == sweep.steps.size();
    print_line(fmt::format("    {:>8.3g}  {:>9.4g}  {:>9.4g}{}{}{}", s.rate, s.loss, s.smoothed,
                           i == sweep.steepest ? "  steepest fall" : "",
                           i == sweep.least ? "  least" : "",
                           last && sweep.blew_up ? "  blown up" : ""));
  }
}

}  // namespace

void find_rate(const CLI::App& command, const TrainConfig& config, const std::string& out,
               int workers, const std::string& init) {
  const std::filesystem::path page = std::filesystem::path(out) / "rates.html";
  make_folders(out);
  check_writable(page);
  StatusLine line;
  line.draw("reading the pictures and their mean ...");
  TrainerOptions trainer_options;
  trainer_options.out = out;
  trainer_options.workers = workers;
  trainer_options.init = init;
  Trainer trainer(config, trainer_options);
  line.clear();
  if (trainer.initial_weights()) print_initial_weights(*trainer.initial_weights());
  print_skipped(trainer.skipped(), 10);
  print_line("Device  " + printable(description_of(config.device)));
  const RateSweepOptions options;
  const RateSweep sweep = sweep_rates(trainer, options, [&](const RateSweep& s) {
    line.draw(fmt::format("step {:>3} of at most {}  rate {:.2g}  loss {:.3f}", s.steps.size(),
                          options.steps, s.steps.back().rate, s.steps.back().loss));
  });
  line.clear();
  print_line(fmt::format("Sweep   {}\n", rates_seen(sweep, config)));
  print_rates(sweep);
  print_line("\n" + rates_told(sweep, options));
  const double passes = static_cast<double>(sweep.images) / static_cast<double>(sweep.set);
  if (passes > kMostPasses)
    say_note(fmt::format(
        "each picture was seen {:.0f} times: part of the fall is learned by heart, and the "
        "suggestion is worth less; more pictures, or a smaller --batch, make it a better one",
        passes));
  write_file_atomically(page, rate_page(sweep, options, config, command_line_of(command)));
  print_line(fmt::format("\nSuggestion  {}\nPlot        {}\nNo checkpoint was written.",
                         rate_suggested(sweep), printable(page.string())));
}

}  // namespace limulus::tools
