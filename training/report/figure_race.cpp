// Figure 1: the training error of a network of four layers, epoch by epoch, with ReLU and with
// tanh.
#include <fmt/format.h>

#include "core/amounts.h"
#include "models/models.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "training/report/figures.h"

namespace limulus {
namespace {

// "ReLU came to 25 % in 5 epochs, tanh in 30: six times as many."
std::string outcome(const Race& race) {
  const RaceRun &relu = race.runs.at(0), &tanh = race.runs.at(1);
  const std::string goal = html::percent(race.options.goal, 0);
  const auto epochs = [](const RaceRun& run) {
    return html::count_of(static_cast<std::int64_t>(run.errors.size()), "epoch", "epochs");
  };
  if (relu.reached && tanh.reached)
    return fmt::format(
        "With ReLU the training error came to {} in {}, with tanh in {}: {:.1f} times as many. In "
        "the paper it was six times as many.",
        goal, epochs(relu), epochs(tanh),
        static_cast<double>(tanh.errors.size()) / static_cast<double>(relu.errors.size()));
  std::string out;
  for (const RaceRun* run : {&relu, &tanh})
    out += fmt::format(
        "{} {} {} in {}{}. ", run == &relu ? "ReLU" : "tanh",
        run->reached ? "came to" : "did not come to", goal, epochs(*run),
        run->reached ? ""
                     : fmt::format(" (its last error was {})", html::percent(run->errors.back())));
  return out + "More epochs (--epochs) would tell how far apart they are.";
}

}  // namespace

LinePlot race_plot(const Race& race) {
  LinePlot plot{.title = "Training error", .x_label = "epochs", .y_label = "training error"};
  plot.percent = true;
  plot.levels = {{html::percent(race.options.goal, 0), race.options.goal}};
  for (const RaceRun& run : race.runs) {
    PlotSeries s;
    s.name = run.nonlinearity == Nonlinearity::relu ? "ReLU" : "tanh";
    s.colour = run.nonlinearity == Nonlinearity::relu ? 1 : 2;
    s.y = run.errors;
    for (std::size_t epoch = 1; epoch <= run.errors.size(); ++epoch)
      s.x.push_back(static_cast<double>(epoch));
    plot.series.push_back(std::move(s));
  }
  return plot;
}

std::string figure_race(const Race& race, const std::string& data, const std::string& command) {
  const LinePlot plot = race_plot(race);
  std::string body = fmt::format("<p class=\"result\">{}</p>\n", outcome(race));
  body += fmt::format("<figure style=\"max-width:44rem\">{}{}</figure>\n", plot_legend(plot),
                      plot_svg(plot));
  std::string rows;
  for (const RaceRun& run : race.runs)
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{:g}</td><td>{}</td><td>{}</td></tr>\n",
                        run.nonlinearity == Nonlinearity::relu ? "ReLU" : "tanh", run.rate,
                        run.errors.size(), html::percent(run.errors.back()));
  body += html::scroll_box(
      "The two runs",
      "<table class=\"numbers\"><thead><tr><th></th><th scope=\"col\">rate</th><th "
      "scope=\"col\">epochs</th><th scope=\"col\">last error</th></tr></thead>\n<tbody>\n" +
          rows + "</tbody></table>");
  body += html::paragraph(
      fmt::format("A network of four layers (cifar-convnet) on {} pictures of {} as 32\xC3\x97"
                  "32 pixels, without regularization, from the same start; the rate of each is the "
                  "best of {} by the loss after {}. The error of an epoch is the part of its "
                  "pictures that the network, as it was when it saw them, took for something else. "
                  "The paper has all of CIFAR-10; on another set, or a smaller one, the ratio is "
                  "another one.",
                  with_thousands(race.images), html::escape(data), race.options.rates.size(),
                  html::count_of(race.options.trial, "epoch", "epochs")));
  return figure_page("Figure 1: training error with ReLU and with tanh", body, command);
}

}  // namespace limulus
