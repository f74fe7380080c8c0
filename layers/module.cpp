#include "layers/module.h"

#include <fmt/core.h>

#include <map>
#include <set>
#include <utility>

#include "core/checked.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/trace.h"

namespace limulus {
namespace {

thread_local std::function<void(const std::string&, const Tensor&)> layer_observer;

thread_local bool fusion_allowed = true;
thread_local bool filling = true;

// May neighbours run as one? An observer wants to see what every layer gives.
bool fusing() {
  static const bool in_environment = environment::is_on("LIMULUS_FUSE", true);
  return in_environment && fusion_allowed && !layer_observer;
}

// A layer may stand in several places: its tensors count once, under the first name. Listed twice,
// an optimizer would make two steps with them.
std::vector<NamedTensor> each_once(std::vector<NamedTensor> all) {
  std::set<const void*> seen;
  std::erase_if(all,
                [&](const NamedTensor& t) { return !seen.insert(t.second.impl().get()).second; });
  return all;
}

}  // namespace

std::string dotted_name(const std::string& prefix, const std::string& name) {
  if (prefix.empty()) return name;
  return name.empty() ? prefix : prefix + "." + name;
}

void observe_layer(const std::string& name, const Tensor& y) {
  if (layer_observer) layer_observer(name, y);
}

std::vector<NamedTensor> Module::parameters() const {
  std::vector<NamedTensor> all = parameters_;
  for (const auto& [name, child] : children_)
    for (auto& [inner, t] : child->parameters()) all.emplace_back(dotted_name(name, inner), t);
  return each_once(std::move(all));
}

std::vector<NamedTensor> Module::buffers() const {
  std::vector<NamedTensor> all = buffers_;
  for (const auto& [name, child] : children_)
    for (auto& [inner, t] : child->buffers()) all.emplace_back(dotted_name(name, inner), t);
  return each_once(std::move(all));
}

void Module::train(bool on) {
  visit([on](const std::string&, Module& m) { m.training_ = on && !m.frozen_; });
}

void Module::freeze() {
  visit([](const std::string&, Module& m) {
    m.frozen_ = true;
    m.training_ = false;
    for (auto& [name, t] : m.parameters_) t.set_requires_grad(false);
  });
}

void Module::set_random(std::uint64_t seed, std::uint64_t step) {
  visit([=](const std::string& name, Module& m) { m.on_random(seed, step, name); });
}

void Module::visit(const std::function<void(const std::string&, Module&)>& f) {
  f("", *this);
  for (const auto& child : children_)
    child.second->visit(
        [&](const std::string& inner, Module& m) { f(dotted_name(child.first, inner), m); });
}

Tensor Module::add_parameter(std::string name, Tensor t) {
  t.set_requires_grad();
  parameters_.emplace_back(std::move(name), t);
  return t;
}

Tensor Module::add_buffer(std::string name, Tensor t) {
  buffers_.emplace_back(std::move(name), t);
  return t;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
  const bool lends_names = name.empty() && child->lends_names();
  for (const auto& [taken, other] : children_)
    if (taken == name && !lends_names)
      throw ValueError("Sequential: there is already a layer named '" + name + "'");
  children_.emplace_back(std::move(name), std::move(child));
}

Tensor new_parameter(const Shape& shape, DType dtype, Backend& backend) {
  return filling ? Tensor::zeros(shape, dtype, backend) : Tensor::empty(shape, dtype, backend);
}

UnfilledParameters::UnfilledParameters() : Scoped(filling, false) {}

WalkStep make_step(const Module& m, const Shape& in, const Shape& out) {
  WalkStep step;
  step.kind = m.kind();
  step.in = in;
  step.out = out;
  step.memory = size_product(out.numel(), static_cast<std::int64_t>(size_of(DType::f32)));
  for (const auto& [name, t] : m.parameters()) step.parameters += t.numel();
  return step;
}

NoFusion::NoFusion() : Scoped(fusion_allowed, false) {}

LayerObserver::LayerObserver(std::function<void(const std::string&, const Tensor&)> f)
    : Scoped(layer_observer, std::move(f)) {}

// ---- Sequential -----------------------------------------------------------------------------

Sequential& Sequential::add(std::string name, std::shared_ptr<Module> layer) {
  if (layer == nullptr) throw ValueError("Sequential: the layer '" + name + "' is null");
  layer->visit([&](const std::string&, Module& inner) {
    if (&inner == this)
      throw ValueError("Sequential: the layer '" + name +
                       "' is or contains this network, and forward would never end");
  });
  add_child(std::move(name), std::move(layer));
  return *this;
}

namespace {

// Runs f for one layer; an error about sizes begins with the layer's name: a network has several
// convolutions, and the message alone would not say which one.
template <class F>
auto naming(const std::string& layer, F f) {
  try {
    return f();
  } catch (const ShapeError& e) {
    if (layer.empty()) throw;  // a layer within it was named
    throw ShapeError(layer + ": " + e.what());
  }
}

}  // namespace

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (std::size_t i = 0; i < children().size(); ++i) {
    const auto& [name, layer] = children()[i];
    const TraceScope scope(dotted_name(TraceScope::current(), name));
    if (fusing() && i + 1 < children().size()) {
      const auto& [next_name, next] = children()[i + 1];
      const Tensor both = naming(fmt::format("{}+{}", name, next_name),
                                 [&, &l = layer, &n = next] { return l->forward_fused(y, *n); });
      if (both.defined()) {  // its time is counted for the first of the two
        y = both;
        ++i;
        continue;
      }
    }
    y = naming(name, [&, &l = layer] { return l->forward(y); });
    if (!name.empty()) observe_layer(TraceScope::current(), y);
  }
  return y;
}

std::vector<WalkStep> Sequential::walk(const Shape& in) const {
  std::vector<WalkStep> steps;
  Shape shape = in;
  std::map<const Module*, std::string> places;  // where each layer stands first
  for (const auto& child : children()) {
    const auto [place, first] = places.emplace(child.second.get(), child.first);
    for (WalkStep& step : naming(child.first, [&] { return child.second->walk(shape); })) {
      if (!first && step.parameters > 0) {
        step.detail +=
            fmt::format(", with the parameters of {}", dotted_name(place->second, step.name));
        step.parameters = 0;
      }
      step.name = dotted_name(child.first, step.name);
      shape = step.out;
      steps.push_back(std::move(step));
    }
  }
  return steps;
}

}  // namespace limulus
