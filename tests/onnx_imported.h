#pragma once
// Networks from the graphs of onnx_graphs.h, and what tests ask of them.
#include <doctest/doctest.h>

#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/branches.h"
#include "models/onnx_import.h"
#include "onnx_graphs.h"
#include "temporary_folder.h"

namespace onnx_graphs {

using namespace limulus;

inline Backend& host() { return device("reference"); }

inline OnnxNetwork import(const Graph& g, OnnxOutput output = OnnxOutput::as_is) {
  OnnxNetwork net = network_from_onnx(g.model, "net.onnx", host(), DType::f64, output);
  net.network->eval();
  return net;
}

// "conv1:Conv2d relu1:ReLU", of all layers that compute.
inline std::string layers_of(Sequential& network) {
  std::string all;
  network.visit([&](const std::string& name, Module& m) {
    if (std::string(m.kind()) == "Sequential") return;
    const auto* branches = dynamic_cast<const Branches*>(&m);
    all += (all.empty() ? "" : " ") + (branches ? branches->name : name) + ":" + m.kind();
  });
  return all;
}

inline std::string error_of(const Graph& g) {
  return message_of<FileError>([&] { import(g); });
}

inline Tensor image(const Shape& shape) {
  Rng rng(3);
  Tensor x = Tensor::empty(shape, DType::f64, host());
  fill_normal(x, 0, 1, rng);
  return x;
}

// What the network that was imported makes of x, against `wanted`.
inline void check_values(Sequential& network, const Tensor& x, const Tensor& wanted) {
  const auto y = network(x).to_doubles(), w = wanted.to_doubles();
  REQUIRE(y.size() == w.size());
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(w[i]).epsilon(1e-9));
}

}  // namespace onnx_graphs
