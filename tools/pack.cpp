// limulus pack: a folder of photographs as a few large files, resized once.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "backends/cpu/cpu_backend.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "tools/commands.h"
#include "tools/data_output.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/data/pack.h"

namespace limulus::tools {
namespace {

struct PackArguments {
  std::string folder, out;
  std::optional<std::string> layout, test_folder;
  PackOptions options;
};

void pack_folder(const PackArguments& a) {
  DatasetOptions reading;
  reading.strict = a.options.strict;
  if (a.layout) reading.layout = parse_layout(*a.layout);
  if (a.test_folder) reading.test_folder = *a.test_folder;
  std::error_code unknown;
  if (!std::filesystem::exists(a.folder, unknown))
    throw FileError(a.folder + ": there is no such folder");
  // Shards in the midst of the photographs would be taken for a part of the set, the next time.
  if (lies_in(a.out, a.folder))
    throw ValueError(
        fmt::format("pack: --out {} lies in the folder that is packed, {}; choose one "
                    "beside it",
                    a.out, a.folder));
  StatusLine line;
  line.draw("reading the folder ...");
  const Dataset data = open_dataset(a.folder, reading);
  PackOptions options = a.options;
  if (options.threads == 0) options.threads = cpu_default_threads();
  options.stop = &interrupted();
  const auto began = std::chrono::steady_clock::now();
  options.on_pictures = [&](std::int64_t done, std::int64_t all) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const double part = static_cast<double>(done) / static_cast<double>(all);
    const int width = std::clamp(columns() - 75, 5, 40);
    line.draw(fmt::format("{} {} of {} pictures  {:.0f}/s  {} left", bar(part, width), done, all,
                          static_cast<double>(done) / seconds, duration(seconds / part - seconds)));
  };
  catch_interrupts();
  const Packed p = pack(data, a.out, options);
  line.clear();
  if (!p.finished) {
    say(fmt::format("Stopped. {} whole shards are in {}; the same command again goes on.", p.shards,
                    printable(a.out)));
    end_if_interrupted();
    return;
  }
  print_line(fmt::format("Data    {}: {}, {} training images, {} held out ({})",
                         printable(a.folder), classes_text(data.classes), data.train.size(),
                         data.test.size(), printable(data.how_read())));
  print_skipped(p.skipped, 20);
  print_line(
      fmt::format("Shards  {}: {} {}{}, {:.1f} MB in all, with {} training images and {} held out",
                  printable(a.out), p.shards, p.shards == 1 ? "file" : "files",
                  p.kept > 0 ? fmt::format(" ({} there already)", p.kept) : "",
                  static_cast<double>(p.bytes) / 1e6, p.train, p.test));
}

}  // namespace

void add_pack(CLI::App& app) {
  auto a = std::make_shared<PackArguments>();
  a->options.threads = 0;
  CLI::App* c =
      app.add_subcommand("pack", "A folder of photographs as a few large files, resized once");
  c->footer(
      "The files are tar files in WebDataset's convention; `limulus train --data` and `evaluate` "
      "take their folder.\nStopped, or killed, the same command goes on.\n\n"
      "Example: limulus pack data/flowers5 --shards 4 --out flowers5-shards");
  c->add_option("folder", a->folder, "The photographs, in a layout that limulus train takes")
      ->required();
  c->add_option("--out", a->out, "The folder for the shards")->required();
  c->add_option("--size", a->options.side,
                "Each is resized to this shorter side, and the middle square of it is kept")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  c->add_option("--shards", a->options.shards,
                "Files for the training images; the held-out ones get as many in proportion")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  add_layout_options(*c, a->layout, a->test_folder);
  c->add_option("--threads", a->options.threads,
                "Threads that decode (default: as many as the process may use)")
      ->check(CLI::Range(1, 1024));
  c->add_flag("--strict", a->options.strict,
              "A picture that cannot be used is an error, not skipped");
  c->callback([a] { pack_folder(*a); });
}

}  // namespace limulus::tools
