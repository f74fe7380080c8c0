// TrainedModel.look(): what a network sees in a photograph (training/report/look.h).
#include "training/report/look.h"

#include <fmt/core.h>

#include <nanobind/stl/shared_ptr.h>

#include "core/error.h"
#include "core/names.h"
#include "python/trained.h"
#include "training/report/figures.h"
#include "training/report/look_page.h"

namespace limulus::python {
namespace {

// A look with what it was made from: the page shows both.
struct Looked {
  std::shared_ptr<TrainedModel> trained;
  Photograph photograph;
  Look look;
  bool explained = true;
};

std::shared_ptr<Looked> look_of(const std::shared_ptr<TrainedModel>& trained, nb::handle photograph,
                                const std::optional<std::string>& target, bool explain) {
  auto seen = std::make_shared<Looked>(
      Looked{trained, photograph_from(photograph), {}, explain && trained->drawn.empty()});
  LookOptions options;
  options.explain = seen->explained;
  if (target) {
    const std::vector<std::string>& names = trained->classes;
    const auto found = std::find(names.begin(), names.end(), *target);
    if (found == names.end())
      throw ValueError(fmt::format("look: the checkpoint has no class '{}'{}", *target,
                                   known_names(*target, names)));
    options.target = found - names.begin();
  }
  const Computing computing;
  seen->look = look_at(*trained, seen->photograph.image, options);
  return seen;
}

const SeenLayer& layer_of(const Looked& seen, const std::string& name) {
  std::vector<std::string> names;
  for (const SeenLayer& layer : seen.look.layers) {
    if (layer.name == name) return layer;
    names.push_back(layer.name);
  }
  throw ValueError(
      fmt::format("look: this network has no layer '{}'{}", name, known_names(name, names)));
}

std::string page_of(const Looked& seen) {
  if (!seen.explained)
    throw ValueError(
        "look: there is no page of a network that was not explained, or whose last layers know "
        "nothing; sheet(layer) shows a layer's maps");
  const Computing computing;
  return look_page(*seen.trained, seen.look, seen.photograph.image,
                   {seen.photograph.name, "a network in Python", "limulus.load(...).look(...)"});
}

Picture filters_of(const TrainedModel& trained) {
  const Computing computing;
  const html::Picture p = filters_picture(trained);
  Image image{p.width, p.height, {}};  // where there is nothing, white
  for (std::size_t i = 0; i < p.values.size(); i += static_cast<std::size_t>(p.channels))
    for (std::size_t c = 0; c < 3; ++c) {
      const std::uint8_t value = p.values[i + (p.channels < 3 ? 0 : c)];
      const int alpha = p.channels == 4 ? p.values[i + 3] : 255;
      image.rgb.push_back(static_cast<std::uint8_t>((value * alpha + 255 * (255 - alpha)) / 255));
    }
  return {std::move(image)};
}

}  // namespace

void bind_look(nb::module_& m) {
  nb::class_<Looked>(m, "Look",
                     "What a network sees in a photograph. A notebook shows the page of "
                     "limulus look.")
      .def_prop_ro(
          "picture", [](const Looked& l) { return Picture{l.look.picture}; },
          "The square that the network is shown.")
      .def_prop_ro(
          "probabilities", [](const Looked& l) { return l.look.probabilities; },
          "Of all classes, in their order.")
      .def_prop_ro(
          "target",
          [](const Looked& l) {
            return l.trained->classes[static_cast<std::size_t>(l.look.target)];
          },
          "The class that is explained.")
      .def_prop_ro(
          "input", [](const Looked& l) { return l.look.input; }, "[1, C, S, S].")
      .def_prop_ro(
          "layers",
          [](const Looked& l) {
            std::vector<std::string> names;
            for (const SeenLayer& layer : l.look.layers) names.push_back(layer.name);
            return names;
          },
          "The names of its layers, in the order in which they run.")
      .def(
          "output", [](const Looked& l, const std::string& name) { return layer_of(l, name).y; },
          "layer"_a, "What came out of a layer, [1, ...]. ValueError lists the layers.")
      .def(
          "gradient", [](const Looked& l, const std::string& name) { return layer_of(l, name).dy; },
          "layer"_a, "The gradient of -ln p(target) by a layer's output, [1, ...].")
      .def(
          "sheet",
          [](const Looked& l, const std::string& name, std::int64_t most) {
            const Computing computing;
            return Picture{map_sheet(layer_of(l, name), most)};
          },
          "layer"_a, "most"_a = 0, "A layer's maps as one picture, the strongest first.")
      .def("html", &page_of, "The page of limulus look: one file that needs no server.")
      .def("_repr_html_", [](const Looked& l) -> std::optional<std::string> {
        if (!l.explained) return std::nullopt;
        return frame(page_of(l), 720);
      });
  auto trained = nb::borrow<nb::class_<TrainedModel>>(m.attr("TrainedModel"));
  trained.def(
      "look", &look_of, "photograph"_a, "target"_a = nb::none(), "explain"_a = true,
      "What the network sees in a photograph: a path, or an array as for predict(). target is "
      "the class that is asked about, or else the likeliest. Its parameters stop requiring "
      "gradients. ShapeError, ValueError.");
  trained.def("filters", &filters_of, "The first convolution's filters as a picture.");
}

}  // namespace limulus::python
