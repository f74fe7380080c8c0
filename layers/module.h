#pragma once
// Module: a layer, or a network made of layers. It owns parameters, runs forward, and can tell the
// arithmetic of its sizes (walk).
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace limulus {

using NamedTensor = std::pair<std::string, Tensor>;

// One layer's arithmetic, as data: text, Markdown and JSON are made from it (layers/walk.h).
struct WalkStep {
  std::string name;     // as in the network: "conv1"
  std::string kind;     // "Conv2d"
  std::string formula;  // output size with the numbers put in: "floor((227 - 11 + 2*0)/4) + 1 = 55"
  std::string detail;   // "96 filters of 3x11x11, stride 4"
  Shape in, out;        // with the batch size given
  std::optional<Window2d> window;  // of convolutions and pools
  std::int64_t groups = 1;         // of convolutions
  std::int64_t parameters = 0;     // learned numbers
  std::int64_t connections = 0;    // weights times the places where each is used, for one image
  std::int64_t multiply_adds = 0;  // for one image, forward
  std::int64_t memory = 0;         // bytes of the output, f32, for the whole batch
};

class Module {
 public:
  virtual ~Module() = default;
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual const char* kind() const = 0;  // "Conv2d"
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return forward(x); }

  // What next(this(x)) would be, up to rounding, in one pass over memory, where these two layers
  // have such a kernel (Conv2d or Linear with ReLU, LocalResponseNorm with MaxPool2d); else
  // undefined. Sequential asks it of neighbours.
  virtual Tensor forward_fused(const Tensor& /*x*/, const Module& /*next*/) { return {}; }

  // Whether it may stand in another module under the name "": its layers then have their own names
  // there. Of several such modules, too.
  virtual bool lends_names() const { return false; }

  // The sizes from this input on, step by step. ShapeError, with the arithmetic, where it cannot be
  // applied; nothing is computed. A layer returns one step named ""; Sequential prefixes names.
  virtual std::vector<WalkStep> walk(const Shape& in) const = 0;

  // All parameters (learned) or buffers (kept: running means), children's included, each once,
  // under its first dotted name: "features.0.weight". The handles share values with the module's.
  std::vector<NamedTensor> parameters() const;
  std::vector<NamedTensor> buffers() const;

  // Training mode: dropout drops, batch normalization uses the batch's statistics. Default: on.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  // Stops learning, for good: no parameter of this module or its children gets a gradient any more,
  // and all of them stay in evaluation mode, whatever train() says. So batch normalization uses its
  // running statistics as they are, and keeps them.
  void freeze();
  bool frozen() const { return frozen_; }

  // Names the random numbers of the next forward pass: dropout masks are a function of (seed, step,
  // the layer's name) alone. The trainer calls it before each step.
  void set_random(std::uint64_t seed, std::uint64_t step);

  // Calls f with every module in the tree, this one first, and its dotted name ("" for this one).
  void visit(const std::function<void(const std::string&, Module&)>& f);

 protected:
  // Register in the constructor, in the order in which PyTorch lists them. Returns the argument.
  Tensor add_parameter(std::string name, Tensor t);  // sets requires_grad
  Tensor add_buffer(std::string name, Tensor t);
  void add_child(std::string name, std::shared_ptr<Module> child);
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& children() const {
    return children_;
  }
  // Layers that draw random numbers take their stream here. `name` is the dotted name.
  virtual void on_random(std::uint64_t /*seed*/, std::uint64_t /*step*/,
                         const std::string& /*name*/) {}

 private:
  std::vector<NamedTensor> parameters_, buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true, frozen_ = false;
};

// The memory of a parameter: zeros, for initialize() or a checkpoint to replace ...
Tensor new_parameter(const Shape& shape, DType dtype, Backend& backend);

// ... or, while one of these lives, memory that nothing was written to: for a network whose weights
// are about to be loaded. Zeroing 244 MB first would be the slowest part of its start.
class UnfilledParameters : Scoped<bool> {
 public:
  UnfilledParameters();
};

// A step with its shapes and memory filled in, for a layer's walk().
WalkStep make_step(const Module& m, const Shape& in, const Shape& out);

// Whether Layer can be made from Args and put into a network; what it lacks is said in one line
// (layers/check_layer.h).
template <class Layer, class... Args>
constexpr bool check_layer();

// Layer::Options; if a layer has none, a type that nothing converts to.
struct NoOptions {
  NoOptions() = delete;
};
template <class Layer>
constexpr auto options_of() {
  if constexpr (requires { typename Layer::Options; })
    return std::type_identity<typename Layer::Options>();
  else
    return std::type_identity<NoOptions>();
}
template <class Layer>
using OptionsOf = typename decltype(options_of<Layer>())::type;

// Layers one after the other, each with a name.
class Sequential : public Module {
 public:
  Sequential() = default;
  const char* kind() const override { return "Sequential"; }

  // Appends a layer and returns the network, so that a network reads as a list. ValueError for a
  // name that is taken, a null pointer, and a layer that is or contains this network.
  Sequential& add(std::string name, std::shared_ptr<Module> layer);
  Sequential& add(std::string name, const Module& layer) = delete;  // write add<ReLU>("relu1")
  // The same, made in place from its constructor's arguments: net.add<ReLU>("relu1").
  template <class Layer, class... Args>
  Sequential& add(std::string name, Args&&... args) {  // {...} has no type: write MyOptions{...}
    return make<Layer>(std::move(name), std::forward<Args>(args)...);
  }
  // Braces are taken where a layer's Options stand (using Options = MyOptions, in the layer), after
  // up to three other arguments:
  // net.add<Conv2d>("conv1", 3, 96, {.kernel = 11, .stride = 4}, backend).
  template <class Layer, class... Rest>
  Sequential& add(std::string name, const OptionsOf<Layer>& o, Rest&&... rest) {
    return make<Layer>(std::move(name), o, std::forward<Rest>(rest)...);
  }
  template <class Layer, class A, class... Rest>
  Sequential& add(std::string name, A&& a, const OptionsOf<Layer>& o, Rest&&... rest) {
    return make<Layer>(std::move(name), std::forward<A>(a), o, std::forward<Rest>(rest)...);
  }
  template <class Layer, class A, class B, class... Rest>
  Sequential& add(std::string name, A&& a, B&& b, const OptionsOf<Layer>& o, Rest&&... rest) {
    return make<Layer>(std::move(name), std::forward<A>(a), std::forward<B>(b), o,
                       std::forward<Rest>(rest)...);
  }
  template <class Layer, class A, class B, class C, class... Rest>
  Sequential& add(std::string name, A&& a, B&& b, C&& c, const OptionsOf<Layer>& o,
                  Rest&&... rest) {
    return make<Layer>(std::move(name), std::forward<A>(a), std::forward<B>(b), std::forward<C>(c),
                       o, std::forward<Rest>(rest)...);
  }

  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;

  bool lends_names() const override { return true; }

  // Its layers, in the order in which they run.
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& layers() const {
    return children();
  }

 private:
  template <class Layer, class... Args>
  Sequential& make(std::string name, Args&&... args) {
    if constexpr (check_layer<Layer, Args...>())
      return add(std::move(name), std::make_shared<Layer>(std::forward<Args>(args)...));
    else
      return *this;
  }
};

// While one lives, Sequential runs each layer on its own, on this thread, as it does everywhere
// with LIMULUS_FUSE=0 in the environment: to compare, and to see every activation.
class NoFusion : Scoped<bool> {
 public:
  NoFusion();
};

// While one lives, f is called on this thread after each layer of a Sequential, with the layer's
// dotted name and its output: to look at activations, or to find where a NaN began. No layers are
// fused meanwhile.
class LayerObserver : Scoped<std::function<void(const std::string&, const Tensor&)>> {
 public:
  explicit LayerObserver(std::function<void(const std::string&, const Tensor&)> f);
};

// Calls the observer of this thread, if there is one: for modules that run layers by themselves.
void observe_layer(const std::string& name, const Tensor& y);

// "features.0" of "features" and "0"; where one of the two is "", the other.
std::string dotted_name(const std::string& prefix, const std::string& name);

}  // namespace limulus

#include "layers/check_layer.h"
