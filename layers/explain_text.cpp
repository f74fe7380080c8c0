// An explanation as text: the formula, some of the terms with the sum so far, and what follows.
#include <fmt/format.h>

#include <algorithm>

#include "layers/explain.h"

namespace limulus::explain {
namespace {

std::string terms_of(const Explanation& e, std::int64_t shown) {
  std::string out;
  const auto count = static_cast<std::int64_t>(e.terms.size());
  const std::int64_t head = count <= shown + 1 ? count : shown / 2 + shown % 2,
                     tail = count <= shown + 1 ? 0 : shown / 2;
  std::size_t what = 4, numbers = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i >= head && i < count - tail) continue;
    const Term& t = e.terms[static_cast<std::size_t>(i)];
    what = std::max(what, t.what.size());
    numbers = std::max(numbers, t.numbers.size());
  }
  const std::size_t label = std::max<std::size_t>(4, std::to_string(count).size());
  out += fmt::format("{:>{}}  {:<{}}  {:>{}}  {:>13}{}\n", "term", label, "", what, "", numbers,
                     "value", e.maximum ? "" : fmt::format("  {:>13}", "sum so far"));
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Term& t = e.terms[static_cast<std::size_t>(i)];
    sum += t.value;
    if (i == head && i < count - tail)
      out += fmt::format("{:>{}}  {} more terms\n", "...", label, count - head - tail);
    if (i >= head && i < count - tail) continue;
    out +=
        fmt::format("{:>{}}  {:<{}}  {:>{}}  {:>13.6g}{}\n", i + 1, label, t.what, what, t.numbers,
                    numbers, t.value + 0.0, e.maximum ? "" : fmt::format("  {:>13.6g}", sum));
  }
  return out;
}

}  // namespace

std::string text_of(const Explanation& e, std::int64_t terms) {
  std::string out = fmt::format("{} = {}\n", e.element, e.formula);
  for (const std::string& note : e.notes) out += fmt::format("{}\n", note);
  if (!e.terms.empty()) {
    out += '\n';
    out += terms_of(e, terms);
    std::int64_t zeros = 0;
    for (const Term& t : e.terms) zeros += t.value == 0 ? 1 : 0;
    out += fmt::format(
        "\n{} term{}{}; {} {:.10g}\n", e.terms.size(), e.terms.size() == 1 ? "" : "s",
        zeros > 0 ? fmt::format(", {} of them 0", zeros) : "",
        e.maximum ? "the largest is" : "the sum is", e.maximum ? e.value : sum_of(e.terms));
  } else {
    out += '\n';
  }
  for (const std::string& line : e.then) out += fmt::format("{}\n", line);
  out += fmt::format("{} = {:.10g}; the layer's kernel computed {:.10g}\n", e.element, e.value,
                     e.tensor);
  return out;
}

}  // namespace limulus::explain
