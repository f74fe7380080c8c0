#include "tools/train_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/module.h"
#include "models/description.h"
#include "models/models.h"
#include "tools/commands.h"
#include "tools/plugin.h"
#include "tools/usage.h"
#include "training/freeze.h"
#include "training/reading_checkpoint.h"
#include "training/recipes.h"
#include "training/resume.h"
#include "training/trained_model.h"
#include "training/trainer.h"
#include "training/weights_file.h"

namespace limulus::tools {
namespace {

enum class Kept {
  run,      // part of the run: the checkpoint has it, and --resume takes it from there
  place,    // the checkpoint has it, but a run may go on elsewhere
  sitting,  // of one sitting: the checkpoint does not have it, and it is given each time
};

struct Setting {
  const char* option;
  Kept kept;
  void (*set)(TrainConfig& c, const TrainArguments& a);  // for what the checkpoint has
};

// Crops are enlarged from zoom_min to zoom_max; 1 alone is no zoom at all.
void set_zoom(TrainConfig& c, const TrainArguments& a) {
  c.augment.zoom_max = a.zoom;
  c.augment.zoom_min = a.zoom == 1 ? 1 : std::min(c.augment.zoom_min, a.zoom);
}

// Of a --plugin the first device is taken where none is named: neither by --device, nor by a
// checkpoint whose run computed on one of the plugin's.
void set_plugin(TrainConfig& c, const TrainArguments& a) {
  const std::vector<std::string> added = added_devices();
  const std::string first = c.device.substr(0, c.device.find(','));
  if (std::find(added.begin(), added.end(), first) == added.end()) c.device = a.device;
}

constexpr Setting settings[] = {
    {"--model", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) {
       if (a.resume) set_model(c, a.model);  // a new run's default_config() did
     }},
    {"--recipe", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.recipe = a.recipe; }},
    {"--epochs", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.epochs = a.epochs; }},
    {"--batch", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.batch = a.batch; }},
    {"--seed", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.seed = a.seed; }},
    {"--lr", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.sgd.lr = a.lr; }},
    {"--momentum", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.sgd.momentum = a.momentum; }},
    {"--weight-decay", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.sgd.weight_decay = a.weight_decay; }},
    {"--dropout", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) {
       c.dropout = a.dropout;
       if (!c.network.empty()) c.network = with_dropout(c.network, a.dropout);
     }},
    {"--schedule", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.schedule.kind = parse_schedule(a.schedule); }},
    {"--rule", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) {
       c.sgd.rule = a.rule == "paper" ? SgdRule::paper : SgdRule::pytorch;
     }},
    {"--zoom", Kept::run, set_zoom},
    {"--colour-noise", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.augment.colour_sigma = a.colour_noise; }},
    {"--vertical-flip", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.augment.vertical_flip = a.vertical_flip; }},
    {"--batch-norm", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.batch_norm = a.batch_norm; }},
    {"--strict", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.strict = a.strict; }},
    {"--layout", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.layout = *a.layout; }},
    {"--test-folder", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.test_folder = *a.test_folder; }},
    {"--shuffle-buffer", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.shuffle_buffer = a.shuffle_buffer; }},
    {"--freeze", Kept::run, [](TrainConfig& c, const TrainArguments& a) { c.freeze = a.freeze; }},
    {"--micro-batches", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.micro_batches = a.micro_batches; }},
    {"--exchange", Kept::run,
     [](TrainConfig& c, const TrainArguments& a) { c.exchange = parse_exchange(a.exchange); }},
    {"--data", Kept::place, [](TrainConfig& c, const TrainArguments& a) { c.data = a.data; }},
    {"--plugin", Kept::place, set_plugin},
    {"--device", Kept::place, [](TrainConfig& c, const TrainArguments& a) { c.device = a.device; }},
    {"--out", Kept::sitting, nullptr},
    {"--log", Kept::sitting, nullptr},
    {"--flush-denormals", Kept::sitting, nullptr},
    {"--resume", Kept::sitting, nullptr},
    {"--init", Kept::sitting, nullptr},
    {"--threads", Kept::sitting, nullptr},
    {"--workers", Kept::sitting, nullptr},
    {"--cache", Kept::sitting, nullptr},
    {"--checkpoint-minutes", Kept::sitting, nullptr},
    {"--find-rate", Kept::sitting, nullptr},
    {"--snapshots", Kept::sitting, nullptr},
    {"--live", Kept::sitting, nullptr},
    {"--tensorboard", Kept::sitting, nullptr},
};

bool given(const CLI::App& command, const char* option) { return command.count(option) > 0; }

bool has_dropout(const TrainConfig& c) {
  const UnfilledParameters only_its_layers;
  bool found = false;
  TrainConfig on_host = c;
  on_host.device = "reference";
  on_host.dropout = 0.5;  // whatever was asked for, which may be no probability
  if (!c.network.empty()) on_host.network = with_dropout(c.network, 0.5);
  const auto model = build_model(on_host, c.network.empty() ? 2 : 0, device("reference"));
  model->visit([&](const std::string&, const Module& m) {
    found = found || std::string(m.kind()).find("Dropout") != std::string::npos;
  });
  return found;
}

// What is told of the network before the pictures are read: which layers --freeze means, in one
// form, and whether the file of --init can be read.
void check_network(TrainConfig& c, const std::string& init) {
  if (c.freeze.empty() && init.empty()) return;
  const UnfilledParameters only_its_layers;
  TrainConfig sizes = c;
  sizes.device = "reference";
  const auto model = build_model(sizes, 2, device("reference"));
  if (!c.freeze.empty()) c.freeze = frozen_text(frozen_layers(*model, c.freeze));
  if (!init.empty()) open_weights(init, c.model, *model);
}

// The checkpoint's device, when no other was asked for.
void check_device(const TrainConfig& c, const std::filesystem::path& checkpoint) {
  try {
    devices(c.device);
  } catch (const DeviceError& error) {
    throw DeviceError(
        fmt::format("{}: this run computed on {}, which is not available here: {}. --device cpu "
                    "continues it on the processor (limulus devices lists others); its result is "
                    "then no longer bit for bit that of one long run",
                    checkpoint.string(), c.device, error.what()));
  }
}

}  // namespace

std::filesystem::path checkpoint_in(const std::string& out) {
  return std::filesystem::path(out) / "checkpoint.safetensors";
}

std::string initial_file(const TrainArguments& a) {
  return a.resume ? "" : a.init.empty() && is_model_file(a.model) ? a.model : a.init;
}

std::string default_out(const std::string& model) {
  return "runs/" + (is_model_file(model) ? std::filesystem::path(model).stem().string() : model);
}

TrainConfig chosen_config(const CLI::App& command, const TrainArguments& a, Communicator* ranks) {
  const auto file = checkpoint_in(a.out);
  const bool leads = ranks == nullptr || ranks->rank() == 0;
  std::error_code unknown;
  if (a.resume && leads && !std::filesystem::exists(file, unknown))
    throw FileError(fmt::format(
        "{}: there is no checkpoint to resume; without --resume a new run begins", file.string()));
  TrainConfig c = !a.resume ? default_config(a.model, a.recipe)
                  : leads   ? load_config(file)
                            : TrainConfig();
  if (a.resume && ranks != nullptr)
    c = TrainConfig::from_json(broadcast_text(*ranks, leads ? c.to_json() : ""));
  for (const Setting& s : settings)
    if (s.kept != Kept::sitting && given(command, s.option)) s.set(c, a);
  if (a.resume && !given(command, "--freeze"))
    reading(file, [&] { check_network(c, ""); });  // what the checkpoint freezes
  else
    check_network(c, a.init);  // default_config() has read a network that is a file
  if (a.resume) {
    if (leads) check_same_run(file, c);  // before a network of other settings is made
    if (!given(command, "--device")) check_device(c, file);
    return c;
  }
  if (c.batch_norm && c.model != "alexnet-keras")
    throw usage_error(command, fmt::format("{} has no batch normalization: --batch-norm is for "
                                           "alexnet-keras",
                                           c.model));
  if (c.recipe == "filters" && is_model_file(a.model))
    throw usage_error(command,
                      fmt::format("--recipe filters draws the first weights, and {} has its own: "
                                  "it would be ignored",
                                  c.model));
  if (given(command, "--dropout") && !has_dropout(c))
    throw usage_error(command,
                      fmt::format("{} has no dropout: --dropout would be ignored", c.model));
  if (c.data.empty())
    throw ValueError(
        "train: which pictures? --data DIR takes a folder of class folders, of shards, "
        "Flowers-17, MNIST or CIFAR-10; the repository has data/flowers5");
  return c;
}

void add_train_options(CLI::App& c, TrainArguments& a) {
  // ./run alexnet names these two first; what the user adds counts.
  c.add_option("--model", a.model,
               "Network (limulus explain --list), or an .onnx file with one and its weights")
      ->take_last()
      ->capture_default_str();
  c.add_option("--data", a.data,
               "Class folders, shards (limulus pack), Flowers-17, MNIST/Fashion-MNIST or CIFAR-10")
      ->take_last();
  add_layout_options(c, a.layout, a.test_folder);
  c.add_option("--recipe", a.recipe,
               "default, paper (as in 2012), or filters (conv1 shows what it learned)")
      ->capture_default_str();
  c.add_option("--out", a.out, "Folder of checkpoint and report (default: runs/MODEL)");
  CLI::Option* resume = c.add_flag("--resume", a.resume, "Go on with the checkpoint in --out");
  c.add_option("--init", a.init,
               "Begin with the weights in this file, a checkpoint, safetensors or ONNX; a layer "
               "of another size starts anew")
      ->excludes(resume);
  c.add_option("--freeze", a.freeze,
               "Layers that keep their weights: conv1-conv5, or names with commas");
  c.add_option("--epochs", a.epochs,
               "Passes over the training images; with --resume, more than before train on");
  c.add_option("--batch", a.batch, "Images per step");
  c.add_option("--micro-batches", a.micro_batches,
               "Cut each batch into so many, which ranks share (mpirun -n 4 limulus train ...)")
      ->check(CLI::Range(1, 1'000'000));
  c.add_option("--exchange", a.exchange,
               "How ranks tell each other gradients of fully connected layers: as gradients, or as "
               "the factors that they are products of")
      ->check(one_of({"gradients", "factors"}));
  c.add_option("--lr", a.lr, "Learning rate");
  c.add_option("--momentum", a.momentum, "Momentum");
  c.add_option("--weight-decay", a.weight_decay, "Weight decay");
  c.add_option("--dropout", a.dropout, "Probability of dropping a unit");
  c.add_option("--schedule", a.schedule, "constant, step, cosine or plateau");
  c.add_option("--rule", a.rule, "Update rule")->check(one_of({"paper", "pytorch"}));
  c.add_option("--zoom", a.zoom, "Crops are enlarged by up to this factor; 1: no zoom");
  c.add_option("--colour-noise", a.colour_noise,
               "Standard deviation of the colour noise; the paper's: 0.1")
      ->check(between(0.0, 1e3));
  c.add_flag("--vertical-flip", a.vertical_flip, "Exchange top and bottom of half of the images");
  c.add_flag("--batch-norm", a.batch_norm, "alexnet-keras: with batch normalization");
  c.add_option("--seed", a.seed, "Decides weights, order, crops and dropout")
      ->check(CLI::Range(std::uint64_t{0}, UINT64_MAX >> 1));
  c.add_option(
       "--device", a.device,
       "limulus devices lists them; of alexnet-towers two: cpu:0/2,cpu:1/2. With --resume: the "
       "checkpoint's")
      ->capture_default_str();
  add_plugin_option(c, a.device);
  c.add_option("--threads", a.threads,
               "Threads of the cpu device (default: as many as the process may use)")
      ->check(CLI::Range(1, 1024));
  c.add_option("--workers", a.workers, "Threads that decode and augment")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  add_cache_option(c, a.cache);
  c.add_option("--checkpoint-minutes", a.checkpoint_minutes, "Save at least this often")
      ->check(between(0.0001, 1e4))
      ->capture_default_str();
  c.add_option("--shuffle-buffer", a.shuffle_buffer,
               "Of shards: so many pictures wait, and each batch is drawn from them (10000)")
      ->check(CLI::Range(1, 1'000'000'000));
  c.add_flag("--strict", a.strict, "A picture that cannot be used is an error, not skipped");
  c.add_option(
      "--log", a.log,
      "Append to this file, one JSON object a line: the data, what is skipped, each epoch, "
      "the end");
  add_denormals_option(c, a.flush_denormals);
  c.add_option("--snapshots", a.snapshots,
               "Every so many epochs, keep the filters and a photograph's maps: a page with a "
               "slider shows them form")
      ->check(CLI::Range(1, 1'000'000));
  c.add_flag("--live", a.live,
             "A page that shows the run while it goes on: live.html in --out, to be opened in a "
             "browser");
  c.add_option("--tensorboard", a.tensorboard,
               "Add the run's curves to this folder of TensorBoard");
  CLI::Option* find = c.add_flag(
      "--find-rate", a.find_rate,
      "Train nothing: try rising learning rates, step by step, and suggest one (rates.html in "
      "--out)");
  // They would be ignored: the sweep has rates of its own, begins with the first weights, and saves
  // nothing.
  for (const char* of_a_run : {"--lr", "--schedule", "--epochs", "--resume", "--log", "--snapshots",
                               "--live", "--tensorboard", "--checkpoint-minutes", "--cache"})
    find->excludes(of_a_run);
}

}  // namespace limulus::tools
