// Five answers to "where in the picture does this class come from?", from the quickest to the one
// that asks the network itself. S is the logit of the class, x the picture.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/softmax.h"
#include "training/report/look.h"

namespace limulus {
namespace {

PlaceMap map_of(const Tensor& t /* [1, C, H, W] */) {
  return {t.size(2), t.size(3), t.size(1), floats_of(t)};
}

Tensor one_hot(const Tensor& like, std::int64_t at, float value) {
  std::vector<double> values(static_cast<std::size_t>(like.numel()), 0.0);
  values[static_cast<std::size_t>(at)] = value;
  return Tensor::from(values, like.shape(), like.backend()).to_dtype(like.dtype());
}

// Simonyan, Vedaldi and Zisserman 2013, section 3: max over channels of |dS/dx|.
PlaceMap saliency_of(const Tensor& gradient) {
  const PlaceMap all = map_of(gradient);
  PlaceMap largest = {all.height, all.width, 1, {}};
  const auto plane = static_cast<std::size_t>(all.height * all.width);
  largest.values.assign(plane, 0.0F);
  for (std::size_t i = 0; i < all.values.size(); ++i)
    largest.values[i % plane] = std::max(largest.values[i % plane], std::abs(all.values[i]));
  return largest;
}

// Grad-CAM, Selvaraju et al. 2017, equations 1 and 2, of the maps A_k of one layer:
//   alpha_k = mean over places of dS/dA_k,    map = max(0, sum over k of alpha_k A_k)
PlaceMap grad_cam(const Tensor& maps, const Tensor& gradient) {
  const PlaceMap a = map_of(maps), g = map_of(gradient);
  const auto plane = static_cast<std::size_t>(a.height * a.width);
  PlaceMap cam = {a.height, a.width, 1, std::vector<float>(plane, 0.0F)};
  for (std::size_t k = 0; k < static_cast<std::size_t>(a.channels); ++k) {
    double alpha = 0;
    for (std::size_t i = 0; i < plane; ++i) alpha += g.values[k * plane + i];
    alpha /= static_cast<double>(plane);
    for (std::size_t i = 0; i < plane; ++i)
      cam.values[i] += static_cast<float>(alpha * a.values[k * plane + i]);
  }
  for (float& value : cam.values) value = std::max(value, 0.0F);
  return cam;
}

// Zeiler and Fergus 2014, section 4.2: cover a window with the mean colour, which is 0 after the
// mean is subtracted, ask the network again, and note by how much p(target) falls.
Occlusion occlude(const TrainedModel& trained, const Look& look, const LookOptions& options) {
  const NoGrad only_looking;
  const std::int64_t side = look.input.size(3), channels = look.input.size(1);
  Occlusion o;
  o.window =
      options.occlusion_window > 0 ? options.occlusion_window : std::max<std::int64_t>(1, side / 4);
  o.stride = options.occlusion_stride > 0 ? options.occlusion_stride
                                          : std::max<std::int64_t>(1, side / 16);
  if (o.window > side)
    throw ValueError(fmt::format(
        "look: an occlusion window of {} is larger than the picture of {} x {} that the network "
        "sees; give --occlusion-window 1 ... {}",
        o.window, side, side, side));
  const std::int64_t steps = (side - o.window) / o.stride + 1;
  o.drop = {steps, steps, 1, {}};
  const std::vector<float> picture = floats_of(look.input);
  const auto target = static_cast<std::size_t>(look.target);
  const std::size_t classes = look.probabilities.size();
  constexpr std::int64_t most = 32;  // pictures at a time
  for (std::int64_t first = 0; first < steps * steps; first += most) {
    const std::int64_t n = std::min(most, steps * steps - first);
    std::vector<float> covered;
    for (std::int64_t i = first; i < first + n; ++i) {
      const std::size_t begin = covered.size();
      covered.insert(covered.end(), picture.begin(), picture.end());
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t row = 0; row < o.window; ++row) {
          const std::int64_t top = i / steps * o.stride + row, left = i % steps * o.stride;
          float* from = covered.data() + begin + (c * side + top) * side + left;
          std::fill(from, from + o.window, 0.0F);
        }
    }
    const Tensor x = Tensor::from(covered, {n, channels, side, side}, look.input.backend())
                         .to_dtype(look.input.dtype());
    const std::vector<float> p = floats_of(softmax(trained.model->forward(x)));
    for (std::int64_t i = 0; i < n; ++i)
      o.drop.values.push_back(look.probabilities[target] -
                              p[static_cast<std::size_t>(i) * classes + target]);
  }
  return o;
}

}  // namespace

std::size_t last_maps(const std::vector<SeenLayer>& layers) {
  std::size_t found = layers.size();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Shape shape = layers[i].y.shape();
    if (dynamic_cast<const Conv2d*>(layers[i].module) == nullptr || shape[2] * shape[3] == 1)
      continue;
    const bool nonlinear =
        i + 1 < layers.size() && dynamic_cast<const Activation*>(layers[i + 1].module) != nullptr;
    found = nonlinear ? i + 1 : i;
  }
  if (found == layers.size())
    throw ValueError("look: this network has no convolution, so there are no maps to look at");
  return found;
}

Why explain_why(const TrainedModel& trained, Look& look, const LookOptions& options) {
  std::vector<SeenLayer>& layers = look.layers;
  const std::size_t last = layers.size() - 1, maps = last_maps(layers);
  const Tensor logit = one_hot(layers[last].y, look.target, 1);  // dS/d(logits)
  Why why;
  why.saliency = saliency_of(carry_back(layers, last, logit, ReluRule::gradient));
  why.guided = map_of(carry_back(layers, last, logit, ReluRule::guided));

  // dS/dA: the gradient is stopped at the maps' layer, by carrying it through those behind alone.
  std::vector<SeenLayer> behind(layers.begin() + static_cast<std::ptrdiff_t>(maps) + 1,
                                layers.end());
  why.cam_of = layers[maps].name;
  why.cam =
      grad_cam(layers[maps].y, carry_back(behind, behind.size() - 1, logit, ReluRule::gradient));
  why.occlusion = occlude(trained, look, options);

  const std::vector<float> a = floats_of(layers[maps].y);
  const auto strongest = std::max_element(a.begin(), a.end()) - a.begin();
  const std::int64_t width = layers[maps].y.size(3), plane = layers[maps].y.size(2) * width;
  const float value = a[static_cast<std::size_t>(strongest)];
  why.projection = {layers[maps].name,
                    strongest / plane,
                    strongest % plane / width,
                    strongest % width,
                    value,
                    map_of(carry_back(layers, maps, one_hot(layers[maps].y, strongest, value),
                                      ReluRule::deconvolution))};
  return why;
}

}  // namespace limulus
