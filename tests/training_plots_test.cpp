// What a plot says of a run: marks where the rate was lowered, and a file's legend.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "pages/plot.h"
#include "temporary_folder.h"
#include "training/report/report.h"

using namespace limulus;

namespace {

// The report of a run with these learning rates, one for each epoch.
std::string page_of(const std::vector<double>& rates) {
  RunReport run;
  run.config.model = "lenet5";
  run.classes = {"a", "b"};
  run.step_losses = {1, 0.9f, 0.8f, 0.7f};
  for (std::size_t i = 0; i < rates.size(); ++i)
    run.epochs.push_back({.epoch = static_cast<int>(i) + 1, .train_loss = 1, .lr = rates[i]});
  run.single.metrics = run.ten.metrics = Metrics(2);
  const TemporaryFolder folder;
  write_report(folder / "report.html", run);
  return get_bytes(folder / "report.html");
}

// The words of the marks, "÷10,÷10,", which the plots of the loss and of the accuracy both have.
std::string marks(const std::vector<double>& rates) {
  const std::string page = page_of(rates), sign = "\xC3\xB7";
  std::string found;
  for (auto at = page.find('>' + sign); at != std::string::npos; at = page.find('>' + sign, at + 1))
    found += page.substr(at + 1, page.find('<', at) - at - 1) + ",";
  const std::string half = found.substr(0, found.size() / 2);
  CHECK(found == half + half);
  return half;
}

// A cosine's rates at the ends of its epochs.
std::vector<double> cosine(int epochs) {
  std::vector<double> rates;
  for (int e = 1; e <= epochs; ++e)
    rates.push_back(0.01 * (1 + std::cos(std::numbers::pi * (e - 0.02) / epochs)) / 2);
  return rates;
}

}  // namespace

TEST_CASE("report: where the rate was lowered in steps") {
  const std::string by = "\xC3\xB7";
  CHECK(marks({0.01, 0.01, 0.001, 0.001}) == by + "10,");
  CHECK(marks({0.01, 0.001, 0.0001, 0.00001}) == by + "10," + by + "10," + by + "10,");
  CHECK(marks({0.01, 0.004}) == by + "2.5,");
  CHECK(marks({0.01, 0.01 / 64}) == by + "64,");
  CHECK(marks({0.01, 0.01}).empty());
}

TEST_CASE("report: a cosine's end is no step, and no mark has an exponent") {
  for (const int epochs : {2, 3, 4, 5, 8, 28}) {
    const std::string found = marks(cosine(epochs));
    CAPTURE(epochs);
    CAPTURE(found);
    CHECK(found.find('e') == std::string::npos);
    CHECK(found.find("000") == std::string::npos);
  }
  CHECK(marks(cosine(2)).empty());
  CHECK(marks({0.01, 1e-9}).empty());
}

TEST_CASE("plot: a file's letters have one size, for which its legend has room") {
  LinePlot plot;
  plot.series.push_back({"augmentation", {0, 1}, {0, 1}});
  const std::string file = plot_file(plot), page = plot_style();
  CHECK(page.find("max-width") != std::string::npos);  // letters grow on a narrow page
  CHECK(file.find("max-width") == std::string::npos);
  CHECK(file.find("prefers-color-scheme") != std::string::npos);
}

TEST_CASE("plot: a logarithmic axis has a tick at each power of ten, equally far apart") {
  LinePlot plot{.title = "loss", .x_label = "rate", .y_label = "loss"};
  plot.log_x = true;
  plot.series = {{.name = "s", .x = {1e-5, 1e-3, 0.5}, .y = {2, 1, 3}, .markers = false}};
  plot.marks = {{"here", 1e-3}};
  const std::string svg = plot_svg(plot);
  std::vector<double> places;
  for (int e = -5; e <= -1; ++e) {
    const auto at = svg.find(">" + power_of_ten(e) + "</text>");
    REQUIRE_MESSAGE(at != std::string::npos, e);
    const auto x = svg.rfind("<text x=\"", at) + 9;
    places.push_back(std::stod(svg.substr(x)));
  }
  CHECK(svg.find(power_of_ten(0)) == std::string::npos);  // 0.5 is the largest
  CHECK(svg.find(power_of_ten(-6)) == std::string::npos);
  for (std::size_t i = 2; i < places.size(); ++i)
    CHECK(places[i] - places[i - 1] == doctest::Approx(places[1] - places[0]).epsilon(0.01));
  CHECK(svg.find("class=\"mark\" x1=\"" + std::to_string(places[2]).substr(0, 5)) !=
        std::string::npos);
  // One value alone is a range of its own, and no number is written that is none.
  plot.series = {{.name = "s", .x = {1e-3, 0}, .y = {2, NAN}}};
  CHECK(plot_svg(plot).find("nan") == std::string::npos);
  CHECK(plot_svg(plot).find("inf") == std::string::npos);
}
