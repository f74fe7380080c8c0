// Weights from elsewhere: loads a safetensors file into a network, runs it on an input, and writes
// what comes out.
//
//     load_and_run alexnet-torchvision weights.safetensors input.npy logits.npy
//
// versus/torchvision_alexnet.py makes such files with PyTorch and compares.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "layers/linear.h"
#include "models/models.h"
#include "training/checkpoint.h"

using namespace limulus;

int main(int argc, char** argv) {
  CLI::App app("Run a network with weights from a safetensors file");
  std::string model, weights, input, output, on = "cpu";
  std::int64_t classes = 0;
  bool small = false;
  app.add_option("model", model, "Network: alexnet-torchvision ...")->required();
  app.add_option("weights", weights, "safetensors file, with the network's names")->required();
  app.add_option("input", input, ".npy, f32 [N, C, H, W]")->required();
  app.add_option("output", output, ".npy to write, f32 [N, classes]")->required();
  app.add_option("--classes", classes, "Default: the network's");
  app.add_flag("--bf16", small, "Store fully connected layers' weights as bf16");
  app.add_option("--device", on, "limulus devices lists them")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    Backend& backend = device(on);
    const auto net = make_model(model, classes, backend);
    load_weights(SafetensorsFile(weights), *net);
    store_linear_weights(*net, small ? DType::bf16 : DType::f32);
    net->eval();
    const NpyArray image = read_npy(input);
    if (image.dtype != DType::f32)
      throw DTypeError(fmt::format("{}: the input is {}, but networks here take f32", input,
                                   name_of(image.dtype)));
    const NoGrad not_learning;
    const Tensor x = Tensor::from_host(image.data.data(), image.numel(), image.dtype,
                                       Shape(image.shape), backend);
    const Tensor y = net->forward(x);
    std::vector<std::int64_t> shape;
    for (int i = 0; i < y.shape().rank(); ++i) shape.push_back(y.shape()[i]);
    write_npy(output, DType::f32, shape, y.to_vector<float>().data());
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
