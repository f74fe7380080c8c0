// Which settings go with which network. `default` learns on small sets within minutes. `paper` is
// section 5 of Krizhevsky et al. 2012 to the letter, where the letter can be kept. `filters` is
// `default` with initial weights from which conv1's filters soon show what they learn
// (models/initialize.h).
#include "training/recipes.h"

#include <fmt/core.h>

#include <algorithm>

#include "backends/registry.h"
#include "core/error.h"
#include "core/names.h"
#include "models/description.h"
#include "models/models.h"
#include "models/onnx_classifier.h"
#include "training/config.h"

namespace limulus {
namespace {

// Small pictures (28 or 32 pixels) are used as they are.
void small_pictures(TrainConfig& c, int side) {
  const int channels = c.augment.channels;
  c.prepare = {.short_side = 0, .square = false, .pad = 0};
  c.augment.crop = side;
  c.augment.mirror = channels == 3;  // a mirrored digit is another digit, or none
  c.subtract_mean_image = false;
  c.batch = 64;
  c.sgd.lr = 0.01;
  c.schedule = {.kind = ScheduleKind::cosine, .warmup = 0.02};
  c.epochs = channels == 3 ? 20 : 6;
}

// Photographs: 256 x 256. The network sees a random square of them, 151 to 255 pixels a side,
// resized to its input, mirrored half of the time, with the paper's colour noise.
void photographs(TrainConfig& c, int crop) {
  c.prepare = {.short_side = 256, .square = true, .pad = 0};
  c.augment.crop = crop;
  c.augment.zoom_min = 0.89;
  c.augment.zoom_max = 1.5;
  c.augment.colour_sigma = 0.1;
  c.subtract_mean_image = false;  // a mean image cannot be zoomed with the crop
  c.batch = 16;
  c.sgd.lr = 0.003;
  c.schedule = {.kind = ScheduleKind::cosine, .warmup = 0.04};
  c.epochs = 28;
}

// The input of a network from a file is as large as its author liked: the picture is then reduced,
// or enlarged, in the same proportion as for AlexNet, 256 to 227. A small input gets the whole
// picture, which leaves MNIST's and CIFAR-10's as they are.
void of_any_size(TrainConfig& c, int side) {
  c.prepare = {.short_side = side < 64 ? side : (side * 256 + 113) / 227, .square = true, .pad = 0};
  c.prepare.short_side = std::min(c.prepare.short_side, 4096);
}

// Section 5: rate 0.01, divided by 10 when the validation error stops improving; the weights come
// from N(0, 0.01) (models/initialize.h). Section 4.1: crops, mirroring, colour noise. Pixels stay
// in 0 .. 255, minus the mean image. The paper's batch of 128 would make 6 steps of an epoch
// here: 32.
void as_in_2012(TrainConfig& c) {
  c.augment.zoom_min = c.augment.zoom_max = 1;
  c.subtract_mean_image = true;
  c.batch = 32;
  c.sgd.lr = 0.01;
  c.schedule = {.kind = ScheduleKind::plateau, .patience = 5};
  c.pixel_scale = 1;
  c.epochs = 90;
}

}  // namespace

ModelSpec set_model(TrainConfig& c, const std::string& model) {
  c.model = name_of_model(model);
  c.network = "";
  if (!is_model_file(model)) return model_spec(model);
  const OnnxClassifier file = read_onnx_classifier(model, device("reference"));
  c.network = describe(*file.network, file.input);
  return {.name = c.model, .input = file.input};
}

TrainConfig default_config(const std::string& model, const std::string& recipe) {
  TrainConfig described;
  const ModelSpec network = set_model(described, model);
  TrainConfig c = default_config(network, recipe);
  c.network = described.network;
  return c;
}

TrainConfig default_config(const ModelSpec& network, const std::string& recipe) {
  const bool paper = recipe == "paper";
  if (!paper && recipe != "default" && recipe != "filters")
    throw ValueError(fmt::format("recipe: there is no '{}'{}", recipe,
                                 known_names(recipe, {"default", "filters", "paper"})));

  TrainConfig c;
  c.model = network.name;
  c.recipe = recipe;
  c.pixel_scale = 1.0F / 58;  // the deviation of photographs' pixels: inputs of about unit size
  const auto side = static_cast<int>(network.input[-1]);
  c.augment.channels = static_cast<int>(network.input[0]);
  if (side < 64)
    small_pictures(c, side);
  else
    photographs(c, side);
  if (is_model_file(network.name)) of_any_size(c, side);
  if (!paper) return c;
  if (c.augment.channels != 3)
    throw ValueError(
        fmt::format("recipe: 'paper' subtracts a mean image in red, green and blue, and {} sees {} "
                    "channel{}; choose 'default', which subtracts one mean",
                    c.model, c.augment.channels, c.augment.channels == 1 ? "" : "s"));
  as_in_2012(c);
  return c;
}

}  // namespace limulus
