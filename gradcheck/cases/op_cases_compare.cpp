#include "gradcheck/cases/op_cases_compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gradcheck/map.h"

namespace limulus {
namespace {

TensorDifference compare_tensor(const std::string& name, const Tensor& result, const Tensor& exact,
                                double roundings) {
  TensorDifference d{name, exact.shape()};
  const std::vector<double> values = result.to_doubles(), wanted = exact.to_doubles();
  double squares = 0;
  for (const double v : wanted) squares += v * v;
  const double rms = std::sqrt(squares / static_cast<double>(wanted.size()));
  std::vector<bool> wrong(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(values[i] - wanted[i]);
    const double bound = roundings * std::max(std::abs(wanted[i]), rms);
    wrong[i] = !(error <= bound);
    if (wrong[i] && d.wrong++ == 0) {
      d.first = index_of(static_cast<std::int64_t>(i), d.shape);
      d.got = values[i];
      d.expected = wanted[i];
      d.bound = bound;
    }
    const double units = error == 0 ? 0 : error / bound;
    d.worst =
        std::isnan(units) ? std::numeric_limits<double>::infinity() : std::max(d.worst, units);
  }
  if (d.wrong == 0) return d;
  d.maps = empty_maps(d.shape);
  for (std::size_t i = 0; i < values.size(); ++i)
    for (GradcheckMap& map : d.maps)
      mark(map, d.shape, index_of(static_cast<std::int64_t>(i), d.shape),
           std::abs(values[i] - wanted[i]), wrong[i]);
  return d;
}

}  // namespace

bool CaseDifference::same() const {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const TensorDifference& t) { return t.wrong == 0; });
}

double CaseDifference::worst() const {
  double worst = 0;
  for (const TensorDifference& t : tensors) worst = std::max(worst, t.worst);
  return worst;
}

CaseDifference compare_case(const OpCase& c, DType dtype, Backend& backend,
                            const CaseResult& exact) {
  const CaseResult r = run_case(c, dtype, backend);
  const double eps = dtype == DType::f32 ? std::numeric_limits<float>::epsilon()
                                         : std::numeric_limits<double>::epsilon();
  CaseDifference d;
  for (std::size_t i = 0; i < r.values.size(); ++i)
    d.tensors.push_back(
        compare_tensor(r.names[i], r.values[i], exact.values[i], 64 * eps * c.condition));
  return d;
}

}  // namespace limulus
