#include "models/alexnet_towers.h"

#include <fmt/core.h>

#include <array>

#include "core/algebra.h"
#include "core/error.h"
#include "core/trace.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"

namespace limulus {

using Pair = std::array<Tensor, 2>;  // the towers' values

// ---- one tower -------------------------------------------------------------------------------

class AlexNetTowers::Tower : public Sequential {
 public:
  Tower(std::string name, std::int64_t classes, Backend& backend, DType dtype, double dropout)
      : name_(std::move(name)) {
    const Pool2dOptions overlapping = {.kernel = 3, .stride = 2};
    const Conv2dOptions five = {.kernel = 5, .pad = 2}, three = {.kernel = 3, .pad = 1};
    add<Conv2d>("conv1", 3, 48, Conv2dOptions{.kernel = 11, .stride = 4}, backend, dtype);
    add<ReLU>("relu1").add<LocalResponseNorm>("lrn1").add<MaxPool2d>("pool1", overlapping);
    add<Conv2d>("conv2", 48, 128, five, backend, dtype);
    add<ReLU>("relu2").add<LocalResponseNorm>("lrn2").add<MaxPool2d>("pool2", overlapping);
    add<Conv2d>("conv3", 256, 192, three, backend, dtype).add<ReLU>("relu3");
    add<Conv2d>("conv4", 192, 192, three, backend, dtype).add<ReLU>("relu4");
    add<Conv2d>("conv5", 192, 128, three, backend, dtype).add<ReLU>("relu5");
    add<MaxPool2d>("pool5", overlapping).add<Flatten>("flatten");
    add<Linear>("fc6", 9216, 2048, backend, dtype)
        .add<ReLU>("relu6")
        .add<Dropout>("drop6", dropout);
    add<Linear>("fc7", 4096, 2048, backend, dtype)
        .add<ReLU>("relu7")
        .add<Dropout>("drop7", dropout);
    add<Linear>("fc8", 4096, classes, backend, dtype);
  }

  Tensor run(const Tensor& x, const std::string& first, const std::string& last) {
    const std::string& outer = TraceScope::current();
    const TraceScope scope(outer.empty() ? name_ : outer + "." + name_);
    return between(first, last)->forward(x);
  }

  // Appends the steps from `first` to `last`; returns the last one's output size.
  Shape walk_through(std::vector<WalkStep>& steps, const Shape& in, const std::string& first,
                     const std::string& last) const {
    for (WalkStep& step : between(first, last)->walk(in)) {
      step.name = name_ + "." + step.name;
      steps.push_back(std::move(step));
    }
    return steps.back().out;
  }

 private:
  // The layers from `first` to `last`, the same objects as this tower's.
  std::shared_ptr<Sequential> between(const std::string& first, const std::string& last) const {
    auto part = std::make_shared<Sequential>();
    bool inside = false;
    for (const auto& [layer, m] : children()) {
      inside = inside || layer == first;
      if (inside) part->add(layer, m);
      if (layer == last) break;
    }
    return part;
  }
  std::string name_;
};

// ---- the network -----------------------------------------------------------------------------

AlexNetTowers::AlexNetTowers(std::int64_t classes, Backend& first, Backend& second, DType dtype,
                             double dropout)
    : backends_{&first, &second} {
  if (classes < 2)
    throw ValueError(fmt::format(
        "alexnet-towers: {} classes cannot be shared by two towers; give 2 or more", classes));
  for (const int t : {0, 1}) {
    const std::string name = fmt::format("tower{}", t);
    const std::int64_t share = t == 0 ? classes - classes / 2 : classes / 2;
    towers_[t] = std::make_shared<Tower>(name, share, *backends_[t], dtype, dropout);
    add_child(name, towers_[t]);
  }
}

AlexNetTowers::~AlexNetTowers() = default;

Tensor AlexNetTowers::forward(const Tensor& x) {
  const auto each = [&](const Pair& in, const char* first, const char* last) {
    return Pair{towers_[0]->run(in[0], first, last), towers_[1]->run(in[1], first, last)};
  };
  // Both towers' values, on either device.
  const auto both = [&](const Pair& p) {
    return Pair{concat({p[0], to(p[1], *backends_[0])}, 1),
                concat({to(p[0], *backends_[1]), p[1]}, 1)};
  };
  // The window of a channel at the border reaches size/2 channels into the other tower: they are
  // fetched for the sum, and their own results (the other tower computes them) cut off again.
  const auto normalized = [&](const Pair& p, const char* lrn) {
    const std::int64_t own = p[0].size(1), reach = LrnOptions{}.size / 2;
    const Tensor above = to(narrow(p[1], 1, 0, reach), *backends_[0]);
    const Tensor below = to(narrow(p[0], 1, own - reach, reach), *backends_[1]);
    const Pair wide = each({concat({p[0], above}, 1), concat({below, p[1]}, 1)}, lrn, lrn);
    return Pair{narrow(wide[0], 1, 0, own), narrow(wide[1], 1, reach, own)};
  };
  Pair p = each({x, to(x, *backends_[1])}, "conv1", "relu1");
  p = each(normalized(p, "lrn1"), "pool1", "relu2");
  p = each(normalized(p, "lrn2"), "pool2", "pool2");
  p = each(both(p), "conv3", "flatten");
  p = each(both(p), "fc6", "drop6");
  p = each(both(p), "fc7", "drop7");
  p = each(both(p), "fc8", "fc8");
  return concat({p[0], to(p[1], *backends_[0])}, 1);
}

std::vector<WalkStep> AlexNetTowers::walk(const Shape& in) const {
  std::vector<WalkStep> steps;
  std::array<Shape, 2> shape = {in, in};
  const auto each = [&](const char* first, const char* last) {
    for (const std::size_t t : {0, 1})
      shape[t] = towers_[t]->walk_through(steps, shape[t], first, last);
  };
  const auto both = [&] {
    auto sizes = shape[0].sizes();
    sizes[1] += shape[1][1];
    shape = {Shape(sizes), Shape(sizes)};
  };
  each("conv1", "pool2");
  both();
  each("conv3", "flatten");
  for (const char* fc : {"6", "7"}) {
    both();
    each((std::string("fc") + fc).c_str(), (std::string("drop") + fc).c_str());
  }
  both();
  each("fc8", "fc8");
  return steps;
}

// ---- weights ---------------------------------------------------------------------------------

AlexNetTowers::Source AlexNetTowers::source_of(const std::string& parameter) const {
  std::int64_t mine = -1, first_tower = 0;
  const std::string name = parameter.substr(parameter.find('.') + 1);
  for (const auto& [other, t] : parameters()) {
    if (other == parameter) mine = t.size(0);
    if (other == "tower0." + name) first_tower = t.size(0);
  }
  if (mine < 0)
    throw ValueError(fmt::format("alexnet-towers: there is no parameter '{}'", parameter));
  return {name, parameter.starts_with("tower0.") ? 0 : first_tower, mine};
}

namespace {

// Calls f(the rows in alexnet's parameter, the tower's parameter) for each.
template <class F>
void for_each_pair(const Module& alexnet, const AlexNetTowers& towers, F f) {
  const std::vector<NamedTensor> whole = alexnet.parameters();
  for (const auto& [name, part] : towers.parameters()) {
    const AlexNetTowers::Source source = towers.source_of(name);
    Tensor found;
    for (const auto& [other, t] : whole)
      if (other == source.name) found = t;
    if (!found.defined())
      throw ValueError(
          fmt::format("alexnet-towers: '{}' comes from '{}', which the other network "
                      "does not have: is it an alexnet?",
                      name, source.name));
    const std::int64_t width = part.numel() / part.size(0);
    if (source.start + source.count > found.size(0) || found.numel() / found.size(0) != width)
      throw ShapeError(fmt::format(
          "alexnet-towers: '{}' {} is not rows {} to {} of '{}' {}", name, part.shape().str(),
          source.start, source.start + source.count - 1, source.name, found.shape().str()));
    f(source, found, part);
  }
}

}  // namespace

void split_into_towers(const Module& alexnet, AlexNetTowers& towers) {
  const NoGrad setting_values;
  for_each_pair(alexnet, towers,
                [](const AlexNetTowers::Source& s, const Tensor& whole, Tensor part) {
                  part.copy_(narrow(whole, 0, s.start, s.count));
                });
}

void join_towers(const AlexNetTowers& towers, Module& alexnet) {
  const NoGrad setting_values;
  for_each_pair(alexnet, towers,
                [](const AlexNetTowers::Source& s, Tensor whole, const Tensor& part) {
                  const Tensor rows = to(part, whole.backend());
                  const std::int64_t n = part.numel(), row = n / part.size(0);
                  whole.backend().copy_block(whole.dtype(), {1, n, 0, n, s.start * row, n},
                                             rows.data(), whole.mutable_data());
                });
}

}  // namespace limulus
