#pragma once
// What a trained network sees in one photograph: every layer's output, the gradient that comes back
// through it, and five pictures of where in the photograph the answer comes from. look_page.h makes
// a page of it.
//
//   look.cpp       the photograph through the network, and the gradient back, layer by layer
//   look_why.cpp   saliency, guided backpropagation, Grad-CAM, occlusion, deconvolution
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layers/module.h"
#include "training/data/image.h"
#include "training/report/neighbours.h"
#include "training/trained_model.h"

namespace limulus {

// A layer with what went into it and what came out of it, both of one image: [1, ...].
struct SeenLayer {
  std::string name;  // "conv2"
  Module* module = nullptr;
  Tensor x, y;
  Tensor dy;  // the gradient of the loss -ln p(target) by y
};

// A number for each place of the picture, or of a coarser grid over it.
struct PlaceMap {
  std::int64_t height = 0, width = 0, channels = 1;
  std::vector<float> values;  // [channels, height, width]
};

struct Occlusion {
  std::int64_t window = 0, stride = 0;  // in pixels of the crop
  PlaceMap drop;  // p(target) of the picture less p(target) with a window of the mean colour here
};

// One unit of the last convolution, carried back to the pixels.
struct Projection {
  std::string layer;  // "relu5"
  std::int64_t channel = 0, row = 0, column = 0;
  double value = 0;
  PlaceMap pixels;  // [channels of the input, S, S]
};

struct Why {
  PlaceMap saliency;   // [1, S, S]
  PlaceMap guided;     // [channels, S, S]
  std::string cam_of;  // the layer whose maps are weighed: "relu5"
  PlaceMap cam;        // [1, H, W] of that layer
  Occlusion occlusion;
  Projection projection;
};

struct LookOptions {
  std::optional<std::int64_t> target;  // the class that is asked about; else the likeliest
  std::int64_t occlusion_window = 0, occlusion_stride = 0;  // 0: a quarter and a 16th of the side
  bool explain = true;  // false: without `why`, which costs most of the time
};

struct Look {
  Image picture;                     // the square that the network is shown, in pixels
  std::vector<float> probabilities;  // of all classes
  std::int64_t target = 0;
  Tensor input, dinput;           // [1, C, S, S] and the loss's gradient by it
  std::vector<SeenLayer> layers;  // in the order in which they run; the last gives the logits
  Why why;
  Neighbours neighbours;  // if the training photographs are searched, too (neighbours.h)
};

// Runs the network on the middle of the photograph, as evaluation does. The network's parameters
// stop requiring gradients. ShapeError where the photograph is smaller than the network's input;
// ValueError for a network whose layers do not follow one another (alexnet-towers), a target that
// is no class, or an occlusion window that does not fit.
Look look_at(const TrainedModel& trained, const Image& photograph, const LookOptions& options = {});

// A tensor's values, of any type, as floats on the host.
std::vector<float> floats_of(const Tensor& t);

// The network's layers in the order in which they run, each still without values. ValueError for
// alexnet-towers, whose layers do not follow one another.
std::vector<SeenLayer> layers_of(Module& model);

// ---- the parts, for tests and for programs of one's own -----------------------------------------

// What happens to dy at a ReLU on the way back; elsewhere all three are the gradient.
//   gradient       dy where y > 0                   backpropagation
//   deconvolution  dy where dy > 0                  Zeiler and Fergus 2014, section 2.1
//   guided         dy where y > 0 and dy > 0        Springenberg et al. 2015, figure 1
enum class ReluRule { gradient, deconvolution, guided };

// Carries dy, the gradient of the output of layers[last], back to the input of layers[0]. With
// `keep`, each layer's dy is stored in it on the way.
Tensor carry_back(std::vector<SeenLayer>& layers, std::size_t last, Tensor dy, ReluRule rule,
                  bool keep = false);

// The layer whose maps Grad-CAM weighs and whose strongest unit is projected: the last one with
// maps of more than one place that is a convolution, or the nonlinearity behind it.
std::size_t last_maps(const std::vector<SeenLayer>& layers);

Why explain_why(const TrainedModel& trained, Look& look, const LookOptions& options);

}  // namespace limulus
