// limulus train: the walk, a progress bar per epoch, the held-out accuracy, a checkpoint, a report.
#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "backends/registry.h"
#include "core/amounts.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/printable.h"
#include "layers/walk.h"
#include "models/alexnet_towers.h"
#include "models/models.h"
#include "tools/commands.h"
#include "tools/data_output.h"
#include "tools/find_rate.h"
#include "tools/interrupts.h"
#include "tools/ranks.h"
#include "tools/run_log.h"
#include "tools/run_watch.h"
#include "tools/sparkline.h"
#include "tools/terminal.h"
#include "tools/train_settings.h"
#include "tools/usage.h"
#include "training/evaluate.h"
#include "training/freeze.h"
#include "training/report/report.h"
#include "training/report/snapshot_series.h"
#include "training/trainer.h"

namespace limulus::tools {
namespace {

// Two runs that save into one folder would destroy each other's checkpoint. The lock is on the
// folder itself, so that it leaves no file behind, and ends with the process, however that ends.
// False when there is no such folder yet.
bool lock_folder(const std::string& out) {
  const int folder = open(out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  if (flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw FileError(fmt::format(
        "{}: another run is training into this folder; wait for it, or choose another --out", out));
  return true;
}

void show_epoch(StatusLine& line, const EpochRecord& e, const Trainer& trainer) {
  const std::int64_t held_out = trainer.dataset().test.size(), usable = trainer.usable_test();
  const std::string test = held_out == 0 ? std::string("nothing held out")
                           : usable == 0 ? std::string("no held-out image can be used")
                                         : fmt::format("held out: loss {:.3f}  accuracy {:4.1f} %",
                                                       e.test_loss, 100 * e.test_top1);
  line.finish(
      fmt::format("epoch {:>2}/{}  loss {:.3f}  accuracy {:4.1f} %  | {}  "
                  "| {:.1f} images/s  lr {:.2g}",
                  e.epoch, trainer.config().epochs, e.train_loss, 100 * e.train_top1, test,
                  e.images_per_second, e.lr));
}

// What the network began with, what of it learns, and what a longer run changes.
void show_weights(const Trainer& trainer) {
  const auto& begun = trainer.initial_weights();
  if (begun) print_initial_weights(*begun);
  const std::vector<std::string>& frozen = trainer.frozen();
  if (frozen.empty()) return;
  const std::int64_t all = count_of(trainer.model().parameters()),
                     learn = count_of(trained_parameters(trainer.model()));
  print_line(fmt::format("Frozen  {}: {} of {} parameters are trained", fmt::join(frozen, ", "),
                         with_thousands(learn), with_thousands(all)));
  if (!trainer.config().init.empty() && !begun) return;  // resumed: it was said before
  std::vector<std::string> drawn;
  for (const std::string& layer : frozen)
    if (!begun || std::find(begun->taken.begin(), begun->taken.end(), layer) == begun->taken.end())
      drawn.push_back(layer);
  if (!drawn.empty())
    say_note(fmt::format("{} stay as they were drawn at random: nothing was learned there",
                         fmt::join(drawn, ", ")));
}

// How the folder was read, what of it counts, and what does not.
void show_data(const Trainer& trainer) {
  const Dataset& data = trainer.dataset();
  print_line(fmt::format(
      "Data    {}: {}, {}, {} ({})", printable(trainer.config().data), classes_text(data.classes),
      usable_text(trainer.usable_train(), data.train.size(), "training images"),
      data.test.size() == 0 ? "nothing held out"
                            : usable_text(trainer.usable_test(), data.test.size(), "held out"),
      printable(data.how_read())));
  print_skipped(trainer.skipped(), 10);
  const PixelStatistics& p = trainer.pixels();
  if (p.mean_error[0] > 0)
    print_line(fmt::format(
        "        mean colour {:.2f}, {:.2f}, {:.2f} from a sample of {} images (standard error "
        "{:.2f}, {:.2f}, {:.2f})",
        p.mean[0], p.mean[1], p.mean[2], p.images, p.mean_error[0], p.mean_error[1],
        p.mean_error[2]));
  if (!trainer.dataset().train.in_memory())
    print_line(fmt::format("Cache   {} of at most {} of decoded pictures",
                           in_bytes(static_cast<std::int64_t>(trainer.cached_bytes())),
                           in_bytes(static_cast<std::int64_t>(trainer.cache_limit()))));
}

// Pictures that were there before the first step, or were not tried then.
void show_lost(const Trainer& trainer, std::size_t* told) {
  const std::size_t skipped = trainer.skipped().size();
  if (skipped > *told)
    say_note(
        fmt::format("{} more {} the set cannot be used, {} in all; the end of the run, and --log, "
                    "list them",
                    skipped - *told, skipped - *told == 1 ? "picture of" : "pictures of", skipped));
  *told = std::max(*told, skipped);
}

void print_accuracy(const Trainer& trainer, const RunReport& report) {
  const Evaluation& one = report.single;
  if (one.metrics.count() == 0) {
    print_line(fmt::format(
        "\n{}, so there is no held-out accuracy.",
        one.images == 0 ? "Nothing was held out"
                        : fmt::format("None of the {} held-out images can be used", one.images)));
  } else {
    print_line(
        fmt::format("\nHeld-out accuracy on {}:\n  single crop  top-1 {:.1f} %  top-5 {:.1f} %",
                    usable_text(one.metrics.count(), one.images, "images"),
                    100 * one.metrics.top1(), 100 * one.metrics.top5()));
    if (report.ten.metrics.count() > 0)
      print_line(fmt::format("  ten crops    top-1 {:.1f} %  top-5 {:.1f} %",
                             100 * report.ten.metrics.top1(), 100 * report.ten.metrics.top5()));
  }
  const auto skipped = trainer.skipped();  // once more, where pictures of the set are among them
  if (std::any_of(skipped.begin(), skipped.end(),
                  [](const Skipped& s) { return stops_strict(s.rule); })) {
    print_line("");
    print_skipped(skipped, 50);
  }
}

// After the last epoch all is saved: a signal may end the program at any moment, but while the
// report is being written.
void finish(Trainer& trainer, const std::filesystem::path& out, RunLog& log, RunWatch& watch,
            StatusLine& line, const Communicator* ranks) {
  watch.evaluating();
  end_at_interrupt(
      fmt::format("Stopped. The weights are in {}; the same command with --resume makes "
                  "the report.",
                  printable(trainer.checkpoint_path().string())));
  line.draw("held-out images, centre crop ...");
  Evaluation single = trainer.evaluate(false, 24), ten;
  if (trainer.config().augment.crop < trainer.config().prepare.short_side) {
    line.draw("held-out images, ten crops each ...");
    ten = trainer.evaluate(true);
  }
  RunReport report = trainer.report();  // lists what the evaluation skipped, too
  report.single = std::move(single);
  report.ten = std::move(ten);
  line.draw("timing one step layer by layer ...");
  report.layer_times = trainer.profile();
  report.snapshots = watch.snapshots();
  if (report.snapshots == 0)  // an earlier sitting may have kept some
    report.snapshots =
        snapshots_beside(trainer.checkpoint_path(), trainer.config(), trainer.dataset().classes);
  line.clear();
  catch_interrupts();
  write_report(out / "report.html", report);  // before printing, which may end at a closed pipe
  log.end(&trainer, "finished", &report, "");
  watch.end(LiveState::finished, "");
  end_if_interrupted();

  print_accuracy(trainer, report);
  if (const auto traffic = trainer.traffic(); !traffic.empty())
    print_line("\n" + traffic_text(traffic, ranks->size()));
  if (trainer.travel().exchanging > 0) print_line(travel_text(trainer.travel()));
  print_line(fmt::format("\nCheckpoint  {}\nReport      {}",
                         printable(trainer.checkpoint_path().string()),
                         printable((out / "report.html").string())));
  watch.print_pages();
}

// What all ranks have in common.
TrainerOptions options_of(const TrainArguments& a, const std::shared_ptr<Communicator>& ranks) {
  TrainerOptions options;
  options.out = a.out;
  options.workers = a.workers;
  options.cache_bytes = a.cache;
  options.init = initial_file(a);
  options.ranks = ranks;
  options.checkpoint_seconds = 60 * a.checkpoint_minutes;
  // Until the first step there is nothing to save, and a signal ends the program at once.
  options.stop = &interrupted();
  return options;
}

// A rank that is not the first trains, and says nothing.
void help_train(const TrainConfig& config, const TrainArguments& a,
                const std::shared_ptr<Communicator>& ranks) {
  const TrainerOptions options = options_of(a, ranks);
  Trainer trainer(config, options);
  if (a.resume) trainer.resume(checkpoint_in(a.out));
  catch_interrupts();
  trainer.run();
}

// What decides what the ranks say to each other next. Where it differs, each would wait for an
// answer to something that the others do not ask.
void agree_on_command(Communicator& ranks, const TrainArguments& a) {
  const auto given = [](bool yes) { return yes ? "given" : "not given"; };
  agree(ranks,
        {{"the option --resume", given(a.resume)}, {"the option --find-rate", given(a.find_rate)}});
}

void train(const CLI::App& command, const TrainArguments& given,
           const std::shared_ptr<Communicator>& ranks) {
  if (ranks) agree_on_command(*ranks, given);
  TrainArguments a = given;
  if (a.out.empty()) a.out = default_out(a.model);
  const TrainConfig config = chosen_config(command, a, ranks.get());
  use_threads(command, ranks && a.threads == 0 ? threads_of_a_rank(*ranks) : a.threads,
              config.device);
  // A run is not lost because nobody reads what it prints (`limulus train | head -1`).
  std::signal(SIGPIPE, SIG_IGN);
  if (ranks && a.find_rate)
    throw ValueError("train: --find-rate makes its steps in one process; leave out mpirun");
  if (ranks && ranks->rank() > 0) return help_train(config, a, ranks);
  const bool locked = lock_folder(a.out);
  if (a.find_rate) {
    find_rate(command, config, a.out, a.workers, initial_file(a));
    return;
  }
  std::error_code unknown;
  if (!a.resume && std::filesystem::is_regular_file(checkpoint_in(a.out), unknown))
    say_note(fmt::format(
        "{} holds an earlier run; its checkpoint will be replaced (--resume goes on with it)",
        printable(a.out)));

  StatusLine line;
  TrainerOptions options = options_of(a, ranks);
  RunLog log(a.log);
  Trainer* running = nullptr;
  std::optional<RunWatch> watch;
  std::vector<float> losses;  // of the whole run, for a terminal that can show their curve
  StepInfo last;
  std::size_t lost = 0;  // what takes no part, as far as the screen has told
  options.on_step = [&](const StepInfo& s) {
    last = s;
    if (shows_blocks()) losses.push_back(static_cast<float>(s.loss));
    line.draw(step_line(s, losses, columns() - 1, shows_blocks()));
    watch->step(s);
  };
  const auto failure = [&] { return log.failure().empty() ? watch->failure() : log.failure(); };
  options.on_epoch = [&](const EpochRecord& e) {
    show_epoch(line, e, *running);
    show_lost(*running, &lost);
    log.epoch(*running, e);
    watch->epoch(e);
    // Save, then end with an error; after the last epoch, with a report, too.
    if (!failure().empty() && e.epoch < config.epochs) throw Stopped(failure());
  };

  line.draw("reading the pictures and their mean ...");
  std::optional<Trainer> made;
  try {
    running = &made.emplace(config, options);  // makes the folder
  } catch (const std::exception& error) {
    log.end(nullptr, "failed", nullptr, error.what());
    throw;
  }
  Trainer& trainer = *made;
  if (!locked) lock_folder(a.out);
  line.clear();
  if (a.resume) trainer.resume(checkpoint_in(a.out));
  log.data(trainer, a.resume);
  if (!log.failure().empty()) throw FileError(log.failure());
  const Shape in = {config.batch, config.augment.channels, config.augment.crop,
                    config.augment.crop};
  print_line(walk_text(trainer.model().walk(in)));
  if (const auto* towers = dynamic_cast<const AlexNetTowers*>(&trainer.model()))
    print_line(crossing_text(towers->crossings(in)));
  show_weights(trainer);
  show_data(trainer);
  lost = trainer.skipped().size();
  if (ranks)
    print_line(trainer.divides_towers()
                   ? std::string("Ranks   2, with one tower each; both read all images")
                   : fmt::format("Ranks   {}, which share {} micro-batches of each batch",
                                 ranks->size(), config.micro_batches));
  print_line("Device  " + printable(description_of(config.device)));
  print_line(fmt::format("Run     {} epochs of {} images, batch {}, rate {:g} ({}), seed {}{}\n",
                         config.epochs, trainer.usable_train(), config.batch, config.sgd.lr,
                         name_of(config.schedule.kind), config.seed,
                         !a.resume ? ""
                         : trainer.epoch() < config.epochs
                             ? fmt::format("; goes on in epoch {}", trainer.epoch() + 1)
                             : "; all of them are done"));
  if (!trainer.longer().empty()) say_note(trainer.longer());
  const auto check_written = [&] {
    if (!failure().empty())
      throw FileError(fmt::format("{}; the weights are safe in {}", failure(),
                                  trainer.checkpoint_path().string()));
  };
  bool finished = false;
  try {
    watch.emplace(a, trainer);
    if (shows_blocks()) losses = trainer.report().step_losses;
    std::fflush(stdout);
    catch_interrupts();
    finished = trainer.run();
    if (finished) finish(trainer, a.out, log, *watch, line, ranks.get());
  } catch (const std::exception& error) {
    if (const auto* broken = dynamic_cast<const LossError*>(&error);
        broken != nullptr && shows_blocks()) {
      losses.push_back(static_cast<float>(broken->loss));
      last.mean_loss = broken->loss;
      line.finish(step_line(last, losses, columns() - 1, true));
    }
    log.end(&trainer, "failed", nullptr, error.what());
    if (watch) watch->end(LiveState::failed, error.what());
    throw;
  }
  if (!finished) {
    const std::string& why = failure();
    log.end(&trainer, why.empty() ? "stopped" : "failed", nullptr, why);
    watch->end(LiveState::stopped, why);
    line.finish(fmt::format("Stopped. Everything is in {}; the same command with --resume goes on.",
                            printable(trainer.checkpoint_path().string())));
  }
  check_written();
  if (!finished) end_if_interrupted();
}

}  // namespace

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train a network on a folder of pictures");
  c->footer(
      "Example: limulus train --model alexnet --data data/flowers5 --out runs/flowers\n"
      "         limulus train --out runs/flowers --resume");
  add_train_options(*c, *a);
  c->callback([a, c] {
    const FlushDenormals denormals(a->flush_denormals);
    const std::shared_ptr<Communicator> ranks = ranks_of_this_run();
    with_ranks(ranks.get(), [&] { train(*c, *a, ranks); });
  });
}

}  // namespace limulus::tools
