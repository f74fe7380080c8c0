// Labelled pictures as tensors, for training loops in Python (training/data/dataset.h).
#include "training/data/dataset.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/tuple.h>

#include <fmt/core.h>

#include "backends/registry.h"
#include "core/error.h"
#include "python/bindings.h"
#include "training/data/image_cache.h"
#include "training/data/resize.h"

namespace limulus::python {
namespace {

// The pictures of a part of a set, each the middle square with that side, in 0 ... 1.
std::tuple<Tensor, Tensor> tensors_of(const ImageSet& set, int side, int channels,
                                      const std::string& on) {
  if (side < 1 || side > 4096)
    throw ValueError(fmt::format("Images: a side of {} pixels; give 1 to 4096", side));
  if (channels != 1 && channels != 3)
    throw ValueError(fmt::format("Images: {} channels; pictures have 1 or 3", channels));
  const std::int64_t n = set.size(), plane = std::int64_t{side} * side;
  Shape({n, channels, side, side}).numel();  // ShapeError before anything is decoded
  std::vector<float> values(static_cast<std::size_t>(n * channels * plane));
  std::vector<std::int64_t> labels;
  const Prepare options = {.short_side = side};
  for (std::int64_t i = 0; i < n; ++i) {
    labels.push_back(set.label(i));
    const Image image = prepare(set.load(i, side), options);
    float* to = values.data() + i * channels * plane;
    for (std::int64_t at = 0; at < plane; ++at) {
      const std::uint8_t* rgb = image.rgb.data() + 3 * at;
      if (channels == 3)
        for (int c = 0; c < 3; ++c) to[c * plane + at] = static_cast<float>(rgb[c]) / 255;
      else
        to[at] = static_cast<float>(rgb[0] + rgb[1] + rgb[2]) / (3 * 255);
    }
  }
  Backend& backend = device(on);
  return {Tensor::from(values, {n, channels, side, side}, backend),
          Tensor::from(labels, {n}, backend)};
}

}  // namespace

void bind_data(nb::module_& m) {
  nb::class_<ImageSet>(m, "ImageSet", "Pictures with labels.")
      .def("__len__", [](const ImageSet& s) { return s.size(); })
      .def(
          "subset",
          [](const ImageSet& s, const std::vector<std::int64_t>& indices) {
            for (const std::int64_t i : indices)
              if (i < 0 || i >= s.size())
                throw ValueError(fmt::format("subset: there is no picture {} of {}", i, s.size()));
            return s.subset(indices);
          },
          "indices"_a, "Some of the pictures.")
      .def(
          "name",
          [](const ImageSet& s, std::int64_t i) {
            if (i < 0 || i >= s.size()) throw nb::index_error("there is no such picture");
            return s.name(i);
          },
          "index"_a, "The file of a picture.")
      .def("tensors", &tensors_of, "side"_a, "channels"_a = 3, "device"_a = "cpu",
           nb::call_guard<Computing>(),
           "(images, labels): the middle squares, [N, channels, side, side] of f32 in 0 ... 1, and "
           "[N] of i64. FileError names a picture that cannot be decoded.");
  nb::class_<Dataset>(m, "Dataset", "A labelled set, in two parts.")
      .def_ro("classes", &Dataset::classes, "The names of the classes; a label is an index.")
      .def_ro("train", &Dataset::train, "The pictures to learn from.")
      .def_ro("test", &Dataset::test, "The pictures that are held out.")
      .def("__repr__", [](const Dataset& d) { return d.how_read(); });
  m.def(
      "open_dataset", [](const std::filesystem::path& folder) { return open_dataset(folder); },
      "folder"_a, nb::call_guard<Computing>(),
      "Reads a folder of pictures by class, MNIST or CIFAR-10. FileError for one that fits no "
      "layout.");
}

}  // namespace limulus::python
