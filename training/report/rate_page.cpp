#include "training/report/rate_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/amounts.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "training/report/figures.h"

namespace limulus {
namespace {

std::string rate_text(double rate) { return fmt::format("{:.2g}", rate); }

LinePlot rate_plot(const RateSweep& sweep) {
  LinePlot plot{.title = "Loss over the learning rate, step by step",
                .x_label = "learning rate",
                .y_label = "cross-entropy (nats)"};
  plot.log_x = true;
  PlotSeries each, smoothed;
  each.name = "the batch behind each step";
  each.colour = 0;
  smoothed.name = "smoothed";
  each.markers = smoothed.markers = false;
  double high = sweep.start;
  for (const RateStep& s : sweep.steps) {
    each.x.push_back(s.rate);
    each.y.push_back(s.loss);
    smoothed.x.push_back(s.rate);
    smoothed.y.push_back(s.smoothed);
  }
  // What happens while it blows up needs no room: the axis ends a little above the start and the
  // losses of the first half of the steps.
  double low = sweep.start;
  for (std::size_t i = 0; i < sweep.steps.size(); ++i) {
    if (!std::isfinite(sweep.steps[i].loss)) continue;
    low = std::min(low, sweep.steps[i].loss);
    if (2 * i < sweep.steps.size()) high = std::max(high, sweep.steps[i].loss);
  }
  plot.y_min = std::max(0.0, low - 0.2 * (high - low));
  plot.y_max = high + 0.6 * std::max(high - low, 0.01);
  plot.series = {each, smoothed};
  plot.levels.push_back({fmt::format("before the first step: {:.3g}", sweep.start), sweep.start});
  const auto mark = [&](const char* name, std::size_t step) {
    plot.marks.push_back({name, sweep.steps[step].rate});
  };
  plot.marks_name = "marked rates";
  if (sweep.suggestion > 0)
    plot.marks.push_back({"suggested " + rate_text(sweep.suggestion), sweep.suggestion});
  if (sweep.least) mark("least", *sweep.least);
  if (sweep.blew_up) mark("blown up", sweep.steps.size() - 1);
  std::sort(plot.marks.begin(), plot.marks.end(),
            [](const PlotMark& a, const PlotMark& b) { return a.x < b.x; });
  return plot;
}

std::string rate_table(const RateSweep& sweep) {
  std::string rows;
  for (const std::size_t i : rates_to_show(sweep)) {
    const RateStep& s = sweep.steps[i];
    rows += fmt::format("<tr><th scope=\"row\">{:.3g}</th><td>{}</td><td>{}</td></tr>\n", s.rate,
                        html::number(s.loss, 4), html::number(s.smoothed, 4));
  }
  return html::scroll_box(
      "Rates",
      "<table class=\"numbers\">\n<thead><tr><th scope=\"col\">rate</th><th scope=\"col\">loss"
      "</th><th scope=\"col\">smoothed</th></tr></thead>\n<tbody>\n" +
          rows + "</tbody>\n</table>");
}

}  // namespace

std::string rates_seen(const RateSweep& sweep, const TrainConfig& config) {
  const double passes = static_cast<double>(sweep.images) / static_cast<double>(sweep.set);
  return fmt::format(
      "{} at rising rates, {:.2g} to {:.2g}, and {} of {} from the training part: {} ({:.1f} "
      "passes over its {}); nothing of the held-out part was used",
      html::count_of(static_cast<std::int64_t>(sweep.steps.size()), "step", "steps"),
      sweep.steps.front().rate, sweep.steps.back().rate,
      html::count_of(sweep.batches, "batch", "batches"), config.batch,
      html::count_of(sweep.images, "picture", "pictures"), passes, with_thousands(sweep.set));
}

std::string rates_told(const RateSweep& sweep, const RateSweepOptions& o) {
  std::string out;
  if (sweep.steepest)
    out += fmt::format("The loss falls most steeply at rate {}, by {:.2g} per decade of the rate. ",
                       rate_text(sweep.steps[*sweep.steepest].rate), sweep.fall);
  else
    out += "At no rate does the loss fall clearly. ";
  if (sweep.least)
    out +=
        fmt::format("Smoothed, it is the least at {} ({:.3g}",
                    rate_text(sweep.steps[*sweep.least].rate), sweep.steps[*sweep.least].smoothed);
  out += sweep.blew_up
             ? fmt::format("), and has blown up at {}: to {}.", rate_text(sweep.steps.back().rate),
                           std::isfinite(sweep.steps.back().loss)
                               ? fmt::format("more than {:g} times its least value", o.blow_up)
                               : std::string("no number any more"))
             : fmt::format("), and has not blown up at any rate to {:g}.", o.highest);
  return out;
}

std::string rate_suggested(const RateSweep& sweep) {
  const std::string tenth = sweep.blew_up ? fmt::format(" (a tenth of where it blew up is {})",
                                                        rate_text(sweep.steps.back().rate / 10))
                                          : "";
  switch (sweep.reason) {
    case RateReason::steepest:
      return fmt::format("--lr {}: there the loss falls most steeply{}",
                         rate_text(sweep.suggestion), tenth);
    case RateReason::tenth_of_blow_up:
      if (sweep.steepest) {
        const std::string tenth_of_it = rate_text(sweep.suggestion);
        const std::string fall = rate_text(sweep.steps[*sweep.steepest].rate);
        return fmt::format(
            "--lr {}: a tenth of the rate at which the loss blew up, which is {} that of the "
            "steepest fall{}",
            tenth_of_it, fall == tenth_of_it ? "just below" : "less than",
            fall == tenth_of_it ? "" : ", " + fall);
      }
      return fmt::format(
          "--lr {} at most: a tenth of the rate at which the loss blew up. It falls nowhere so "
          "clearly that a better one could be named; a larger --batch makes its losses less noisy",
          rate_text(sweep.suggestion));
    case RateReason::none:
      break;
  }
  return "none: in so short a sweep the loss neither falls clearly nor blows up; a larger --batch "
         "makes its losses less noisy";
}

std::vector<std::size_t> rates_to_show(const RateSweep& sweep) {
  std::vector<std::size_t> shown;
  const std::size_t last = sweep.steps.size() - 1;
  double next = 0;
  for (std::size_t i = 0; i <= last; ++i) {
    const double at = std::log10(sweep.steps[i].rate / sweep.steps.front().rate);
    const bool named = i == last || i == sweep.steepest || i == sweep.least;
    if (at >= next - 1e-9)
      next = at + 0.5;
    else if (!named)
      continue;
    shown.push_back(i);
  }
  return shown;
}

std::string rate_page(const RateSweep& sweep, const RateSweepOptions& options,
                      const TrainConfig& config, const std::string& command) {
  const LinePlot plot = rate_plot(sweep);
  std::string body = fmt::format(
      "<p class=\"result\">{} {}.</p>\n",
      sweep.suggestion > 0 ? "Suggested:" : "Suggested rate:", html::escape(rate_suggested(sweep)));
  body += html::paragraph(html::escape(rates_told(sweep, options)));
  body += fmt::format("<figure style=\"max-width:44rem\">{}{}</figure>\n", plot_legend(plot),
                      plot_svg(plot));
  body += rate_table(sweep);
  body += fmt::format(
      "<p class=\"note\">{}. From each step to the next the rate grows by the same factor. The "
      "grey line is the loss of the batch that follows a step at that rate; the smoothed one is "
      "the mean of the last losses, in which each step back counts {:g} times as much. The slope "
      "is that of a straight line through the losses of {} steps on either side. (L. N. Smith, "
      "Cyclical Learning Rates for Training Neural Networks, 2015, section 3.3.)</p>\n"
      "<p class=\"note\">What it does not tell: how long a rate serves. At the end of a run it has "
      "to be smaller, which is what --schedule is for, and a short sweep says nothing of the "
      "accuracy on held-out pictures. Try the suggestion, and a third and three times as "
      "much; and sweep with another --seed, which tells how much of the answer is "
      "chance.</p>\n",
      html::escape(rates_seen(sweep, config)), options.keep, options.reach);
  const std::string data = std::filesystem::path(config.data).filename().string();
  return figure_page(html::escape(fmt::format("Which learning rate? {}{}", config.model,
                                              data.empty() ? "" : " on " + data)),
                     body, command, "a sweep of learning rates");
}

}  // namespace limulus
