// limulus predict: what a trained network sees in a picture.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/denormals.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "layers/linear.h"
#include "tools/commands.h"
#include "tools/interrupts.h"
#include "tools/picture.h"
#include "tools/plugin.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "training/evaluate.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

struct PredictArguments {
  std::string checkpoint, device = "cpu";
  DType weights = DType::f32;
  std::vector<std::string> images;
  int top = 5, threads = 0;
  bool ten_crop = false, json = false, flush_denormals = false;
};

void predict(const CLI::App& command, const PredictArguments& a) {
  use_threads(command, a.threads, a.device);
  const TrainedModel t = load_trained(a.checkpoint, a.device);
  store_linear_weights(*t.model, a.weights);
  std::size_t width = 0;
  for (const std::string& name : t.classes) width = std::max(width, printable(name).size());

  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  catch_interrupts();  // what has been answered until then is printed
  for (const std::string& path : a.images) {
    if (interrupted()) break;
    std::vector<float> p;
    const std::string error = try_picture(path, [&] {
      const Image image = decode_image(read_file(path), path, t.config.prepare.short_side);
      p = classify(t, image, a.ten_crop);
    });
    if (!error.empty()) {
      all.push_back({{"image", path}, {"error", error}});
      continue;
    }
    const auto best = top_k(p.data(), static_cast<std::int64_t>(p.size()), a.top);
    nlohmann::ordered_json guesses = nlohmann::ordered_json::array();
    if (!a.json) fmt::print("{}\n", printable(path));
    for (const std::int64_t c : best) {
      const auto at = static_cast<std::size_t>(c);
      guesses.push_back({{"class", t.classes[at]}, {"probability", p[at]}});
      if (!a.json)
        fmt::print("  {:<{}}  {:5.1f} %  {}\n", printable(t.classes[at]), width, 100 * p[at],
                   bar(p[at], 30));
    }
    all.push_back({{"image", path}, {"top", guesses}});
  }
  if (a.json) fmt::print("{}\n", json_text(all));
  end_if_interrupted();
}

}  // namespace

void add_predict(CLI::App& app) {
  auto a = std::make_shared<PredictArguments>();
  CLI::App* c = app.add_subcommand("predict", "Name what is in a JPEG or PNG");
  c->footer("Example: limulus predict runs/alexnet/checkpoint.safetensors photo.jpg");
  c->add_option("checkpoint", a->checkpoint, "A checkpoint of limulus train")->required();
  c->add_option("images", a->images, "Pictures")->required();
  c->add_option("--top", a->top, "How many guesses")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  c->add_flag("--ten-crop", a->ten_crop, "Average over ten crops, as in the paper");
  c->add_option("--device", a->device, "limulus devices lists them")->capture_default_str();
  add_plugin_option(*c, a->device);
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  add_weights_option(*c, a->weights);
  c->add_flag("--json", a->json, "As JSON");
  add_denormals_option(*c, a->flush_denormals);
  c->callback([a, c] {
    const FlushDenormals denormals(a->flush_denormals);
    predict(*c, *a);
  });
}

}  // namespace limulus::tools
