// limulus train: the walk, a progress bar per epoch, the held-out accuracy, a checkpoint, a report.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "backends/registry.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/printable.h"
#include "layers/walk.h"
#include "models/alexnet_towers.h"
#include "tools/commands.h"
#include "tools/data_output.h"
#include "tools/plugin.h"
#include "tools/run_log.h"
#include "tools/terminal.h"
#include "training/report.h"
#include "training/trainer.h"

namespace limulus::tools {
namespace {

struct TrainArguments {
  std::string model = "alexnet", recipe = "default", data, device = "cpu", out, log;
  std::optional<std::int64_t> epochs, batch;
  std::optional<std::uint64_t> seed;
  std::optional<double> lr, momentum, weight_decay, dropout, zoom, colour_noise;
  std::optional<std::string> schedule, rule, layout, test_folder;
  double checkpoint_minutes = 1;
  int threads = 0, workers = 1;
  bool resume = false, strict = false, batch_norm = false, vertical_flip = false,
       flush_denormals = false;
};

// Ctrl-C once: finish the step, save, leave. Twice: leave at once (the last checkpoint stays).
std::atomic<bool> stop_wanted{false};

void on_interrupt(int number) {
  stop_wanted = true;
  std::signal(number, SIG_DFL);
}

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

std::filesystem::path checkpoint_in(const std::string& out) {
  return std::filesystem::path(out) / "checkpoint.safetensors";
}

TrainConfig chosen_config(const TrainArguments& a) {
  TrainConfig c = default_config(a.model, a.recipe);
  if (a.resume) {
    const auto file = checkpoint_in(a.out);
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(file, unknown))
      throw FileError(
          fmt::format("{}: there is no checkpoint to resume; without --resume a new run begins",
                      file.string()));
    c = load_config(file);
  }
  if (!a.data.empty()) c.data = a.data;
  c.device = a.device;
  if (a.epochs) c.epochs = *a.epochs;
  if (a.batch) c.batch = *a.batch;
  if (a.seed) c.seed = *a.seed;
  if (a.lr) c.sgd.lr = *a.lr;
  if (a.momentum) c.sgd.momentum = *a.momentum;
  if (a.weight_decay) c.sgd.weight_decay = *a.weight_decay;
  if (a.dropout) c.dropout = *a.dropout;
  if (a.schedule) c.schedule.kind = parse_schedule(*a.schedule);
  if (a.rule) c.sgd.rule = *a.rule == "paper" ? SgdRule::paper : SgdRule::pytorch;
  if (a.zoom) {
    c.augment.zoom_max = *a.zoom;
    c.augment.zoom_min = std::min(c.augment.zoom_min, *a.zoom);
    if (*a.zoom == 1) c.augment.zoom_min = 1;
  }
  if (a.colour_noise) c.augment.colour_sigma = *a.colour_noise;
  if (a.vertical_flip) c.augment.vertical_flip = true;
  if (a.strict) c.strict = true;
  if (a.layout) c.layout = *a.layout;
  if (a.test_folder) c.test_folder = *a.test_folder;
  if (a.batch_norm) c.batch_norm = true;
  if (c.data.empty())
    throw ValueError(
        "train: which pictures? --data DIR takes a folder of class folders, Flowers-17, MNIST or "
        "CIFAR-10; the repository has data/flowers5");
  return c;
}

void show_step(StatusLine& line, const StepInfo& s) {
  const double done = static_cast<double>(s.batch) / static_cast<double>(s.batches);
  line.draw(
      fmt::format("epoch {:>2}/{} {} loss {:.3f}  accuracy {:4.1f} %  {:.1f} images/s  {} left",
                  s.epoch, s.epochs, bar(done, std::clamp(columns() - 75, 5, 20)), s.mean_loss,
                  100 * s.mean_top1, s.images_per_second, duration(s.seconds_left)));
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

// How the folder was read, what of it counts, and what does not.
void show_data(const Trainer& trainer) {
  const Dataset& data = trainer.dataset();
  fmt::print("Data    {}: {}, {}, {} ({})\n", trainer.config().data, classes_text(data.classes),
             usable_text(trainer.usable_train(), data.train.size(), "training images"),
             data.test.size() == 0
                 ? "nothing held out"
                 : usable_text(trainer.usable_test(), data.test.size(), "held out"),
             data.how_read());
  print_skipped(trainer.skipped(), 10);
}

void print_accuracy(const Trainer& trainer, const RunReport& report) {
  const Evaluation& one = report.single;
  if (one.metrics.count() == 0) {
    fmt::print("\n{}, so there is no held-out accuracy.\n",
               one.images == 0
                   ? "Nothing was held out"
                   : fmt::format("None of the {} held-out images can be used", one.images));
  } else {
    fmt::print("\nHeld-out accuracy on {}:\n  single crop  top-1 {:.1f} %  top-5 {:.1f} %\n",
               usable_text(one.metrics.count(), one.images, "images"), 100 * one.metrics.top1(),
               100 * one.metrics.top5());
    if (report.ten.metrics.count() > 0)
      fmt::print("  ten crops    top-1 {:.1f} %  top-5 {:.1f} %\n", 100 * report.ten.metrics.top1(),
                 100 * report.ten.metrics.top5());
  }
  const auto skipped = trainer.skipped();  // once more, where pictures of the set are among them
  if (std::any_of(skipped.begin(), skipped.end(),
                  [](const Skipped& s) { return stops_strict(s.rule); })) {
    fmt::print("\n");
    print_skipped(skipped, 50);
  }
}

void finish(Trainer& trainer, const std::filesystem::path& out, RunLog& log, StatusLine& line) {
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
  line.clear();
  write_report(out / "report.html", report);  // before printing, which may end at a closed pipe

  log.end(&trainer, "finished", &report, "");
  print_accuracy(trainer, report);
  fmt::print("\nCheckpoint  {}\nReport      {}\n", printable(trainer.checkpoint_path().string()),
             printable((out / "report.html").string()));
}

void train(const TrainArguments& given) {
  TrainArguments a = given;
  if (a.out.empty()) a.out = "runs/" + a.model;
  if (a.threads > 0) set_device_threads(a.threads);
  const TrainConfig config = chosen_config(a);
  const bool locked = lock_folder(a.out);
  std::error_code unknown;
  if (!a.resume && std::filesystem::is_regular_file(checkpoint_in(a.out), unknown))
    say(fmt::format(
        "{} {} holds an earlier run; its checkpoint will be replaced (--resume goes on with it)",
        bold("note:"), printable(a.out)));

  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  StatusLine line;
  TrainerOptions options;
  options.out = a.out;
  options.workers = a.workers;
  options.checkpoint_seconds = 60 * a.checkpoint_minutes;
  options.stop = &stop_wanted;
  options.on_step = [&](const StepInfo& s) { show_step(line, s); };
  RunLog log(a.log);
  Trainer* running = nullptr;
  options.on_epoch = [&](const EpochRecord& e) {
    show_epoch(line, e, *running);
    log.epoch(*running, e);
    if (!log.failure().empty()) stop_wanted = true;  // save, then end with an error
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
  fmt::print("{}\n", walk_text(trainer.model().walk(in)));
  if (const auto* towers = dynamic_cast<const AlexNetTowers*>(&trainer.model()))
    fmt::print("{}\n", crossing_text(towers->crossings(in)));
  show_data(trainer);
  fmt::print("Device  {}\n", description_of(config.device));
  fmt::print("Run     {} epochs of {} images, batch {}, rate {:g} ({}), seed {}{}\n\n",
             config.epochs, trainer.usable_train(), config.batch, config.sgd.lr,
             name_of(config.schedule.kind), config.seed,
             !a.resume ? ""
             : trainer.epoch() < config.epochs
                 ? fmt::format("; goes on in epoch {}", trainer.epoch() + 1)
                 : "; all of them are done");
  std::fflush(stdout);

  bool finished = false;
  try {
    finished = trainer.run();
  } catch (const std::exception& error) {
    log.end(&trainer, "failed", nullptr, error.what());
    throw;
  }
  std::signal(SIGINT, SIG_DFL);
  if (!finished) log.end(&trainer, "stopped", nullptr, "");
  if (!finished)
    line.finish(fmt::format("Stopped. Everything is in {}; the same command with --resume goes on.",
                            printable(trainer.checkpoint_path().string())));
  if (finished) finish(trainer, a.out, log, line);
  if (!log.failure().empty())
    throw FileError(fmt::format("{}; the weights are safe in {}", log.failure(),
                                trainer.checkpoint_path().string()));
}

}  // namespace

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = app.add_subcommand("train", "Train a network on a folder of pictures");
  c->footer(
      "Example: limulus train --model alexnet --data data/flowers5 --out runs/flowers\n"
      "         limulus train --out runs/flowers --resume");
  // ./run alexnet names these two first; what the user adds counts.
  c->add_option("--model", a->model, "Network (limulus explain --list)")
      ->take_last()
      ->capture_default_str();
  c->add_option("--data", a->data, "Class folders, Flowers-17, MNIST/Fashion-MNIST or CIFAR-10")
      ->take_last();
  add_layout_options(*c, a->layout, a->test_folder);
  c->add_option("--recipe", a->recipe, "default, or paper: initialization and rates as in 2012")
      ->capture_default_str();
  c->add_option("--out", a->out, "Folder of checkpoint and report (default: runs/MODEL)");
  c->add_flag("--resume", a->resume, "Go on with the checkpoint in --out");
  c->add_option("--epochs", a->epochs, "Passes over the training images");
  c->add_option("--batch", a->batch, "Images per step");
  c->add_option("--lr", a->lr, "Learning rate");
  c->add_option("--momentum", a->momentum, "Momentum");
  c->add_option("--weight-decay", a->weight_decay, "Weight decay");
  c->add_option("--dropout", a->dropout, "Probability of dropping a unit");
  c->add_option("--schedule", a->schedule, "constant, step, cosine or plateau");
  c->add_option("--rule", a->rule, "Update rule")->check(CLI::IsMember({"paper", "pytorch"}));
  c->add_option("--zoom", a->zoom, "Crops show parts enlarged up to this; 1: no zoom");
  c->add_option("--colour-noise", a->colour_noise,
                "Deviation of the colour noise; the paper's: 0.1")
      ->check(CLI::Range(0.0, 1e3));
  c->add_flag("--vertical-flip", a->vertical_flip, "Exchange top and bottom of half of the images");
  c->add_flag("--batch-norm", a->batch_norm, "alexnet-keras: with batch normalization");
  c->add_option("--seed", a->seed, "Weights, order, crops and dropout follow from it")
      ->check(CLI::Range(std::uint64_t{0}, UINT64_MAX >> 1));
  c->add_option("--device", a->device,
                "limulus devices lists them; of alexnet-towers two: cpu:0/2,cpu:1/2")
      ->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, 
                "Threads of the cpu device (default: as many as the process may use)")
      ->check(CLI::Range(1, 1024));
  c->add_option("--workers", a->workers, "Threads that decode and augment")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  c->add_option("--checkpoint-minutes", a->checkpoint_minutes, "Save at least this often")
      ->check(CLI::Range(0.0001, 1e4))
      ->capture_default_str();
  c->add_flag("--strict", a->strict, "A picture that cannot be used is an error, not skipped");
  c->add_option(
      "--log", a->log,
      "Append to this file, one JSON object a line: the data, what is skipped, each epoch, "
      "the end");
  add_denormals_option(*c, a->flush_denormals);
  c->callback([a] {
    const FlushDenormals denormals(a->flush_denormals);
    train(*a);
  });
}

}  // namespace limulus::tools
