// limulus.Module and the layers (layers/*.h). A layer that is made here lives in C++, as a network
// keeps it.
#include <nanobind/stl/shared_ptr.h>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"
#include "layers/walk.h"
#include "models/initialize.h"
#include "python/layer_options.h"
#include "python/walk.h"

namespace limulus::python {
namespace {

nb::dict dict_of(const std::vector<NamedTensor>& tensors) {
  nb::dict all;
  for (const auto& [name, t] : tensors) all[name.c_str()] = t;
  return all;
}

Walk summary_of(nb::handle self, nb::handle input) {
  const auto& module = nb::cast<const Module&>(self);
  if (Sizes sizes; !input.is_none()) {
    if (!nb::try_cast(input, sizes))
      throw nb::type_error("summary: the shape of an input is whole numbers");
    return walk_of(module, sizes);
  }
  if (!nb::hasattr(self, "input_shape"))
    throw ValueError("summary: give it the shape of an input, [N, C, H, W]");
  std::vector<std::int64_t> shape;
  if (!nb::try_cast(self.attr("input_shape"), shape))
    throw nb::type_error("summary: input_shape is the shape of one image, whole numbers");
  shape.insert(shape.begin(), 1);
  return walk_of(module, shape);
}

void bind_module(nb::module_& m) {
  nb::class_<Module>(m, "Module", nb::dynamic_attr(), "A layer, or a network made of layers.")
      .def(
          "__call__", [](Module& f, const Tensor& x) { return f.forward(x); }, "x"_a,
          nb::call_guard<Computing>(), "The layer's result. ShapeError begins with its name.")
      .def("forward", &Module::forward, "x"_a, nb::call_guard<Computing>(), "As calling it.")
      .def_prop_ro("kind", &Module::kind, "The name of its class: \"Conv2d\".")
      .def(
          "parameters", [](const Module& f) { return dict_of(f.parameters()); },
          nb::sig("def parameters(self) -> dict[str, Tensor]"),
          "What is learned, by dotted name: \"conv1.weight\". They share values with the layers.")
      .def(
          "buffers", [](const Module& f) { return dict_of(f.buffers()); },
          nb::sig("def buffers(self) -> dict[str, Tensor]"),
          "What is kept and not learned, as running means, by dotted name.")
      .def(
          "layers",
          [](const std::shared_ptr<Module>& f) {
            nb::dict all;  // a layer keeps the network that it belongs to
            f->visit([&](const std::string& name, Module& each) {
              if (!name.empty()) all[name.c_str()] = std::shared_ptr<Module>(f, &each);
            });
            return all;
          },
          nb::sig("def layers(self) -> dict[str, Module]"), "All modules in it, by dotted name.")
      .def(
          "zero_grad",
          [](const Module& f) {
            for (auto& [name, t] : f.parameters()) t.zero_grad();
          },
          nb::call_guard<Computing>(), "Forgets the gradients of all parameters.")
      .def("train", &Module::train, "on"_a = true, nb::call_guard<Computing>(),
           "Training mode: dropout drops, batch normalization uses the batch's own statistics.")
      .def("eval", &Module::eval, nb::call_guard<Computing>(), "Ends training mode.")
      .def_prop_ro("training", &Module::training, "Whether it is in training mode.")
      .def("set_random", &Module::set_random, "seed"_a, "step"_a, nb::call_guard<Computing>(),
           "Names the random numbers of the next pass: the same two give the same dropout.")
      .def(
          "initialize",
          [](Module& f, const std::string& recipe, std::uint64_t seed) {
            initialize(f, recipe_from(recipe), seed);
          },
          "recipe"_a = "he", "seed"_a = 0, nb::call_guard<Computing>(),
          "First values for all weights: \"paper\", \"he\", \"filters\" or \"pytorch\". Before "
          "that "
          "they are 0. A parameter's numbers follow from the seed and its name alone.")
      .def("walk", &walk_of, "input"_a,
           "The arithmetic of its sizes for an input of this shape, [N, C, H, W]; nothing is "
           "computed. ShapeError, with the arithmetic, where it cannot be applied.")
      .def("summary", &summary_of, "input"_a = nb::none(),
           nb::sig("def summary(self, input: int | Sequence[int] | None = None) -> Walk"),
           "As walk(); a network of limulus.models knows the shape of its input.")
      .def("__repr__", [](const Module& f) { return std::string("limulus.") + f.kind(); });
  nb::class_<Sequential, Module>(m, "Sequential", "Layers one after the other, each with a name.")
      .def(nb::new_([](const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& layers) {
             auto net = std::make_shared<Sequential>();
             for (const auto& [name, layer] : layers) net->add(name, layer);
             return net;
           }),
           "layers"_a = nb::list(), "From pairs: [(\"conv1\", Conv2d(...)), (\"relu1\", ReLU())].")
      .def(
          "add",
          [](Sequential& net, const std::string& name,
             const std::shared_ptr<Module>& layer) -> Sequential& { return net.add(name, layer); },
          "name"_a, "layer"_a, nb::rv_policy::reference,
          "Appends a layer, and returns the network. ValueError for a name that is taken.");
}

void bind_learned(nb::module_& m) {
  nb::class_<Conv2d, Module>(m, "Conv2d",
                             "A convolution that owns its weight [out, in/groups, FH, FW] and bias "
                             "[out]. They are 0 until initialize() or load_weights().")
      .def(nb::new_([](std::int64_t in, std::int64_t out, const Pair& kernel, const Pair& stride,
                       const Pair& padding, const Pair& dilation, std::int64_t groups, bool bias,
                       nb::handle dtype, const std::string& on) {
             const DType type = dtype_from(dtype);
             const Conv2dOptions o = {size_from(kernel),
                                      size_from(stride),
                                      size_from(padding),
                                      size_from(dilation),
                                      groups,
                                      bias};
             const Computing computing;
             return std::make_shared<Conv2d>(in, out, o, device(on), type);
           }),
           "in_channels"_a, "out_channels"_a, "kernel_size"_a, "stride"_a = 1, "padding"_a = 0,
           "dilation"_a = 1, "groups"_a = 1, "bias"_a = true, "dtype"_a = "f32", "device"_a = "cpu")
      .def_prop_ro(
          "weight", [](const Conv2d& f) { return f.weight; }, "[out, in/groups, FH, FW].")
      .def_prop_ro(
          "bias", [](const Conv2d& f) { return or_none(f.bias); }, "[out], or None.");
  nb::class_<Linear, Module>(
      m, "Linear",
      "y = x w^T + b with its own weight [out, in] and bias [out]. They are 0 "
      "until initialize() or load_weights().")
      .def(nb::new_([](std::int64_t in, std::int64_t out, bool bias, nb::handle dtype,
                       const std::string& on) {
             const DType type = dtype_from(dtype);
             const Computing computing;
             return std::make_shared<Linear>(in, out, device(on), type, bias);
           }),
           "in_features"_a, "out_features"_a, "bias"_a = true, "dtype"_a = "f32",
           "device"_a = "cpu")
      .def_prop_ro(
          "weight", [](const Linear& f) { return f.weight; }, "[out, in].")
      .def_prop_ro(
          "bias", [](const Linear& f) { return or_none(f.bias); }, "[out], or None.");
  nb::class_<BatchNorm2d, Module>(m, "BatchNorm2d",
                                  "Channels brought to mean 0 and variance 1, scaled and shifted.")
      .def(nb::new_([](std::int64_t channels, double eps, double momentum, nb::handle dtype,
                       const std::string& on) {
             const DType type = dtype_from(dtype);
             const Computing computing;
             return std::make_shared<BatchNorm2d>(channels, device(on), type,
                                                  BatchNormOptions{momentum, eps});
           }),
           "num_features"_a, "eps"_a = 1e-5, "momentum"_a = 0.1, "dtype"_a = "f32",
           "device"_a = "cpu")
      .def_prop_ro(
          "weight", [](const BatchNorm2d& f) { return f.weight; }, "[C], 1 at first.")
      .def_prop_ro(
          "bias", [](const BatchNorm2d& f) { return f.bias; }, "[C], 0 at first.")
      .def_prop_ro(
          "running_mean", [](const BatchNorm2d& f) { return f.running_mean; }, "[C].")
      .def_prop_ro(
          "running_var", [](const BatchNorm2d& f) { return f.running_var; }, "[C].");
}

template <class Layer>
void bind_plain(nb::module_& m, const char* name, const char* doc) {
  nb::class_<Layer, Module>(m, name, doc).def(nb::new_([] { return std::make_shared<Layer>(); }));
}

void bind_fixed(nb::module_& m) {
  bind_plain<ReLU>(m, "ReLU", "max(0, x).");
  bind_plain<Sigmoid>(m, "Sigmoid", "1 / (1 + exp(-x)).");
  bind_plain<Tanh>(m, "Tanh", "The hyperbolic tangent.");
  bind_plain<Softmax>(m, "Softmax", "Probabilities over the last axis.");
  bind_plain<Flatten>(m, "Flatten", "[N, C, H, W] -> [N, C*H*W].");
  nb::class_<Dropout, Module>(m, "Dropout", "In training, each value is 0 with probability p.")
      .def(nb::new_([](double p) { return std::make_shared<Dropout>(p); }), "p"_a = 0.5);
  nb::class_<MaxPool2d, Module>(m, "MaxPool2d", "The largest value of each window.")
      .def(nb::new_([](const Pair& kernel, const std::optional<Pair>& stride, const Pair& padding,
                       bool ceil) {
             return std::make_shared<MaxPool2d>(pool_options(kernel, stride, padding, ceil, true));
           }),
           "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false);
  nb::class_<AvgPool2d, Module>(m, "AvgPool2d", "The mean of each window.")
      .def(nb::new_([](const Pair& kernel, const std::optional<Pair>& stride, const Pair& padding,
                       bool ceil, bool count_include_pad) {
             return std::make_shared<AvgPool2d>(
                 pool_options(kernel, stride, padding, ceil, count_include_pad));
           }),
           "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false,
           "count_include_pad"_a = true);
  nb::class_<LocalResponseNorm, Module>(m, "LocalResponseNorm",
                                        "Each value divided by a measure of its neighbours.")
      .def(nb::new_([](std::int64_t size, double alpha, double beta, double k,
                       const std::string& convention, const std::string& region) {
             return std::make_shared<LocalResponseNorm>(LrnOptions{
                 size, alpha, beta, k, convention_from(convention), region_from(region)});
           }),
           "size"_a = 5, "alpha"_a = 1e-4, "beta"_a = 0.75, "k"_a = 2.0, "convention"_a = "paper",
           "region"_a = "across_channels");
}

}  // namespace

void bind_layers(nb::module_& m) {
  bind_module(m);
  bind_learned(m);
  bind_fixed(m);
}

}  // namespace limulus::python
