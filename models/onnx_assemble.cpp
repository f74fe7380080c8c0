#include "models/onnx_assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/printable.h"
#include "models/onnx_node.h"

namespace limulus {
namespace {

constexpr int kDeepestBranches = 32;  // ways within ways

class Assembler {
 public:
  Assembler(const std::vector<OnnxStep>& steps, const std::string& file, OnnxLayerNames& names)
      : steps_(steps), file_(file), names_(names) {}

  // The layers from the value of `entry` (-1: the input) to the last of `steps`.
  std::shared_ptr<Sequential> assemble(int entry, const std::vector<int>& steps, int depth);

 private:
  std::shared_ptr<Module> branches(int entry, const std::vector<int>& inside, int end, int depth);

  const std::vector<OnnxStep>& steps_;
  const std::string& file_;
  OnnxLayerNames& names_;
};

// The ways from the value of `entry` to the step `end`, in which they meet.
std::shared_ptr<Module> Assembler::branches(int entry, const std::vector<int>& inside, int end,
                                            int depth) {
  const OnnxStep& step = steps_[static_cast<std::size_t>(end)];
  const OnnxNodeReader n(file_, *step.node);
  if (depth > kDeepestBranches)
    throw n.error(fmt::format("ways that meet are nested more than {} deep", kDeepestBranches));
  std::set<int> left(inside.begin(), inside.end());
  left.erase(end);
  std::vector<std::shared_ptr<Sequential>> ways;
  for (const int from : step.from) {
    std::set<int> way;
    std::vector<int> waiting;
    if (from != entry) waiting.push_back(from);
    while (!waiting.empty()) {
      const int s = waiting.back();
      waiting.pop_back();
      if (way.contains(s)) continue;
      const OnnxStep& passed = steps_[static_cast<std::size_t>(s)];
      if (left.erase(s) == 0)
        throw n.error(fmt::format(
            "two of the ways that meet here cross: both have passed '{}'. Ways that part at one "
            "place, do not touch, and meet at another can be read",
            printable(passed.node->name)));
      way.insert(s);
      for (const int before : passed.from)
        if (before != entry) waiting.push_back(before);
    }
    ways.push_back(assemble(entry, {way.begin(), way.end()}, depth + 1));
  }
  const std::string kind = step.join == Join::add ? "add" : "concat";
  return std::make_shared<Branches>(names_.of_meeting(*step.node, kind), step.join,
                                    std::move(ways));
}

std::shared_ptr<Sequential> Assembler::assemble(int entry, const std::vector<int>& steps,
                                                int depth) {
  auto net = std::make_shared<Sequential>();
  std::map<int, int> uses;
  for (const int s : steps)
    for (const int from : steps_[static_cast<std::size_t>(s)].from) ++uses[from];
  std::set<int> waiting = {entry};  // values that somebody still has to read
  std::vector<int> since;           // steps since the last place where all had met
  int met = entry;
  for (const int s : steps) {
    const OnnxStep& step = steps_[static_cast<std::size_t>(s)];
    for (const int from : step.from)
      if (--uses[from] == 0) waiting.erase(from);
    waiting.insert(s);
    since.push_back(s);
    if (waiting.size() != 1) continue;
    if (step.joins)
      net->add("", branches(met, since, s, depth));
    else
      for (const OnnxLayer& layer : step.layers) net->add(layer.name, layer.module);
    met = s;
    since.clear();
  }
  return net;
}

}  // namespace

std::shared_ptr<Sequential> assemble_steps(const std::vector<OnnxStep>& steps,
                                           const std::vector<int>& chosen, const std::string& file,
                                           OnnxLayerNames& names) {
  return Assembler(steps, file, names).assemble(-1, chosen, 0);
}

}  // namespace limulus
