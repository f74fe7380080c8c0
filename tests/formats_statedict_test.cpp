// Weights that PyTorch saved: a state dict in safetensors is loaded by name into a network built
// here, and gives the logits that PyTorch computed (golden/make_statedict.py).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "backends/registry.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "training/checkpoint.h"

using namespace limulus;

namespace {

const std::filesystem::path folder = LIMULUS_SOURCE_DIR "/tests/golden/statedict";

// The layers and names of torchvision's AlexNet, with few channels.
std::shared_ptr<Sequential> small_alexnet(Backend& b) {
  const Pool2dOptions pool = {.kernel = 3, .stride = 2};
  const Conv2dOptions three = {.kernel = 3, .pad = 1};
  auto features = std::make_shared<Sequential>();
  features->add<Conv2d>("0", 3, 6, Conv2dOptions{.kernel = 5, .stride = 2, .pad = 2}, b)
      .add<ReLU>("1")
      .add<MaxPool2d>("2", pool)
      .add<Conv2d>("3", 6, 8, Conv2dOptions{.kernel = 5, .pad = 2}, b)
      .add<ReLU>("4")
      .add<MaxPool2d>("5", pool)
      .add<Conv2d>("6", 8, 10, three, b)
      .add<ReLU>("7")
      .add<Conv2d>("8", 10, 8, three, b)
      .add<ReLU>("9")
      .add<Conv2d>("10", 8, 8, three, b)
      .add<ReLU>("11")
      .add<MaxPool2d>("12", pool);
  auto classifier = std::make_shared<Sequential>();
  classifier->add<Dropout>("0", 0.5)
      .add<Linear>("1", 8 * 2 * 2, 24, b)
      .add<ReLU>("2")
      .add<Dropout>("3", 0.5)
      .add<Linear>("4", 24, 24, b)
      .add<ReLU>("5")
      .add<Linear>("6", 24, 5, b);
  auto net = std::make_shared<Sequential>();
  net->add("features", features).add<Flatten>("flatten").add("classifier", classifier);
  return net;
}

}  // namespace

TEST_CASE("a state dict from PyTorch gives PyTorch's logits") {
  const NpyArray image = read_npy(folder / "input.npy"), logits = read_npy(folder / "logits.npy");
  REQUIRE(image.dtype == DType::f32);
  REQUIRE(logits.dtype == DType::f64);
  std::vector<double> wanted(static_cast<std::size_t>(logits.numel()));
  std::memcpy(wanted.data(), logits.data.data(), logits.data.size());

  for (const std::string name : {"cpu", "reference"}) {
    CAPTURE(name);
    Backend& backend = device(name);
    const auto net = small_alexnet(backend);
    load_weights(SafetensorsFile(folder / "weights.safetensors"), *net);
    net->eval();  // the dropout layers pass everything on
    const NoGrad not_learning;
    const Tensor y = net->forward(Tensor::from_host(image.data.data(), image.numel(), DType::f32,
                                                    Shape(image.shape), backend));
    REQUIRE(y.shape() == Shape(logits.shape));
    const auto got = y.to_vector<float>();
    double worst = 0, spread = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(got[i]) - wanted[i]));
      spread = std::max(spread, std::abs(wanted[i] - wanted[(i + 5) % wanted.size()]));
    }
    CHECK(worst < 1e-5);
    CHECK(spread > 0.1);  // the two images differ: the logits are no mere biases
  }
}
