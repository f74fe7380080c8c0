#include "gradcheck/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/amounts.h"
#include "formats/atomic_file.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "pages/style.h"

namespace limulus {
namespace {

const double tolerance = GradcheckOptions{}.tolerance;

std::string verdict_of(GradcheckVerdict v) {
  return fmt::format("<span class=\"verdict {0}\">{0}</span>", name_of(v));
}

std::string worst_table(const GradcheckTensor& t) {
  if (t.worst.empty()) return "";
  std::string rows;
  for (const GradcheckEntry& e : t.worst)
    rows += fmt::format(
        "<tr><td class=\"text\">{}</td><td>{:.9g}</td><td>{:.9g}</td><td>{:.0e}</td><td>{:.1e}</td>"
        "<td>{:.1e}</td><td>{}</td></tr>\n",
        Shape(e.index).str(), e.analytic, e.numeric, e.uncertainty, e.step, e.relative_error,
        e.wrong ? "wrong" : "right");
  return html::scroll_box(
      "The entries with the largest errors",
      fmt::format(
          "<table><thead><tr><th>index</th><th>your gradient</th><th>numeric</th><th>\xC2\xB1</th>"
          "<th>step</th><th>relative error</th><th></th></tr></thead><tbody>\n{}</tbody>"
          "</table>",
          rows));
}

std::string figure(const std::string& caption, const std::string& picture) {
  if (picture.empty()) return "";
  return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", caption, picture);
}

std::string tensor_section(const GradcheckTensor& t) {
  std::string out = fmt::format("<div class=\"tensor\">\n<h4>{} {} {}</h4>\n", html::escape(t.name),
                                t.shape.str(), verdict_of(t.verdict));
  if (!t.diagnosis.empty())
    out += fmt::format(
        "<p class=\"diagnosis\">{}{}</p>\n",
        t.mistake.empty() ? "" : fmt::format("<strong>{}.</strong> ", html::escape(t.mistake)),
        html::escape(t.diagnosis));
  out += html::paragraph(fmt::format(
      "{} compared, {} wrong{}{}.", t.compared, t.wrong,
      t.skipped > 0 ? fmt::format(", {} skipped where there is no derivative", t.skipped) : "",
      t.together_error >= 0 ? fmt::format("; all {} along one direction: error {:.1e}",
                                          t.shape.numel(), t.together_error)
                            : ""));
  if (t.compared == 0) return out + "</div>\n";
  if (!t.maps.empty()) {
    out +=
        "<figure><figcaption>Where the errors are: the largest for each pair of indices"
        "</figcaption><div class=\"maps\">\n";
    for (const GradcheckMap& m : t.maps) out += map_svg(t, m, tolerance);
    out += "</div></figure>\n";
  }
  out += worst_table(t) + "<div class=\"pictures\">\n";
  out += figure("How many entries have an error of which size", histogram_svg(t, tolerance));
  out += figure(fmt::format("What the textbook's differences make of entry {}, over the step",
                            Shape(t.curve.index).str()),
                curve_svg(t));
  out += "</div>\n";
  return out + "</div>\n";
}

std::string case_section(const CheckedCase& c) {
  std::string out = fmt::format("<div class=\"case\">\n<h3>{}</h3>\n<p class=\"note\">on {}</p>\n",
                                html::escape(c.name), html::escape(c.backend));
  // In a wrong case, what is wrong comes first, and what is right is folded away.
  std::string right;
  for (const GradcheckTensor& t : c.report.tensors) {
    if (c.report.ok() || t.verdict != GradcheckVerdict::ok)
      out += tensor_section(t);
    else
      right += fmt::format("<details><summary>{} {} is right</summary>\n{}</details>\n",
                           html::escape(t.name), t.shape.str(), tensor_section(t));
  }
  return out + right + "</div>\n";
}

std::string cases_table(const CheckedRun& run) {
  std::string rows;
  for (const CheckedCase& c : run.cases) {
    std::int64_t compared = 0, wrong = 0;
    double error = 0;
    std::set<std::string> mistakes;
    for (const GradcheckTensor& t : c.report.tensors) {
      compared += t.compared;
      wrong += t.wrong;
      if (!t.mistake.empty()) mistakes.insert(t.name + ": " + t.mistake);
      for (const GradcheckEntry& e : t.worst) error = std::max(error, e.error);
    }
    rows += fmt::format(
        "<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1e}</td><td>{}</td>"
        "<td class=\"text\">{}</td></tr>\n",
        html::escape(c.name), html::escape(c.backend), compared, wrong, error,
        verdict_of(c.report.verdict()), html::escape(fmt::format("{}", fmt::join(mistakes, ", "))));
  }
  return html::scroll_box(
      "All cases",
      fmt::format("<table class=\"cases\"><thead><tr><th>case</th><th>device</th><th>compared</th>"
                  "<th>wrong</th><th>largest error</th><th>verdict</th><th>diagnosis</th></tr>"
                  "</thead><tbody>\n{}</tbody></table>",
                  rows));
}

std::int64_t compared_in(const CheckedCase& c) {
  std::int64_t sum = 0;
  for (const GradcheckTensor& t : c.report.tensors) sum += t.compared;
  return sum;
}

struct Totals {
  std::int64_t tensors = 0, compared = 0, skipped = 0, right_cases = 0;
};
Totals totals_of(const CheckedRun& run) {
  Totals all;
  for (const CheckedCase& c : run.cases) {
    all.right_cases += c.report.ok() ? 1 : 0;
    for (const GradcheckTensor& t : c.report.tensors) {
      ++all.tensors;
      all.compared += t.compared;
      all.skipped += t.skipped;
    }
  }
  return all;
}

std::string section(const char* id, const char* title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\"><h2 id=\"{0}-title\">{1}"
      "</h2>\n{2}</section>\n",
      id, title, body);
}

std::string facts(const CheckedRun& run, const Totals& all) {
  const auto fact = [](const char* name, const std::string& value, const std::string& note) {
    return fmt::format("<div><dt>{}</dt><dd>{}<span>{}</span></dd></div>\n", name, value, note);
  };
  const auto cases = static_cast<std::int64_t>(run.cases.size());
  return "<dl class=\"facts\">\n" +
         fact("Right", fmt::format("{} of {}", all.right_cases, cases), "cases") +
         fact("Compared", with_thousands(all.compared),
              fmt::format("gradients of {}", html::count_of(all.tensors, "tensor", "tensors"))) +
         fact("Skipped", with_thousands(all.skipped), "at kinks, where there is no derivative") +
         (run.seconds > 0 ? fact("Time", html::duration(run.seconds), html::escape(run.machine))
                          : "") +
         "</dl>\n";
}

}  // namespace

std::string gradcheck_page(const CheckedRun& run) {
  const Totals all = totals_of(run);
  std::string bad, good;
  // Among the right cases of a layer, the one in which most was compared.
  std::map<std::string, const CheckedCase*> shown;
  std::vector<std::string> order;
  for (const CheckedCase& c : run.cases) {
    if (!c.report.ok()) {
      bad += case_section(c);
      continue;
    }
    const auto [place, added] = shown.try_emplace(c.layer, &c);
    if (added) order.push_back(c.layer);
    if (compared_in(c) > compared_in(*place->second)) place->second = &c;
  }
  for (const std::string& layer : order) {
    const CheckedCase& c = *shown[layer];
    good += fmt::format("<details><summary>{} on {}</summary>\n{}</details>\n",
                        html::escape(c.name), html::escape(c.backend), case_section(c));
  }
  const bool ok = bad.empty();
  const std::string title = html::escape(run.title);
  return html::page_begin(title, "a gradient check",
                          html::style() + plot_style() + gradcheck_style()) +
         fmt::format(
             "<p class=\"result\">{}</p>\n{}</header>\n<main>\n",
             ok ? "Every gradient that <code>backward</code> computes is the slope that the "
                  "forward pass has."
                : "Some of the gradients that <code>backward</code> computes are not the slopes "
                  "that the forward pass has.",
             facts(run, all)) +
         section("wrong", "What is wrong", bad) +
         section("right", ok ? "A closer look" : "A closer look at what is right",
                 good.empty() ? good
                              : "<p>One case of each layer. An error is the difference of the two "
                                "gradients over their size, or over the typical size in the tensor "
                                "where they are smaller. The V shows why two steps are used: a "
                                "large step is off by truncation, a small one by rounding.</p>\n"
                                "<div class=\"folded\">\n" +
                                    good + "</div>\n") +
         section("cases", "All cases", run.cases.size() > 1 ? cases_table(run) : "") +
         "</main>\n</body>\n</html>\n";
}

void write_gradcheck_page(const std::filesystem::path& path, const CheckedRun& run) {
  write_file_atomically(path, gradcheck_page(run));
}

}  // namespace limulus
