// Where a training step's time goes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "pages/html.h"
#include "training/report/sections.h"

namespace limulus::report {
namespace {

double sane(double seconds) { return std::isfinite(seconds) && seconds > 0 ? seconds : 0; }
double sum_of(const LayerTime& t) { return sane(t.forward) + sane(t.backward); }

std::string name_of(const LayerTime& t) { return t.layer.empty() ? "loss" : html::escape(t.layer); }

std::string milliseconds(double seconds) {
  const double ms = 1000 * seconds;
  return html::number(ms, ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0);
}

std::string bars(const std::vector<LayerTime>& times) {
  double longest = 0;
  for (const auto& t : times) longest = std::max(longest, sum_of(t));
  std::string out =
      "<ul class=\"legend\"><li><span class=\"swatch forward\"></span>forward</li>"
      "<li><span class=\"swatch backward\"></span>backward</li></ul>\n<ul class=\"bars\">\n";
  for (const auto& t : times) {
    const auto width = [&](double seconds) {
      return longest > 0 ? 100 * sane(seconds) / longest : 0;
    };
    out += fmt::format(
        "<li><span class=\"name\">{}</span><span class=\"track\" aria-hidden=\"true\"><span "
        "class=\"forward\" style=\"width:{:.2f}%\"></span><span class=\"backward\" "
        "style=\"width:{:.2f}%\"></span></span><span class=\"value\">{} ms</span></li>\n",
        name_of(t), width(t.forward), width(t.backward), milliseconds(sum_of(t)));
  }
  return out + "</ul>\n";
}

// 2 operations, a multiplication and an addition, for each multiply-add; for the whole batch.
std::string table(const RunReport& run, double forward, double backward) {
  std::map<std::string, double> operations;
  for (const auto& step : run.walk) {
    const double batch = step.in.rank() > 0 ? static_cast<double>(step.in[0]) : 1;
    operations[step.name] = 2 * batch * static_cast<double>(step.multiply_adds);
  }
  const double all = forward + backward;
  std::string rows;
  for (const auto& t : run.layer_times) {
    const auto found = operations.find(t.layer);
    const double work = found == operations.end() ? 0 : found->second;
    const bool heavy = work > 0 && t.forward > 0;
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "</tr>\n",
        name_of(t), milliseconds(t.forward), milliseconds(t.backward),
        milliseconds(t.forward + t.backward), html::percent(all > 0 ? sum_of(t) / all : 0),
        heavy ? html::number(work / t.forward / 1e9, 1) : "");
  }
  rows += fmt::format(
      "<tr class=\"total\"><th scope=\"row\">together</th><td>{}</td><td>{}</td><td>{}</td>"
      "<td>100%</td><td></td></tr>\n",
      milliseconds(forward), milliseconds(backward), milliseconds(all));
  return "<details>\n<summary>The same as a table</summary>\n" +
         html::scroll_box("Time per layer",
                          "<table class=\"numbers\">\n<thead><tr><th scope=\"col\">layer</th>"
                          "<th scope=\"col\">forward, ms</th><th scope=\"col\">backward, ms</th>"
                          "<th scope=\"col\">together, ms</th><th scope=\"col\">share</th>"
                          "<th scope=\"col\">forward, GFLOP/s</th></tr></thead>\n<tbody>\n" +
                              rows + "</tbody>\n</table>") +
         "</details>\n";
}

}  // namespace

std::string times(const RunReport& run) {
  double forward = 0, backward = 0;
  for (const auto& t : run.layer_times) {
    forward += sane(t.forward);
    backward += sane(t.backward);
  }
  if (!(forward + backward > 0)) {
    return html::paragraph("The layers were not timed in this run.");
  }
  const LayerTime& top = *std::max_element(
      run.layer_times.begin(), run.layer_times.end(),
      [](const LayerTime& a, const LayerTime& b) { return sum_of(a) < sum_of(b); });
  const std::int64_t batch =
      !run.walk.empty() && run.walk[0].in.rank() > 0 ? run.walk[0].in[0] : run.config.batch;
  return html::paragraph(fmt::format(
             "One step with {} took {} ms forward and {} ms backward, measured layer by layer; "
             "{} of it went to <em>{}</em>. Backward usually takes twice as long as forward, "
             "because it answers two questions where forward answers one: how the loss changes "
             "with a layer\xE2\x80\x99s input, and how with its weights.",
             html::count_of(batch, "image", "images"), milliseconds(forward),
             milliseconds(backward), html::percent(sum_of(top) / (forward + backward), 0),
             name_of(top))) +
         bars(run.layer_times) + table(run, forward, backward);
}

}  // namespace limulus::report
