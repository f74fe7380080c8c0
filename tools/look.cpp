// limulus look: a page that shows what a trained network sees in a photograph.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "backends/registry.h"
#include "core/error.h"
#include "core/names.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "pages/image_encode.h"
#include "tools/commands.h"
#include "tools/picture.h"
#include "tools/plugin.h"
#include "tools/run_pictures.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "tools/writable.h"
#include "training/report/look_compare.h"
#include "training/report/look_page.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct LookArguments {
  std::string checkpoint, out, device = "cpu", target, layer, png, other;
  std::vector<std::string> photographs;
  std::int64_t window = 0, stride = 0, maps = 0;
  int threads = 0;
  bool json = false;
  NeighbourOptions neighbours;
};

std::optional<std::int64_t> target_of(const LookArguments& a, const TrainedModel& trained) {
  if (a.target.empty()) return std::nullopt;
  const auto found = std::find(trained.classes.begin(), trained.classes.end(), a.target);
  if (found == trained.classes.end())
    throw ValueError(fmt::format("look: the checkpoint has no class '{}'{}", a.target,
                                 known_names(a.target, trained.classes)));
  return found - trained.classes.begin();
}

// Where the page of this photograph goes: --out, a file for one photograph or a folder for several.
fs::path page_path(const LookArguments& a, const std::string& photograph) {
  fs::path name = fs::path(photograph).stem().string() + ".look.html";
  if (a.out.empty()) return name;
  std::error_code unknown;  // writing it says what is wrong
  if (a.photographs.size() == 1 && !fs::is_directory(a.out, unknown)) return a.out;
  make_folders(a.out);
  return fs::path(a.out) / name;
}

void write_maps(const LookArguments& a, const Look& look, const std::string& photograph) {
  for (const SeenLayer& layer : look.layers) {
    if (!a.layer.empty() ? layer.name != a.layer : layer.y.shape().rank() != 4) continue;
    make_folders(a.png);
    const fs::path path =
        fs::path(a.png) /
        fmt::format("{}.{}.png", fs::path(photograph).stem().string(), layer.name);
    const std::vector<std::uint8_t> bytes = encode_png(map_sheet(layer, a.maps));
    write_file_atomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const std::int64_t all = layer.y.size(1), shown = a.maps > 0 ? std::min(a.maps, all) : all;
    fmt::print("{}: {} maps of {} x {}, the strongest first", printable(path.string()),
               shown < all ? fmt::format("{} of {}", shown, all) : fmt::to_string(all),
               layer.y.size(2), layer.y.size(3));
    const std::vector<MapSummary> order = strongest_maps(layer);
    for (std::int64_t i = 0; a.maps > 0 && i < shown; ++i)
      fmt::print("{} {}", i == 0 ? ":" : ",", order[static_cast<std::size_t>(i)].channel);
    fmt::print("\n");
  }
}

// Files are named after the photographs: two of one name would be one file.
void check_names(const std::vector<std::string>& photographs) {
  std::set<std::string> stems;
  for (const std::string& path : photographs) {
    const std::string stem = fs::path(path).stem().string();
    if (!stems.insert(stem).second)
      throw ValueError(fmt::format(
          "look: two photographs are named {}, and their pages would be one file; look at them one "
          "by one, with --out",
          printable(stem)));
  }
}

void check_layer(const LookArguments& a, const Look& look) {
  if (a.layer.empty()) return;
  std::vector<std::string> names;
  for (const SeenLayer& layer : look.layers) {
    if (layer.name == a.layer) return;
    names.push_back(layer.name);
  }
  throw ValueError(
      fmt::format("look: this network has no layer '{}'{}", a.layer, known_names(a.layer, names)));
}

// Whether the file begins as a JPEG or PNG does: what --compare names is a photograph, or a
// checkpoint.
bool is_picture(const std::string& path) {
  const MappedFile file(path);  // a checkpoint of AlexNet has 488 MB
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()),
                               file.bytes().size());
  return bytes.starts_with("\xFF\xD8") || bytes.starts_with("\x89PNG");
}

void compare(const LookArguments& a, const TrainedModel& trained, const std::string& command) {
  if (a.photographs.size() != 1)
    throw ValueError(fmt::format("look --compare: it compares one photograph, but {} are named",
                                 a.photographs.size()));
  const std::string& path = a.photographs[0];
  const fs::path page = page_path(a, path);
  check_page(page);
  const bool photographs = is_picture(a.other);
  std::optional<TrainedModel> second;
  if (!photographs) second = load_trained(a.other, a.device);
  const TrainedModel& right = second ? *second : trained;
  const auto seen_in = [&](const TrainedModel& t, const std::string& photograph) {
    return look_at(t, decode_image(read_file(photograph), photograph),
                   {.target = {}, .explain = false});
  };
  const Look a_look = seen_in(trained, path);
  const Look b_look = seen_in(right, photographs ? a.other : path);
  const auto file = [](const std::string& name) { return fs::path(name).filename().string(); };
  std::string left_name = file(photographs ? path : a.checkpoint), right_name = file(a.other);
  if (left_name == right_name) {  // checkpoint.safetensors of two runs
    left_name = photographs ? path : a.checkpoint;
    right_name = a.other;
  }
  const std::string html = compare_page({trained, a_look, left_name}, {right, b_look, right_name},
                                        command + " --compare " + a.other);
  fmt::print("{}\n", written(page, html));
}

void look(const CLI::App& app, const LookArguments& a, const std::string& command) {
  if (!a.layer.empty() && a.png.empty())
    throw ValueError("look: --layer chooses what --png writes; give --png DIR, too");
  if (!a.json) check_names(a.photographs);
  use_threads(app, a.threads, a.device);
  const Needs needs = a.png.empty() ? Needs::all_layers : Needs::convolutions;
  const TrainedModel trained = load_trained(a.checkpoint, a.device, needs);
  if (!a.other.empty()) return compare(a, trained, command);
  const LookOptions options = {target_of(a, trained), a.window, a.stride, a.png.empty()};
  if (!a.json && a.png.empty())  // what cannot be written is told before the work
    for (const std::string& path : a.photographs) check_page(page_path(a, path));
  std::optional<TrainingPhotographs> training;
  std::vector<std::string> pages;
  for (const std::string& path : a.photographs) {
    const LookTitle title = {fs::path(path).filename().string(),
                             fs::path(a.checkpoint).filename().string(), command};
    Image photograph;
    Look seen;
    const std::string error = try_picture(path, [&] {
      photograph = decode_image(read_file(path), path);
      seen = look_at(trained, photograph, options);
    });
    if (!error.empty()) {
      const nlohmann::ordered_json json = {{"photograph", title.photograph}, {"error", error}};
      pages.push_back(json_text(json));
      continue;
    }
    check_layer(a, seen);
    if (a.png.empty()) {
      if (!training) training.emplace(a.checkpoint, trained, a.neighbours);  // once for all
      seen.neighbours = training->nearest_to(trained, photograph);
    }
    if (a.json) {
      pages.push_back(look_json(trained, seen, title));
      continue;
    }
    if (!a.png.empty()) {
      write_maps(a, seen, path);
      continue;
    }
    const fs::path page = page_path(a, path);
    const std::string html = look_page(trained, seen, photograph, title);
    const std::string done = written(page, html);
    const auto best = static_cast<std::size_t>(seen.target);
    fmt::print("{}: {} {:.1f} %, {}\n", printable(path), printable(trained.classes[best]),
               100 * seen.probabilities[best], done);
  }
  if (a.json) fmt::print("[{}]\n", printable_json(fmt::format("{}", fmt::join(pages, ",\n"))));
}

}  // namespace

void add_look(CLI::App& app) {
  auto a = std::make_shared<LookArguments>();
  CLI::App* c = app.add_subcommand("look", "See what a trained network sees in a photograph");
  c->footer(
      "One page for each photograph, which needs no server and no network: the likeliest classes, "
      "every layer's maps,\nthe arithmetic of any number that is pointed at, five pictures of "
      "where the answer comes from,\nand the six training photographs that the network finds most "
      "like it.\n\n"
      "Example: limulus look runs/alexnet/checkpoint.safetensors photo.jpg --out look.html");
  c->add_option("checkpoint", a->checkpoint, "A checkpoint of limulus train")->required();
  c->add_option("photographs", a->photographs, "JPEGs or PNGs")->required();
  c->add_option("--out", a->out,
                "The page; of several photographs, the folder for PHOTO.look.html (default: here)");
  c->add_option("--class", a->target, "The class to explain (default: the likeliest)");
  c->add_option("--occlusion-window", a->window,
                "Side of the covered square, in pixels of the crop")
      ->check(CLI::Range(1, 65535));
  c->add_option("--occlusion-stride", a->stride, "How far it moves in one step")
      ->check(CLI::Range(1, 65535));
  CLI::Option* png =
      c->add_option("--png", a->png, "Write layers' maps as pictures into this folder instead");
  c->add_option("--layer", a->layer, "With --png: this layer alone")->needs(png);
  c->add_option("--maps", a->maps, "With --png: only so many of a layer's maps, and say which")
      ->needs(png)
      ->check(CLI::Range(1, 1'000'000));
  add_neighbour_options(*c, a->neighbours);
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  c->add_flag("--json", a->json, "Print classes, layers and places as JSON instead")->excludes(png);
  for (const char* of_a_page : {"--out", "--class", "--occlusion-window", "--occlusion-stride",
                                "--neighbours", "--no-neighbours", "--layout", "--test-folder"})
    c->get_option(of_a_page)->excludes(png);  // it would be ignored
  c->get_option("--out")->excludes("--json");
  CLI::Option* compared = c->add_option(
      "--compare", a->other,
      "A second photograph, or a second checkpoint of the same network: one page with "
      "the maps of both beside each other");
  for (const char* of_one :
       {"--json", "--png", "--class", "--occlusion-window", "--occlusion-stride", "--neighbours",
        "--no-neighbours", "--layout", "--test-folder"})
    compared->excludes(of_one);
  c->callback([a, c] {
    std::string command = "limulus look " + a->checkpoint;
    for (const std::string& path : a->photographs) command += " " + path;
    look(*c, *a, command);
  });
}

}  // namespace limulus::tools
