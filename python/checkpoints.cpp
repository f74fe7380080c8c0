// Weights and checkpoints (training/checkpoint.h, training/trained_model.h).
#include "training/checkpoint.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/shared_ptr.h>

#include "core/error.h"
#include "formats/safetensors.h"
#include "python/trained.h"
#include "training/evaluate.h"

namespace limulus::python {
namespace {

namespace fs = std::filesystem;

void save_weights(const fs::path& path, const Module& module) {
  std::vector<NamedTensor> all = module.parameters();
  for (NamedTensor& buffer : module.buffers()) all.push_back(std::move(buffer));
  std::vector<std::vector<std::byte>> host;  // of devices with memory of their own, too
  std::vector<SafetensorsItem> items;
  for (const auto& [name, t] : all) {
    std::vector<std::byte>& bytes = host.emplace_back(t.bytes());
    t.backend().download(bytes.data(), t.data(), bytes.size());
    items.push_back({name, t.dtype(), t.shape().sizes(), bytes.data()});
  }
  write_safetensors(path, std::move(items));
}

TrainedModel load(const fs::path& path, const std::string& device_name, const std::string& needs) {
  if (needs != "all_layers" && needs != "convolutions")
    throw ValueError("load: needs is \"all_layers\" or \"convolutions\", not \"" + needs + "\"");
  return load_trained(path, device_name,
                      needs == "convolutions" ? Needs::convolutions : Needs::all_layers);
}

nb::list predict(const TrainedModel& trained, nb::handle photograph, bool ten_crop) {
  const Photograph shown = photograph_from(photograph);
  std::vector<float> p;
  std::vector<std::int64_t> order;
  {
    const Computing computing;
    p = classify(trained, shown.image, ten_crop);
    const auto classes = static_cast<std::int64_t>(p.size());
    order = top_k(p.data(), classes, static_cast<int>(classes));
  }
  nb::list all;
  for (const std::int64_t c : order)
    all.append(nb::make_tuple(trained.classes[static_cast<std::size_t>(c)],
                              p[static_cast<std::size_t>(c)]));
  return all;
}

}  // namespace

void bind_checkpoints(nb::module_& m) {
  bind_picture(m);
  nb::class_<TrainedModel>(m, "TrainedModel", "A trained network, from a checkpoint.")
      .def_ro("model", &TrainedModel::model, "The network, in evaluation mode.")
      .def_ro("classes", &TrainedModel::classes, "The names of its classes, in order.")
      .def_ro("drawn", &TrainedModel::drawn, "Layers that the file has no weights of.")
      .def_prop_ro(
          "config",
          [](const TrainedModel& t) {
            return nb::module_::import_("json").attr("loads")(t.config.to_json());
          },
          nb::sig("def config(self) -> dict"), "The settings of its run.")
      .def(
          "predict", &predict, "photograph"_a, "ten_crop"_a = false,
          nb::sig("def predict(self, photograph: object, ten_crop: bool = False) -> "
                  "list[tuple[str, float]]"),
          "The classes with their probabilities, the likeliest first, of a photograph: a file's "
          "path, or an array [height, width, 3] of uint8. With ten_crop the mean over ten parts of "
          "it. FileError, ShapeError.")
      .def("__repr__", [](const TrainedModel& t) {
        return "limulus.TrainedModel: " + t.config.model + ", " + std::to_string(t.classes.size()) +
               " classes";
      });
  m.def(
      "load", &load, "path"_a, "device"_a = "cpu", "needs"_a = "all_layers",
      nb::call_guard<Computing>(),
      "The network, classes and normalization of a checkpoint. With needs=\"convolutions\" a file "
      "that has no others is enough. FileError says what is wrong with the file.");
  m.def("save_weights", &save_weights, "path"_a, "module"_a, nb::call_guard<Computing>(),
        "Writes parameters and buffers into a safetensors file, under their dotted names.");
  m.def(
      "load_weights",
      [](const fs::path& path, Module& module) { load_weights(SafetensorsFile(path), module); },
      "path"_a, "module"_a, nb::call_guard<Computing>(),
      "Reads parameters and buffers from a safetensors file or a checkpoint. FileError, and "
      "nothing "
      "is changed, where a name, a shape or a type differs, or a value is not finite.");
}

}  // namespace limulus::python
