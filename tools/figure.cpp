// limulus figure 1|2|3|4: the paper's figures, of a network of one's own. Each figure is a command
// with options of its own.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "models/models.h"
#include "pages/image_encode.h"
#include "tools/commands.h"
#include "tools/picture.h"
#include "tools/plugin.h"
#include "tools/run_pictures.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "tools/writable.h"
#include "training/data/resize.h"
#include "training/evaluate.h"
#include "training/report/figures.h"
#include "training/trainer.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDrawingToo = "The page; a name that ends in .svg gets the drawing alone";
constexpr std::int64_t kPhotographs = 8;  // as in the paper

struct FigureArguments {
  std::string out, model = "alexnet", checkpoint, device = "cpu";
  std::vector<std::string> photographs;
  NeighbourOptions neighbours;
  std::string data;
  PictureChoice reading;
  RaceOptions race;
  int threads = 0;
};

void write_figure(const std::string& path, const std::string& text) {
  fmt::print("{}\n", written(path, text));
}

bool is_drawing(const std::string& path) { return ending_of(path) == ".svg"; }

CLI::App* add_one(CLI::App& figure, FigureArguments& a, const char* number, const char* what,
                  const char* example) {
  CLI::App* c = figure.add_subcommand(number, what);
  c->footer(std::string("Example: limulus figure ") + number + example);
  a.out = fmt::format("figure{}.html", number);
  c->add_option("--out", a.out, "The page")->capture_default_str();
  return c;
}

void add_checkpoint(CLI::App& c, FigureArguments& a) {
  c.add_option("checkpoint", a.checkpoint, "A checkpoint of limulus train")->required();
  c.add_option("--device", a.device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(c, a.device);
  c.add_option("--threads", a.threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
}

// ---- 1: ReLU and tanh ---------------------------------------------------------------------------

void race(const FigureArguments& a) {
  check_page(a.out, ".svg");
  DatasetOptions reading;
  reading.layout = parse_layout(a.reading.layout.value_or("auto"));
  reading.test_folder = a.reading.test_folder.value_or("");
  const Dataset data = open_dataset(a.data, reading);
  StatusLine line;
  RaceOptions options = a.race;
  options.on_progress = [&](const std::string& text) { line.draw(text); };
  const Race race = run_race(data.train, static_cast<std::int64_t>(data.classes.size()), options);
  line.clear();
  for (const RaceRun& run : race.runs)
    fmt::print("{}: rate {:g}, {:.1f} % training error after {} epochs\n",
               name_of(run.nonlinearity), run.rate, 100 * run.errors.back(), run.errors.size());
  write_figure(a.out, is_drawing(a.out) ? plot_file(race_plot(race))
                                        : figure_race(race, a.data, "limulus figure 1 " + a.data));
}

// ---- 2: the architecture ------------------------------------------------------------------------

void architecture(const FigureArguments& a) {
  check_page(a.out, ".svg");
  const UnfilledParameters only_its_sizes;
  const auto [spec, model, notes] = open_model(a.model, 0, device("reference"));
  const std::vector<WalkStep> walk = model->walk({1, spec.input[0], spec.input[1], spec.input[2]});
  write_figure(a.out, is_drawing(a.out) ? architecture_file(walk)
                                        : figure_architecture(name_of_model(a.model), walk,
                                                              "limulus figure 2 " + a.model));
}

// ---- 3: the filters -----------------------------------------------------------------------------

void filters(const CLI::App& command, const FigureArguments& a) {
  use_threads(command, a.threads, a.device);
  check_page(a.out, ".png");
  const TrainedModel trained = load_trained(a.checkpoint, a.device, Needs::convolutions);
  if (ending_of(a.out) == ".png") {
    const html::Picture p = filters_picture(trained);
    const std::vector<std::uint8_t> png = encode_png(p.values, p.width, p.height, p.channels);
    write_figure(a.out, {png.begin(), png.end()});
    return;
  }
  TrainConfig config = load_config(a.checkpoint);
  if (!config.network.empty())
    throw ValueError(fmt::format(
        "figure 3: it shows what training added to the weights that a run began with, and those of "
        "{} came from that file, which the checkpoint does not have; --out filters.png draws the "
        "filters alone",
        printable(config.model)));
  config.device = "reference";  // the start depends on no device
  std::shared_ptr<Module> start;
  if (config.init.empty())
    start = initial_model(config, static_cast<std::int64_t>(trained.classes.size()),
                          device("reference"));
  write_figure(a.out, figure_filters(trained, start.get(), "limulus figure 3 " + a.checkpoint));
}

// ---- 4: answers and neighbours ------------------------------------------------------------------

FigurePhotograph answered(const TrainedModel& trained, const TrainingPhotographs& training,
                          const std::string& name, const Image& photograph) {
  FigurePhotograph p;
  p.name = name;
  p.probabilities = classify(trained, photograph, false);
  const Image prepared = prepare(photograph, trained.config.prepare);
  const int side = trained.config.augment.crop;
  p.picture = crop_middle(prepared, side, side);
  p.neighbours = training.nearest_to(trained, photograph);
  return p;
}

// Evenly spaced ones of the held-out photographs, which are sorted by class; one that cannot be
// used makes place for the next.
std::vector<FigurePhotograph> held_out(const FigureArguments& a, const TrainedModel& trained,
                                       const TrainingPhotographs& training) {
  if (!training.data() || training.data()->test.size() == 0)
    throw FileError(fmt::format(
        "figure 4: {}; name photographs: limulus figure 4 {} PHOTO...",
        training.data() ? "the set has no held-out photographs"
                        : "the run's photographs are not there (" + training.missing() + ")",
        a.checkpoint));
  const ImageSet& set = training.data()->test;
  const std::int64_t count = std::min(kPhotographs, set.size());
  std::vector<FigurePhotograph> photographs;
  std::string first_error;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t at = evenly_spaced(i, count, set.size());
         at < evenly_spaced(i + 1, count, set.size()); ++at) {
      try {
        photographs.push_back(answered(trained, training, set.name(at), set.load(at)));
        photographs.back().truth = set.label(at);
        break;
      } catch (const FileError& error) {
        if (first_error.empty()) first_error = error.what();
      } catch (const ShapeError& error) {
        if (first_error.empty()) first_error = set.name(at) + ": " + error.what();
      }
    }
  if (photographs.empty())
    throw FileError("figure 4: none of the held-out photographs can be used; the first is " +
                    first_error);
  return photographs;
}

void answers(const CLI::App& command, const FigureArguments& a) {
  use_threads(command, a.threads, a.device);
  check_page(a.out);
  const TrainedModel trained = load_trained(a.checkpoint, a.device);
  const TrainingPhotographs training(a.checkpoint, trained, a.neighbours);
  std::vector<FigurePhotograph> photographs;
  std::string text = "limulus figure 4 " + a.checkpoint;
  for (const std::string& path : a.photographs) {
    text += " " + path;
    try_picture(path, [&] {
      photographs.push_back(answered(trained, training, path, decode_image(read_file(path), path)));
    });
  }
  if (a.photographs.empty()) photographs = held_out(a, trained, training);
  if (photographs.empty()) throw FileError("figure 4: none of the photographs can be used");
  write_figure(a.out, figure_answers(trained, photographs, text));
}

}  // namespace

void add_figure(CLI::App& app) {
  CLI::App* figure =
      app.add_subcommand("figure", "Draw a figure of the paper, for a network of your own");
  figure->require_subcommand(1);
  figure->footer(
      "Krizhevsky, Sutskever and Hinton 2012. Each figure is one page that needs no server and no "
      "network.\n\n"
      "Example: limulus figure 3 runs/alexnet/checkpoint.safetensors --out figure3.html");
  {
    auto a = std::make_shared<FigureArguments>();
    CLI::App* c =
        add_one(*figure, *a, "1",
                "Training error of a network of four layers with ReLU and with tanh: trains both",
                " data/flowers5 --epochs 100");
    c->get_option("--out")->description(kDrawingToo);
    c->add_option("data", a->data, "Pictures, as limulus train takes them (the paper's: CIFAR-10)")
        ->required();
    add_layout_options(*c, a->reading.layout, a->reading.test_folder);
    c->add_option("--epochs", a->race.epochs, "At most so many")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    c->add_option("--images", a->race.images, "Of a larger set so many")
        ->check(CLI::Range(1, 1'000'000'000))
        ->capture_default_str();
    c->add_option("--seed", a->race.seed, "Weights and order follow from it")
        ->check(CLI::Range(std::uint64_t{0}, UINT64_MAX >> 1))
        ->capture_default_str();
    c->callback([a] { race(*a); });
  }
  {
    auto a = std::make_shared<FigureArguments>();
    CLI::App* c = add_one(*figure, *a, "2", "The layers of a network, to scale",
                          " alexnet --out figure2.svg");
    c->add_option("model,--model", a->model, "Network (limulus explain --list), or an .onnx file")
        ->capture_default_str();
    c->get_option("--out")->description(kDrawingToo);
    c->callback([a] { architecture(*a); });
  }
  {
    auto a = std::make_shared<FigureArguments>();
    CLI::App* c =
        add_one(*figure, *a, "3",
                "The first convolution's filters by tower, what differs between towers, and "
                "what training added to the start",
                " runs/alexnet/checkpoint.safetensors");
    c->get_option("--out")->description(
        "The page; a name that ends in .png gets the filters alone");
    add_checkpoint(*c, *a);
    c->callback([a, c] { filters(*c, *a); });
  }
  {
    auto a = std::make_shared<FigureArguments>();
    CLI::App* c =
        add_one(*figure, *a, "4",
                "Photographs with their five likeliest classes, and the training photographs "
                "nearest to each",
                " runs/alexnet/checkpoint.safetensors");
    add_checkpoint(*c, *a);
    c->add_option("photographs", a->photographs,
                  "JPEGs or PNGs (default: eight held-out ones of the run)");
    add_neighbour_options(*c, a->neighbours);
    c->callback([a, c] { answers(*c, *a); });
  }
}

}  // namespace limulus::tools
