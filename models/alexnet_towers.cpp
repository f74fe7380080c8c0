#include "models/alexnet_towers.h"

#include <fmt/core.h>

#include <array>

#include "core/algebra.h"
#include "core/autograd.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/trace.h"
#include "distributed/communicator.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/walk.h"

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
    : backends_{&first, &second}, classes_{classes - classes / 2, classes / 2} {
  if (classes < 2)
    throw ValueError(fmt::format(
        "alexnet-towers: {} classes cannot be shared by two towers; give 2 or more", classes));
  for (const int t : {0, 1}) {
    const std::string name = fmt::format("tower{}", t);
    towers_[t] = std::make_shared<Tower>(name, classes_[t], *backends_[t], dtype, dropout);
    add_child(name, towers_[t]);
  }
}

AlexNetTowers::~AlexNetTowers() = default;

namespace {

// What a tower reads where a stage begins.
enum class Reads {
  image,   // the picture
  own,     // its own values
  border,  // these, and the other's channels within reach of a normalization's window
  both     // both towers' values
};

// The course of both towers: layers `first` to `last` in each, then the next stage.
struct Stage {
  const char *first, *last;
  Reads reads;
};
constexpr Stage stages[] = {
    {"conv1", "relu1", Reads::image}, {"lrn1", "lrn1", Reads::border},
    {"pool1", "relu2", Reads::own},   {"lrn2", "lrn2", Reads::border},
    {"pool2", "pool2", Reads::own},   {"conv3", "flatten", Reads::both},
    {"fc6", "drop6", Reads::both},    {"fc7", "drop7", Reads::both},
    {"fc8", "fc8", Reads::both},
};

// A window reaches so many channels into the other tower.
const std::int64_t reach = LrnOptions{}.size / 2;

Shape with_channels(const Shape& shape, std::int64_t channels) {
  auto sizes = shape.sizes();
  sizes[1] = channels;
  return Shape(sizes);
}

}  // namespace

Tensor AlexNetTowers::forward(const Tensor& x) {
  if (ranks_ != nullptr) return forward_apart(x);
  Pair p = {x, x};
  for (const Stage& stage : stages) {
    const std::int64_t own = p[0].size(1);
    switch (stage.reads) {
      case Reads::image:
        p[1] = to(x, *backends_[1]);
        break;
      case Reads::own:
        break;
      case Reads::border: {
        const Tensor above = to(narrow(p[1], 1, 0, reach), *backends_[0]);
        const Tensor below = to(narrow(p[0], 1, own - reach, reach), *backends_[1]);
        p = {concat({p[0], above}, 1), concat({below, p[1]}, 1)};
        break;
      }
      case Reads::both:
        p = {concat({p[0], to(p[1], *backends_[0])}, 1),
             concat({to(p[0], *backends_[1]), p[1]}, 1)};
        break;
    }
    p = {towers_[0]->run(p[0], stage.first, stage.last),
         towers_[1]->run(p[1], stage.first, stage.last)};
    // What was fetched for the sum was normalized, too: the other tower has that.
    if (stage.reads == Reads::border) p = {narrow(p[0], 1, 0, own), narrow(p[1], 1, reach, own)};
  }
  return concat({p[0], to(p[1], *backends_[0])}, 1);
}

// ---- the same in two processes --------------------------------------------------------------

void AlexNetTowers::live_apart(Communicator* ranks) {
  if (ranks != nullptr && ranks->size() != 2)
    throw ValueError(
        fmt::format("alexnet-towers: {} ranks cannot have one of two towers each; "
                    "start two (mpirun -n 2)",
                    ranks->size()));
  ranks_ = ranks;
}

namespace {

// Gives `mine` to the other rank, and returns what it gives: a tensor of the shape `theirs`.
Tensor swap_values(Communicator& ranks, const Tensor& mine, const Shape& theirs) {
  const bool first = ranks.rank() == 0;
  const std::int64_t own = mine.numel(), others = theirs.numel();
  const std::vector<float> both =
      gather(ranks, mine.to_vector<float>(), {first ? own : others, first ? others : own});
  const auto begin = both.begin() + (first ? own : 0);
  return Tensor::from(std::vector<float>(begin, begin + others), theirs, mine.backend());
}

// Backward, the gradient of what came goes to the rank that it came from, and that of what went
// comes back. Ranks do this in the same order, as it is one network: nobody can compute the
// gradient of a stage before that of the next one is complete.
struct Swap : Op {
  explicit Swap(Communicator& r) : ranks(r) {}
  const char* name() const override { return "swap"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    return {swap_values(ranks, dy, input_shape(0))};
  }
  Communicator& ranks;
};

Tensor swap_with_gradients(Communicator& ranks, const Tensor& mine) {
  return record<Swap>(swap_values(ranks, mine, mine.shape()), {mine}, {}, ranks);
}

}  // namespace

Tensor AlexNetTowers::forward_apart(const Tensor& x) {
  const int t = ranks_->rank();
  const auto beside = [t](const Tensor& mine, const Tensor& theirs) {
    return t == 0 ? concat({mine, theirs}, 1) : concat({theirs, mine}, 1);
  };
  Tensor p = to(x, *backends_[t]);
  for (const Stage& stage : stages) {
    const std::int64_t own = p.size(1);
    if (stage.reads == Reads::border) {
      const Tensor edge = narrow(p, 1, t == 0 ? own - reach : 0, reach);
      p = beside(p, swap_with_gradients(*ranks_, edge));
    } else if (stage.reads == Reads::both) {
      p = beside(p, swap_with_gradients(*ranks_, p));
    }
    p = towers_[t]->run(p, stage.first, stage.last);
    if (stage.reads == Reads::border) p = narrow(p, 1, t == 0 ? 0 : reach, own);
  }
  // Both ranks compute the loss of all logits. So each knows the gradient of its own ones already.
  const Tensor theirs = swap_values(*ranks_, p, with_channels(p.shape(), classes_[1 - t]));
  return to(beside(p, theirs), *backends_[0]);
}

// ---- the arithmetic of sizes --------------------------------------------------------------

void AlexNetTowers::follow(const Shape& in, std::vector<WalkStep>& steps,
                           std::vector<Crossing>& crossings) const {
  std::array<Shape, 2> shape = {in, in};
  for (const Stage& stage : stages) {
    switch (stage.reads) {
      case Reads::image:
        crossings.push_back({stage.first, in, Shape{}});
        break;
      case Reads::own:
        break;
      case Reads::border:
        crossings.push_back(
            {stage.first, with_channels(shape[0], reach), with_channels(shape[1], reach)});
        break;
      case Reads::both:
        crossings.push_back({stage.first, shape[0], shape[1]});
        shape.fill(with_channels(shape[0], shape[0][1] + shape[1][1]));
        break;
    }
    for (const std::size_t t : {0, 1})
      shape[t] = towers_[t]->walk_through(steps, shape[t], stage.first, stage.last);
  }
  crossings.push_back({"logits", Shape{}, shape[1]});
}

std::vector<WalkStep> AlexNetTowers::walk(const Shape& in) const {
  std::vector<WalkStep> steps;
  std::vector<Crossing> crossings;
  follow(in, steps, crossings);
  return steps;
}

std::vector<AlexNetTowers::Crossing> AlexNetTowers::crossings(const Shape& in) const {
  std::vector<WalkStep> steps;
  std::vector<Crossing> all;
  follow(in, steps, all);
  return all;
}

// ---- the map ---------------------------------------------------------------------------------

namespace {

// Of floats; an undefined shape is nothing at all.
std::int64_t bytes_of(const Shape& shape) {
  return shape.rank() == 0 ? 0 : size_product(4, shape.numel());
}

std::string cell(const Shape& shape) {
  return shape.rank() == 0 ? "-"
                           : fmt::format("{}, {}", image_size(shape), in_bytes(bytes_of(shape)));
}

}  // namespace

std::int64_t AlexNetTowers::Crossing::bytes() const { return bytes_of(down) + bytes_of(up); }

std::string crossing_text(const std::vector<AlexNetTowers::Crossing>& crossings) {
  constexpr const char* row = "{:<8} {:<26} {:<26} {:>10}\n";
  std::string text =
      fmt::format(row, "before", "tower 0 to tower 1", "tower 1 to tower 0", "bytes");
  std::int64_t sum = 0, pictures = 0, batch = 0;
  for (const AlexNetTowers::Crossing& c : crossings) {
    text += fmt::format(row, c.before, cell(c.down), cell(c.up), with_thousands(c.bytes()));
    sum += c.bytes();
    if (pictures == 0) {
      pictures = c.bytes();
      batch = c.down[0];
    }
  }
  text += fmt::format(row, "total", "", "", with_thousands(sum));
  return text + fmt::format(
                    "What crosses between the two devices in one forward pass, for a batch of {}, "
                    "in f32. Backward,\nthe gradients of all but the pictures go the other way: "
                    "{} bytes. Everything else stays.\n",
                    batch, with_thousands(sum - pictures));
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
