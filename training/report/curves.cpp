// Loss and accuracy over the epochs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "pages/html.h"
#include "pages/plot.h"
#include "training/report/sections.h"

namespace limulus::report {
namespace {

// How many steps an epoch had, so that a step's loss finds its place over the epochs. The records
// do not say it, but their time and speed give the images of an epoch.
double steps_per_epoch(const RunReport& run) {
  const auto steps = static_cast<double>(run.step_losses.size());
  const auto epochs = static_cast<double>(run.epochs.size());
  if (epochs == 0) return 1;
  const EpochRecord& last = run.epochs.back();
  const double images = last.seconds * last.images_per_second;
  const double guess =
      std::round(images / static_cast<double>(std::max<std::int64_t>(run.config.batch, 1)));
  const bool fits = guess >= 1 && guess * epochs <= steps && steps < guess * (epochs + 1);
  return fits && !run.finished ? guess : steps / epochs;
}

// Some hundred points at most: in a long run, each point is the mean of several steps.
PlotSeries step_series(const RunReport& run) {
  PlotSeries s;
  s.colour = 0;
  s.markers = false;
  const std::size_t steps = run.step_losses.size();
  const std::size_t width = (steps + 499) / 500;
  s.name = width > 1 ? fmt::format("means of {} steps", width) : "each step";
  const double per_epoch = steps_per_epoch(run);
  for (std::size_t begin = 0; begin < steps; begin += width) {
    const std::size_t end = std::min(begin + width, steps);
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(run.step_losses[i]);
    s.x.push_back(static_cast<double>(end) / per_epoch);
    s.y.push_back(sum / static_cast<double>(end - begin));
  }
  return s;
}

// Where the learning rate fell by a half or more from one epoch to the next. A rate below a
// thousandth of the largest is a cosine's end, not a step: the paper's three steps end there.
std::vector<PlotMark> rate_marks(const RunReport& run) {
  std::vector<PlotMark> marks;
  double largest = 0;
  for (const auto& e : run.epochs) {
    if (std::isfinite(e.lr)) largest = std::max(largest, e.lr);
  }
  for (std::size_t i = 1; i < run.epochs.size(); ++i) {
    const double ratio = run.epochs[i - 1].lr / run.epochs[i].lr;
    if (!std::isfinite(ratio) || ratio < 2 || run.epochs[i].lr < 0.999e-3 * largest) continue;
    const std::string times =
        ratio < 10 ? fmt::format("{:.3g}", ratio) : fmt::format("{:.0f}", ratio);
    marks.push_back({"\xC3\xB7" + times, static_cast<double>(run.epochs[i - 1].epoch)});
  }
  if (marks.size() > 4) marks.clear();  // a cosine's end, not steps
  return marks;
}

template <class Value>
PlotSeries series(const RunReport& run, const char* name, int colour, Value value) {
  PlotSeries s;
  s.name = name;
  s.colour = colour;
  for (const auto& e : run.epochs) {
    s.x.push_back(static_cast<double>(e.epoch));
    s.y.push_back(value(e));
  }
  return s;
}

// A series that has no number at all, such as the accuracy of nothing, takes no place in the
// legend.
void add_if_known(LinePlot* plot, PlotSeries s) {
  if (std::any_of(s.y.begin(), s.y.end(), [](double y) { return std::isfinite(y); }))
    plot->series.push_back(std::move(s));
}

LinePlot loss_plot(const RunReport& run) {
  LinePlot plot;
  plot.title = "Loss over epochs, on training and held-out images";
  plot.x_label = run.epochs.empty() ? "step" : "epoch";
  plot.y_label = "cross-entropy (nats)";
  if (!run.step_losses.empty()) plot.series.push_back(step_series(run));
  if (!run.epochs.empty()) {
    plot.series.push_back(series(run, "training", 2, [](auto& e) { return e.train_loss; }));
    add_if_known(&plot, series(run, "held-out", 1, [](auto& e) { return e.test_loss; }));
    plot.marks = rate_marks(run);
    plot.marks_name = "learning rate lowered";
  }
  const auto classes = static_cast<double>(run.classes.size());
  if (classes > 1) {
    plot.levels.push_back(
        {fmt::format("chance, ln {} = {:.2f}", run.classes.size(), std::log(classes)),
         std::log(classes)});
  }
  // High enough for all but the two highest of a hundred steps.
  std::vector<double> seen;
  double high = 0;
  for (const auto& s : plot.series) {
    for (const double y : s.y) {
      if (!std::isfinite(y)) continue;
      if (s.colour == 0) {
        seen.push_back(y);
      } else {
        high = std::max(high, y);
      }
    }
  }
  std::sort(seen.begin(), seen.end());
  if (!seen.empty()) high = std::max(high, seen[(seen.size() - 1) * 98 / 100]);
  for (const auto& level : plot.levels) high = std::max(high, level.y);
  if (high > 0) plot.y_max = 1.08 * high;
  return plot;
}

LinePlot accuracy_plot(const RunReport& run) {
  LinePlot plot;
  plot.title = "Accuracy over epochs, on training and held-out images";
  plot.x_label = "epoch";
  plot.y_label = "right answers";
  plot.percent = true;
  plot.series.push_back(series(run, "training", 2, [](auto& e) { return e.train_top1; }));
  add_if_known(&plot, series(run, "held-out", 1, [](auto& e) { return e.test_top1; }));
  if (run.classes.size() > 5) {
    add_if_known(&plot, series(run, "held-out, among the first five", 3,
                               [](auto& e) { return e.test_top5; }));
  }
  double high = 0;
  for (const auto& s : plot.series) {
    for (const double y : s.y) {
      if (std::isfinite(y)) high = std::max(high, y);
    }
  }
  if (high > 0.5) plot.y_max = 1.02;
  plot.marks = rate_marks(run);
  plot.marks_name = "learning rate lowered";
  if (run.classes.size() > 1) {
    const double chance = 1 / static_cast<double>(run.classes.size());
    plot.levels.push_back(
        {fmt::format("chance, 1/{} = {}", run.classes.size(), html::percent(chance)), chance});
  }
  return plot;
}

std::string figure(const LinePlot& plot, std::string_view heading) {
  return fmt::format("<figure>\n<h3>{}</h3>\n{}{}</figure>\n", heading, plot_legend(plot),
                     plot_svg(plot));
}

std::string epoch_table(const RunReport& run) {
  std::string rows;
  for (const auto& e : run.epochs) {
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        e.epoch, html::number(e.train_loss, 4), html::percent(e.train_top1),
        html::number(e.test_loss, 4), html::percent(e.test_top1), html::percent(e.test_top5),
        std::isfinite(e.lr) ? fmt::format("{:.3g}", e.lr) : html::number(e.lr, 0),
        html::duration(e.seconds), html::number(e.images_per_second, 1),
        html::percent(e.waiting, 0));
  }
  return "<details>\n<summary>All epochs as a table</summary>\n" +
         html::scroll_box(
             "Epochs",
             "<table class=\"numbers\">\n<thead><tr><th scope=\"col\">epoch</th>"
             "<th scope=\"col\">training loss</th><th scope=\"col\">training top-1</th>"
             "<th scope=\"col\">held-out loss</th><th scope=\"col\">held-out top-1</th>"
             "<th scope=\"col\">held-out top-5</th><th scope=\"col\">learning rate</th>"
             "<th scope=\"col\">time</th><th scope=\"col\">images/s</th>"
             "<th scope=\"col\">waiting for data</th></tr></thead>\n<tbody>\n" +
                 rows + "</tbody>\n</table>") +
         "</details>\n";
}

}  // namespace

std::string curves(const RunReport& run) {
  if (run.epochs.empty() && run.step_losses.empty() && run.epochs_done > 0) {
    return html::paragraph(
        "The losses of its steps and epochs were not kept, so there is no curve to draw.");
  }
  if (run.epochs.empty() && run.step_losses.empty()) {
    return html::paragraph("Not one step was made, so there is no curve to draw.");
  }
  if (run.epochs.empty()) {
    return html::paragraph(
               "The run ended within its first epoch: only the loss of single steps is "
               "known, and nothing yet of the held-out images.") +
           "<div class=\"pair\">\n" + figure(loss_plot(run), "Loss") + "</div>\n";
  }
  std::string out = "<div class=\"pair\">\n" + figure(loss_plot(run), "Loss") +
                    figure(accuracy_plot(run), "Accuracy") + "</div>\n";
  out +=
      "<p class=\"note\">Training values are means over an epoch during which the weights "
      "changed, with dropout and random crops making the task harder; held-out values are of "
      "the centre crop at the epoch\xE2\x80\x99s end. So the held-out curve may well run on the "
      "better side of the training curve at first. Once training goes on improving while the "
      "held-out loss rises, the network learns its examples by heart.";
  out +=
      run.classes.size() > 1 ? " A network that guesses sits on the dashed line.</p>\n" : "</p>\n";
  return out + epoch_table(run);
}

}  // namespace limulus::report
