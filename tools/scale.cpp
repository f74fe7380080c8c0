// limulus scale: what more machines would bring, on a network of this bandwidth and latency.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "models/models.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "tools/writable.h"
#include "training/report/figures.h"
#include "training/scaling.h"

namespace limulus::tools {
namespace {

constexpr Exchange exchanges[] = {Exchange::gradients, Exchange::factors};

struct ScaleArguments {
  std::string model = "alexnet", device = "cpu", machines = "1..1024", html;
  std::int64_t batch = 128, per_machine = 0, micro_batches = 1, classes = 0;
  double bandwidth = 1, latency = 50;  // Gb/s, microseconds
  std::vector<double> seconds;         // per image, products per image, update
  int threads = 0;
  bool json = false;
};

struct Curve {
  Exchange exchange;
  std::vector<StepForecast> points;
};

// "1..1024": 1, 2, 4 ... and the last; "4": one number.
std::vector<int> machines_of(const std::string& text) {
  constexpr int kMost = 1'000'000;
  const auto number = [&](const std::string& part) {
    int n = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), n);
    if (error != std::errc() || end != part.data() + part.size() || n < 1 || n > kMost)
      throw ValueError(
          fmt::format("scale: --machines takes 4 or 1..1024, numbers from 1 to {}, not '{}'", kMost,
                      printable(text)));
    return n;
  };
  const std::size_t dots = text.find("..");
  if (dots == std::string::npos) return {number(text)};
  const int first = number(text.substr(0, dots)), last = number(text.substr(dots + 2));
  if (last < first)
    throw ValueError(fmt::format("scale: --machines {}: ends before it begins", text));
  std::vector<int> all;
  for (std::int64_t n = first; n < last; n *= 2) all.push_back(static_cast<int>(n));
  all.push_back(last);
  return all;
}

// How fast R machines are, as a part of R times one machine.
double efficiency(const StepForecast& f, double alone) {
  return f.images_per_second() / (alone * f.machines);
}

LinePlot plot_of(const std::vector<Curve>& curves, double alone) {
  LinePlot plot{.title = "The speed of R machines as a part of R times that of one",
                .x_label = "machines",
                .y_label = "of R times the speed of one"};
  plot.log_x = plot.percent = true;
  plot.y_max = 1.05;
  for (const Curve& curve : curves) {
    PlotSeries series;
    series.name = fmt::format("--exchange {}", name_of(curve.exchange));
    series.colour = curve.exchange == Exchange::factors ? 2 : 1;
    for (const StepForecast& f : curve.points) {
      series.x.push_back(f.machines);
      series.y.push_back(efficiency(f, alone));
    }
    plot.series.push_back(series);
  }
  return plot;
}

std::string table_of(const std::vector<Curve>& curves, double alone) {
  std::string text =
      fmt::format("{:19}{:51}{}", "", name_of(curves[0].exchange), name_of(curves[1].exchange));
  text += fmt::format("\n{:>8}  {:>6}", "machines", "images");
  for (std::size_t i = 0; i < curves.size(); ++i)
    text += fmt::format("   {:>7}  {:>7}  {:>6}  {:>6}  {:>6}  {:>5}", "MB sent", "compute", "send",
                        "wait", "img/s", "of R");
  for (std::size_t i = 0; i < curves[0].points.size(); ++i) {
    const StepForecast& first = curves[0].points[i];
    text += fmt::format("\n{:>8}  {:>6}", first.machines, first.batch);
    for (const Curve& c : curves) {
      const StepForecast& f = c.points[i];
      text += fmt::format("   {:>7.1f}  {:>7.3f}  {:>6.3f}  {:>6.3f}  {:>6.0f}  {:>3.0f} %",
                          f.bytes / 1e6, f.compute, f.communicate, f.waiting, f.images_per_second(),
                          100 * efficiency(f, alone));
    }
  }
  return text;
}

std::string traffic_of(const Module& network, int machines, std::int64_t batch) {
  std::string text;
  for (const Exchange exchange : exchanges)
    text += "\n\n" + traffic_text(expected_traffic(network, machines, batch, exchange), machines);
  return text;
}

void scale(const CLI::App& command, const ScaleArguments& a) {
  // With more machines than images some would have none.
  const std::vector<int> asked = machines_of(a.machines);
  const auto most =
      a.per_machine > 0 ? asked.end() : std::upper_bound(asked.begin(), asked.end(), a.batch);
  const std::vector<int> machines(asked.begin(), most), left_out(most, asked.end());
  if (machines.empty())
    throw ValueError(
        fmt::format("scale: {} machines share a batch of {} images: some have none; give a "
                    "larger --batch, or "
                    "--per-machine",
                    asked.front(), a.batch));
  if (!a.html.empty()) check_writable(a.html);
  const Cluster cluster{a.bandwidth * 1e9 / 8, a.latency * 1e-6};
  use_threads(command, a.threads, a.device);
  Backend& backend = *devices(a.device).front();
  const auto [spec, network, notes] = open_model(a.model, a.classes, backend);
  const std::int64_t classes = a.classes > 0 ? a.classes : spec.classes;
  StepTimes times;
  if (a.seconds.empty()) {
    StatusLine line;
    line.draw("measuring a step ...");
    constexpr std::int64_t kMeasured = 32;
    const std::int64_t images = a.per_machine > 0 ? a.per_machine : a.batch;
    times = measure_step(*network, backend, spec.input, std::min(images, kMeasured), classes);
  } else {
    times = {a.seconds[0], a.seconds[1], a.seconds[2]};
  }
  std::vector<Curve> curves;
  for (const Exchange exchange : exchanges) {
    Curve curve{exchange, {}};
    for (const int n : machines) {
      const std::int64_t batch = a.per_machine > 0 ? a.per_machine * n : a.batch;
      curve.points.push_back(
          forecast(*network, spec.input, times, cluster, n, batch, exchange, a.micro_batches));
    }
    curves.push_back(curve);
  }
  // One machine sends nothing.
  const double alone = forecast(*network, spec.input, times, cluster, 1,
                                a.per_machine > 0 ? a.per_machine : a.batch, Exchange::gradients)
                           .images_per_second();
  if (!std::isfinite(alone))
    throw ValueError(fmt::format(
        "scale: --seconds {:g},{:g},{:g}: a step of one machine takes 0 s; at least one "
        "of the three has to be above 0",
        times.per_image, times.products, times.update));
  std::string table = table_of(curves, alone);
  if (!left_out.empty())
    table += fmt::format(
        "\nLeft out: {} machines, more than the {} images of a step (--per-machine gives each "
        "some)",
        fmt::join(left_out, ", "), a.batch);
  if (a.json) {
    nlohmann::ordered_json j = {{"model", a.model},
                                {"classes", classes},
                                {"bandwidth_bytes_per_second", cluster.bandwidth},
                                {"latency_seconds", cluster.latency},
                                {"micro_batches_of_each", a.micro_batches},
                                {"seconds_per_image", times.per_image},
                                {"seconds_per_image_products", times.products},
                                {"seconds_update", times.update},
                                {"machines_without_an_image", left_out}};
    for (const Curve& curve : curves)
      for (const StepForecast& f : curve.points)
        j[name_of(curve.exchange)].push_back({{"machines", f.machines},
                                              {"batch", f.batch},
                                              {"bytes_sent", f.bytes},
                                              {"compute_seconds", f.compute},
                                              {"send_seconds", f.communicate},
                                              {"wait_seconds", f.waiting},
                                              {"images_per_second", f.images_per_second()}});
    print_line(json_text(j));
  } else {
    print_line(fmt::format(
        "One machine{}: {:.4g} s an image, {:.4g} s an image for the products of fully connected "
        "layers,\n{:.4g} s for the update (--seconds {:.4g},{:.4g},{:.4g}). The network: {:g} "
        "Gb/s, "
        "{:g} us.\n",
        a.seconds.empty() ? ", measured" : "", times.per_image, times.products, times.update,
        times.per_image, times.products, times.update, a.bandwidth, a.latency));
    print_line(table);
    if (asked.size() == 1)
      print_line(traffic_of(*network, machines[0], curves[0].points[0].batch).substr(1));
  }
  if (a.html.empty()) return;
  const LinePlot plot = plot_of(curves, alone);
  write_file_atomically(
      a.html,
      figure_page(html::escape(fmt::format("How many machines? {}", a.model)),
                  fmt::format("<figure style=\"max-width:44rem\">{}{}</figure>\n<pre>{}</pre>\n",
                              plot_legend(plot), plot_svg(plot), html::escape(table)),
                  fmt::format("limulus scale --model {} --bandwidth {:g} --latency {:g}", a.model,
                              a.bandwidth, a.latency),
                  "a forecast for several machines"));
  if (!a.json) print_line("\nPlot  " + printable(a.html));
}

}  // namespace

void add_scale(CLI::App& app) {
  auto a = std::make_shared<ScaleArguments>();
  CLI::App* c = app.add_subcommand("scale", "Forecast what more machines would bring to training");
  c->footer(
      "Example: limulus scale --machines 1..1024 --bandwidth 10 --latency 20\n"
      "         limulus scale --machines 4     # and what each layer sends");
  c->add_option("--model", a->model, "Network (limulus explain --list)")->capture_default_str();
  c->add_option("--machines", a->machines, "A number, or the first and the last of 1, 2, 4 ...")
      ->capture_default_str();
  c->add_option("--bandwidth", a->bandwidth, "Of a machine's connection, in Gb/s")
      ->check(between(1e-6, 1e6))
      ->capture_default_str();
  c->add_option("--latency", a->latency, "Of a message, in microseconds")
      ->check(between(0, 1e9))
      ->capture_default_str();
  CLI::Option* batch = c->add_option("--batch", a->batch, "Images of a step, of all machines")
                           ->check(CLI::Range(1, 1'000'000'000))
                           ->capture_default_str();
  c->add_option("--per-machine", a->per_machine, "Or images of each machine: the batch grows")
      ->check(CLI::Range(1, 1'000'000))
      ->excludes(batch);
  c->add_option(
       "--micro-batches", a->micro_batches,
       "So many of each machine: what is complete before the last is done travels meanwhile")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  c->add_option("--classes", a->classes, "Classes (default: the model's)")
      ->check(CLI::Range(1, 1'000'000));
  c->add_option("--seconds", a->seconds,
                "Measured before: seconds an image, an image's products, the update")
      ->delimiter(',')
      ->expected(3)
      ->check(between(0, 1e6));
  c->add_option("--threads", a->threads, "Threads of the cpu device")->check(CLI::Range(1, 1024));
  c->add_option("--html", a->html, "A page with the curves");
  c->add_flag("--json", a->json, "As JSON");
  c->callback([a, c] { scale(*c, *a); });
}

}  // namespace limulus::tools
