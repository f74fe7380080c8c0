#include "layers/branches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/algebra.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/trace.h"

namespace limulus {

Branches::Branches(std::string called, Join how, std::vector<std::shared_ptr<Sequential>> all)
    : name(std::move(called)), join(how), ways(std::move(all)) {
  if (ways.size() < 2)
    throw ValueError(fmt::format("Branches: '{}' has {} way{}, and two or more can meet", name,
                                 ways.size(), ways.size() == 1 ? "" : "s"));
  for (const auto& way : ways) add_child("", way);
}

Tensor Branches::forward(const Tensor& x) {
  std::vector<Tensor> ends;
  for (const auto& way : ways) ends.push_back(way->forward(x));
  const TraceScope scope(dotted_name(TraceScope::current(), name));
  Tensor y = join == Join::concat ? concat(ends, 1) : add(ends[0], ends[1]);
  for (std::size_t i = 2; join == Join::add && i < ends.size(); ++i) y = add(y, ends[i]);
  observe_layer(TraceScope::current(), y);
  return y;
}

std::vector<WalkStep> Branches::walk(const Shape& in) const {
  std::vector<WalkStep> steps;
  std::vector<Shape> ends;
  for (const auto& way : ways) {
    const std::vector<WalkStep> of_way = way->walk(in);
    ends.push_back(of_way.empty() ? in : of_way.back().out);
    steps.insert(steps.end(), of_way.begin(), of_way.end());
  }
  Shape out = ends[0];
  std::vector<std::int64_t> channels;
  for (const Shape& end : ends) {
    auto here = end.sizes(), first = ends[0].sizes();
    if (join == Join::concat && here.size() > 1 && here.size() == first.size()) {
      channels.push_back(here[1]);
      here[1] = first[1];
    }
    if (here != first)
      throw ShapeError(fmt::format("{}: {} and {} cannot be {}", name, ends[0].str(), end.str(),
                                   join == Join::add ? "added" : "put side by side"));
  }
  WalkStep step;
  if (join == Join::concat) {
    if (channels.empty())
      throw ShapeError(fmt::format("{}: {} has no channels", name, ends[0].str()));
    auto sizes = out.sizes();
    sizes[1] = 0;
    for (const std::int64_t c : channels) sizes[1] = size_sum(sizes[1], c);
    out = Shape(sizes);
    step.formula = fmt::format("{} = {} channels", fmt::join(channels, " + "), sizes[1]);
  } else {
    step.formula = "as its inputs";
  }
  step.name = name;
  step.kind = kind();
  step.detail =
      fmt::format("{} ways {}", ways.size(), join == Join::add ? "are added" : "side by side");
  step.in = ends[0];
  step.out = out;
  step.memory = size_product(out.numel(), static_cast<std::int64_t>(size_of(DType::f32)));
  steps.push_back(step);
  return steps;
}

bool has_branches(Module& network) {
  bool found = false;
  network.visit([&](const std::string&, Module& m) {
    found = found || dynamic_cast<const Branches*>(&m) != nullptr;
  });
  return found;
}

}  // namespace limulus
