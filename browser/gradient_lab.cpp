// "Break a backward": a mistake out of the bank (gradcheck/cases) goes into a layer's gradient, and
// the gradient check says what it finds.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backends/registry.h"
#include "browser/answer.h"
#include "core/error.h"
#include "core/printable.h"
#include "gradcheck/cases/mutations.h"
#include "gradcheck/page.h"
#include "pages/plot.h"

namespace limulus::browser {
namespace {

// The smallest right case of an operation, or null.
const OpCase* right_case(const std::string& op) {
  const OpCase* found = nullptr;
  const auto size = [](const OpCase& c) {
    std::int64_t values = 0;
    for (const CaseInput& in : c.inputs) values += in.shape.numel();
    return values;
  };
  for (const OpCase& c : op_cases())
    if (c.op == op && !c.large && size(c) > 20 && (found == nullptr || size(c) < size(*found)))
      found = &c;
  return found;
}

GradcheckReport check_right(const OpCase& c, const GradcheckOptions& options) {
  std::vector<std::pair<std::string, Tensor>> inputs;
  const std::vector<Tensor> values = make_inputs(c, DType::f64, device("reference"));
  for (std::size_t i = 0; i < values.size(); ++i) inputs.emplace_back(c.inputs[i].name, values[i]);
  return gradcheck(c.f, inputs, options);
}

Json told(const std::string& name, const GradcheckReport& report) {
  const double tolerance = GradcheckOptions{}.tolerance;
  Json tensors = Json::array();
  for (const GradcheckTensor& t : report.tensors) {
    Json maps = Json::array();
    for (const GradcheckMap& m : t.maps) maps.push_back(map_svg(t, m, tolerance));
    const bool shown = t.compared > 0;
    tensors.push_back({{"name", t.name},
                       {"shape", t.shape.str()},
                       {"verdict", name_of(t.verdict)},
                       {"compared", t.compared},
                       {"skipped", t.skipped},
                       {"wrong", t.wrong},
                       {"mistake", t.mistake},
                       {"diagnosis", t.diagnosis},
                       {"histogram", shown ? histogram_svg(t, tolerance) : ""},
                       {"curve", shown ? curve_svg(t) : ""},
                       {"maps", maps}});
  }
  return {{"name", name},
          {"verdict", name_of(report.verdict())},
          {"mistake", report.mistake},
          {"diagnosis", report.diagnosis},
          {"text", report.text()},
          {"tensors", tensors}};
}

}  // namespace

Json mistakes(const Json&) {
  Json all = Json::array();
  for (const Mutation& m : mutations())
    all.push_back({{"name", m.name},
                   {"what", m.what},
                   {"op", m.layer.op},
                   {"tensor", m.tensor},
                   {"right", right_case(m.layer.op) != nullptr}});
  return {{"mistakes", all}, {"style", plot_style()}};
}

// {"mistake": "lrn-..."}, or {"op": "lrn"}: the operation as it is.
Json check(const Json& request) {
  GradcheckOptions options;
  options.curves = true;
  if (request.contains("op")) {
    const std::string op = text(request, "op");
    const OpCase* found = right_case(op);
    if (found == nullptr)
      throw ValueError(fmt::format("check: no case of the table is a \"{}\"", printable(op)));
    return told(found->name, check_right(*found, options));
  }
  const std::string name = text(request, "mistake");
  const auto& bank = mutations();
  const auto found =
      std::find_if(bank.begin(), bank.end(), [&](const Mutation& m) { return m.name == name; });
  if (found == bank.end())
    throw ValueError(fmt::format("check: the bank has no mistake \"{}\"", printable(name)));
  return told(found->layer.name, check_mutation(*found, true));
}

}  // namespace limulus::browser
