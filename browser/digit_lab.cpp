// "Draw a digit": a trained LeNet-5 looks at a drawing, and every layer's maps can be seen.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "backends/registry.h"
#include "browser/answer.h"
#include "browser/digits.h"
#include "browser/shelf.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "layers/softmax.h"
#include "models/lenet5.h"

namespace limulus::browser {
namespace {

struct Trained {
  std::shared_ptr<Sequential> network;
  double mean = 0, scale = 1;  // of a pixel: (pixel - mean) * scale
};

// Out of the file digits.safetensors, once.
const Trained& trained() {
  static std::optional<Trained> made;
  if (made) return *made;
  const SafetensorsFile file("digits.safetensors");
  const auto normalization = file.metadata().find("normalization");
  if (normalization == file.metadata().end())
    throw FileError("digits.safetensors: has no \"normalization\" in its metadata");
  const Json json = Json::parse(normalization->second);
  Trained t = {lenet5(10, device("reference")), json.at("mean").at(0).get<double>(),
               json.at("scale").at(0).get<double>()};
  const NoGrad setting_values;
  for (auto& [name, parameter] : t.network->parameters()) {
    const SafetensorsEntry& entry = file.at(name);
    if (Shape(entry.shape) != parameter.shape())
      throw FileError(fmt::format("digits.safetensors: {} is {}, not {}", name,
                                  Shape(entry.shape).str(), parameter.shape().str()));
    parameter.copy_(Tensor::from(file.to_floats(entry), parameter.shape(), device("reference")));
  }
  t.network->eval();
  made = t;
  return *made;
}

}  // namespace

// {"side": 280}: the bytes "drawing" are that many rows of that many; {"side": 28, "as_it_is": 1}:
// they are a digit as MNIST has it.
Json digit(const Json& request) {
  const Trained& lenet = trained();
  const std::int64_t side = whole(request, "side");
  const auto drawing = bytes_of("digit", "drawing");
  std::vector<double> image;
  if (whole(request, "as_it_is") == 0)
    image = centred(drawing, side);
  else if (side == digit_side && drawing.size() == digit_side * digit_side)
    image.assign(drawing.begin(), drawing.end());
  else
    throw ShapeError(
        fmt::format("digit: as it is, a digit has 28 x 28 pixels, not {}", drawing.size()));
  put_values("digit", image);

  std::vector<float> x;
  for (const double pixel : image)
    x.push_back(static_cast<float>((pixel - lenet.mean) * lenet.scale));
  const NoGrad only_looking;
  Json layers = Json::array();
  Tensor logits;
  {
    const LayerObserver observer([&](const std::string& name, const Tensor& y) {
      auto sizes = y.shape().sizes();
      sizes.erase(sizes.begin());
      layers.push_back({{"name", name}, {"shape", sizes}});
      put_values("digit/" + name, y.to_doubles());
    });
    logits = lenet.network->forward(
        Tensor::from(x, {1, 1, digit_side, digit_side}, device("reference")));
  }
  return {{"layers", layers}, {"probabilities", softmax(logits).to_doubles()}};
}

}  // namespace limulus::browser
