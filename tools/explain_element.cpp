// limulus explain --element: runs a network on one image and tells how one of its numbers was made.
// Everything is in double, on the cpu device: what is added up here by textbook loops and what the
// kernels computed agree to about fifteen digits.
#include "tools/explain_element.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/rng.h"
#include "formats/read_file.h"
#include "models/models.h"
#include "training/recipes.h"
#include "training/trained_model.h"
#include "training/trainer.h"

namespace limulus::tools {

namespace {

Index index_from(const std::string& text) {
  Index index;
  const char *p = text.data(), *end = p + text.size();
  while (true) {
    std::int64_t value = 0;
    const auto [after, error] = std::from_chars(p, end, value);
    if (error != std::errc{} || (after != end && *after != ','))
      throw ValueError(
          fmt::format("explain: --element is '{}'; it takes numbers such as 5,10,10", text));
    index.push_back(value);
    if (after == end) return index;
    p = after + 1;
  }
}

// ---- the network and its image ----------------------------------------------------------------

struct Subject {
  std::string origin;  // "alexnet, weights drawn with seed 1, image daisy.jpg"
  std::shared_ptr<Module> model;
  Tensor image;  // [1, C, H, W]
};

void copy_in_double(std::vector<NamedTensor> from, std::vector<NamedTensor> to) {
  const NoGrad setting_values;
  for (std::size_t i = 0; i < from.size(); ++i)
    to[i].second.copy_(from[i].second.detach().to_dtype(DType::f64));
}

Tensor read_image(const std::string& path, const TrainConfig& config, const Normalization& n,
                  Backend& backend) {
  Augment options = config.augment;
  options.random = options.ten_crop = false;
  check(options, n);
  const std::int64_t side = options.crop;
  std::vector<float> pixels(static_cast<std::size_t>(options.channels * side * side));
  const Image image = decode_image(read_file(path), path, config.prepare.short_side);
  try {
    augment(prepare(image, config.prepare), {}, options, n, pixels.data());
  } catch (const ShapeError& e) {  // smaller than the network's input
    throw ShapeError(fmt::format("{}: {}", path, e.what()));
  }
  return Tensor::from(pixels, {1, options.channels, side, side}, backend).to_dtype(DType::f64);
}

Subject make_subject(const ElementArguments& a) {
  Backend& cpu = device("cpu");
  Subject s;
  TrainConfig config;
  Normalization normalization;
  std::string model = a.model;
  if (a.checkpoint.empty()) {
    const OpenedModel opened = open_model(model, a.classes, cpu, DType::f64);
    config = default_config(opened.spec, "default");
    config.augment.crop = static_cast<int>(a.size > 0 ? a.size : config.augment.crop);
    normalization.mean = {128, 128, 128};
    normalization.scale.fill(config.pixel_scale);
    s.model = opened.model;
    const bool from_file = is_model_file(model);
    if (!from_file) initialize(*s.model, Recipe::he, a.seed);
    s.origin = from_file ? fmt::format("{}, weights of the file", name_of_model(model))
                         : fmt::format("{}, weights drawn with seed {}", model, a.seed);
  } else {
    const TrainedModel trained = load_trained(a.checkpoint, "cpu", Needs::convolutions);
    config = trained.config;
    normalization = trained.normalization;
    model = config.model;
    s.model =
        build_model(config, static_cast<std::int64_t>(trained.classes.size()), cpu, DType::f64);
    copy_in_double(trained.model->parameters(), s.model->parameters());
    copy_in_double(trained.model->buffers(), s.model->buffers());
    s.origin = fmt::format("{}, weights of {}", model, a.checkpoint);
    if (!trained.drawn.empty())
      s.origin +=
          fmt::format(" ({} drawn with seed {})", fmt::join(trained.drawn, ", "), config.seed);
  }
  s.model->eval();
  if (!a.image.empty()) {
    s.image = read_image(a.image, config, normalization, cpu);
    s.origin += ", image " + a.image.substr(a.image.rfind('/') + 1);
  } else {
    const std::int64_t side = a.size > 0 ? a.size : config.augment.crop;
    s.image = Tensor::empty({1, config.augment.channels, side, side}, DType::f64, cpu);
    Rng rng(a.seed, stream_of("explain"));
    fill_normal(s.image, 0, 1, rng);
    s.origin += ", input drawn from N(0, 1)";
  }
  return s;
}

// ---- printing ---------------------------------------------------------------------------------

void print_json(const Explanation& e, const std::string& origin, const ElementArguments& a) {
  nlohmann::ordered_json terms = nlohmann::ordered_json::array();
  for (const Term& t : e.terms) terms.push_back({{"what", t.what}, {"value", t.value}});
  const nlohmann::ordered_json all = {
      {"layer", a.layer},     {"origin", origin},   {"element", e.element},
      {"formula", e.formula}, {"notes", e.notes},   {"then", e.then},
      {"value", e.value},     {"tensor", e.tensor}, {"terms", terms}};
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  fmt::print("{}\n", printable_json(all.dump(2, ' ', false, replace)));
}

}  // namespace

void explain_element(const ElementArguments& a) {
  const Index index = index_from(a.element);
  const Subject subject = make_subject(a);
  const Explanation e = explain_in_network(
      *subject.model, subject.image,
      {.layer = a.layer, .index = index, .backward = a.backward, .of = a.of, .label = a.label});
  if (a.json) return print_json(e, subject.origin, a);
  std::string title = fmt::format("{} of {}", a.layer, subject.origin);
  if (a.backward)
    title += fmt::format("\nthe loss is -log of the probability of class {}; no dropout", a.label);
  fmt::print("{}\n\n{}", printable_lines(title), text_of(e, a.terms));
}

}  // namespace limulus::tools
