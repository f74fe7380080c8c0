// limulus report: the page of a run that was stopped, from what it left behind.
#include <fmt/core.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "tools/commands.h"
#include "tools/plugin.h"
#include "tools/run_pictures.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "tools/writable.h"
#include "training/report/report.h"
#include "training/report/snapshot_series.h"
#include "training/stopped_run.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct ReportArguments {
  std::string checkpoint, out, data, device = "cpu";
  std::optional<std::string> layout, test_folder;
  int threads = 0, workers = 1;
};

void report(const CLI::App& command, const ReportArguments& a) {
  use_threads(command, a.threads, a.device);
  const TrainedModel trained = load_trained(a.checkpoint, a.device);
  const fs::path page =
      a.out.empty() ? fs::path(a.checkpoint).parent_path() / "report.html" : fs::path(a.out);
  check_page(page);
  RunReport run = report_from(a.checkpoint, trained);
  if (a.out.empty()) run.snapshots = snapshots_beside(a.checkpoint, run.config, trained.classes);
  const std::string folder = a.data.empty() ? trained.config.data : a.data;
  StatusLine line;
  line.draw("held-out images ...");
  try {
    add_evaluation(run, a.checkpoint, trained,
                   open_pictures(a.checkpoint, trained, folder, {a.layout, a.test_folder, false}),
                   a.workers);
  } catch (const FileError& error) {
    if (!a.data.empty()) throw;  // what was asked for
    run.missing.push_back(fmt::format(
        "The held-out images were not evaluated: {}; --data names another place.", error.what()));
  }
  line.clear();
  // A page of the run's own end may be there, which knows more: it is kept.
  std::error_code unknown;
  const bool replaces = a.out.empty() && fs::exists(page, unknown);
  write_report(page, run, replaces);
  for (const std::string& sentence : run.missing) say_note(sentence);
  print_line(fmt::format("Report      {}{}", printable(page.string()),
                         replaces ? "; the one that was there is now report.html.previous" : ""));
}

}  // namespace

void add_report(CLI::App& app) {
  auto a = std::make_shared<ReportArguments>();
  CLI::App* c = app.add_subcommand("report", "The report of a run that was stopped");
  c->footer(
      "The page that limulus train writes at its end, from a checkpoint: curves, kernels, "
      "settings, and, where the pictures\nare there, accuracy, confusion and mistakes. It says "
      "what is "
      "missing.\n\n"
      "Example: limulus report runs/alexnet/checkpoint.safetensors");
  c->add_option("checkpoint", a->checkpoint, "A checkpoint of limulus train")->required();
  c->add_option("--out", a->out, "The page (default: report.html beside the checkpoint)");
  c->add_option("--data", a->data,
                "The pictures whose held-out part is evaluated (default: those of the run)");
  add_layout_options(*c, a->layout, a->test_folder);
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  c->add_option("--workers", a->workers, "Threads that decode")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  c->callback([a, c] { report(*c, *a); });
}

}  // namespace limulus::tools
