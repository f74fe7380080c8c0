// onnx_models NAME FOLDER: a network by name, with weights drawn by a seed, as FOLDER/net.onnx, and
// beside it two pictures and their logits, input.npy and logits.npy. For onnx_runtime_test.py.
// Without a FOLDER: lists the names.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "backends/registry.h"
#include "core/rng.h"
#include "formats/npy.h"
#include "formats/onnx_file.h"
#include "models/models.h"
#include "models/onnx_export.h"

using namespace limulus;

namespace {

void put(const std::filesystem::path& path, const Tensor& t) {
  write_npy(path, t.dtype(), t.shape().sizes(), t.data());
}

void write(const std::string& name, const std::filesystem::path& folder) {
  ModelOptions options;
  std::string base = name;  // "lenet5+tanh", "alexnet-keras+norm"
  if (const auto plus = name.find('+'); plus != std::string::npos) {
    base = name.substr(0, plus);
    options.batch_norm = name.ends_with("+norm");
    if (name.ends_with("+tanh")) options.nonlinearity = Nonlinearity::tanh;
    if (name.ends_with("+sigmoid")) options.nonlinearity = Nonlinearity::sigmoid;
  }
  const ModelSpec& spec = model_spec(base);
  const auto net = make_model(base, 0, device("cpu"), DType::f32, options);
  initialize(*net, Recipe::he, 1);
  net->eval();
  Rng rng(3);
  Tensor x =
      Tensor::empty({2, spec.input[0], spec.input[1], spec.input[2]}, DType::f32, device("cpu"));
  fill_normal(x, 0, 1, rng);
  const NoGrad only_looking;
  write_onnx(folder / "net.onnx", to_onnx(*net, spec.input, {{"model", name}}));
  put(folder / "input.npy", x);
  put(folder / "logits.npy", (*net)(x));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3) {
      write(argv[1], argv[2]);
      return 0;
    }
    if (!has_onnx()) return 77;
    for (const ModelSpec& spec : list_models()) std::puts(spec.name.c_str());
    for (const char* other :
         {"lenet5+tanh", "lenet5+sigmoid", "cifar-convnet+tanh", "alexnet-keras+norm"})
      std::puts(other);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
