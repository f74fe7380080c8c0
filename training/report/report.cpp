// The page of a run: what came out, in one sentence; then the evidence.
#include "training/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "formats/atomic_file.h"
#include "layers/walk.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "pages/style.h"
#include "training/report/sections.h"

namespace limulus {
namespace report {

const Evaluation& detailed(const RunReport& run) {
  return run.single.metrics.count() > 0 ? run.single : run.ten;
}

const char* crops_of_detailed(const RunReport& run) {
  return &detailed(run) == &run.single ? "centre crop" : "ten crops";
}

const char* no_result(const RunReport& run) {
  return run.train_images > 0 && run.held_out == 0 ? "Nothing was held out"
                                                   : "The held-out images were not evaluated";
}

std::string class_name(const RunReport& run, std::int64_t index) {
  if (index < 0 || index >= static_cast<std::int64_t>(run.classes.size())) {
    return fmt::format("class {}", index);
  }
  return html::escape(run.classes[static_cast<std::size_t>(index)]);
}

namespace {

std::string title_of(const RunReport& run) {
  std::filesystem::path data(run.config.data);
  if (!data.has_filename()) data = data.parent_path();  // "flowers5/"
  const std::string name = data.filename().string();
  return html::escape(run.config.model + (name.empty() ? "" : " on " + name));
}

// Wilson's interval: where the true accuracy lies in 19 of 20 cases, if the images were drawn anew.
//     (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n),   z = 1.96
std::string interval(double p, std::int64_t count) {
  const double n = static_cast<double>(count), z = 1.96;
  const double middle = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  return fmt::format("{:.1f} to {}", 100 * (middle - half) / scale,
                     html::percent((middle + half) / scale));
}

std::string result(const RunReport& run) {
  const auto epochs = std::max(run.epochs_done, static_cast<std::int64_t>(run.epochs.size()));
  const Metrics& m = detailed(run).metrics;
  std::string out;
  if (!run.finished) {
    out += fmt::format("The run was stopped early, after {} of {}. ", with_thousands(epochs),
                       html::count_of(run.config.epochs, "epoch", "epochs"));
  }
  if (m.count() == 0) {
    if (epochs == 0) return out + "No epoch was completed, so there is no accuracy to report yet.";
    if (run.train_images > 0 && run.held_out == 0)
      return out +
             fmt::format(
                 "After {}, there is no accuracy to report: nothing was held out, as no class "
                 "has more than one image.",
                 html::count_of(epochs, "epoch", "epochs"));
    if (run.epochs.empty()) return out + "The accuracies of its tests were not kept.";
    const EpochRecord& last = run.epochs.back();
    return out + (std::isfinite(last.test_top1)
                      ? fmt::format("The last test, after epoch {}, had <strong>{}</strong> of the "
                                    "held-out images right; the final evaluation was not made.",
                                    last.epoch, html::percent(last.test_top1))
                      : "Its tests gave no accuracy, and the final evaluation was not made.");
  }
  out += fmt::format("After {}, the network names <strong>{}</strong> of {} correctly",
                     html::count_of(epochs, "epoch", "epochs"), html::percent(m.top1()),
                     html::count_of(m.count(), "held-out image", "held-out images"));
  if (const auto& d = detailed(run); d.images > m.count())
    out += fmt::format(" ({} of the {} that are held out could not be used)",
                       with_thousands(d.images - m.count()), with_thousands(d.images));
  if (&detailed(run) == &run.ten) return out + ", averaged over ten crops of each.";
  if (run.ten.metrics.count() == 0) {
    return out + " from their centre crop; ten crops were not evaluated.";
  }
  return out + fmt::format(
                   " from their centre crop, and <strong>{}</strong> averaged over ten "
                   "crops of each.",
                   html::percent(run.ten.metrics.top1()));
}

std::string fact(std::string_view name, std::string_view value, std::string_view note = "") {
  return fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>\n", name, value,
                     note.empty() ? "" : fmt::format("<span>{}</span>", note));
}

std::string facts(const RunReport& run) {
  std::string out = "<dl class=\"facts\">\n";
  const auto accuracy = [&](const char* name, const Metrics& m) {
    out += m.count() > 0 ? fact(name, html::percent(m.top1()),
                                fmt::format("95% interval {}", interval(m.top1(), m.count())))
                         : fact(name, "\xE2\x80\x93",
                                run.train_images > 0 && run.held_out == 0 ? "nothing held out"
                                                                          : "not evaluated");
  };
  accuracy("Centre crop", run.single.metrics);
  accuracy("Ten crops", run.ten.metrics);
  if (run.classes.size() > 1) {
    out += fact(
        "Chance", html::percent(1 / static_cast<double>(run.classes.size())),
        fmt::format("{} classes", with_thousands(static_cast<std::int64_t>(run.classes.size()))));
  }
  if (detailed(run).metrics.classes() > 5) {
    out += fact("Among the first five", html::percent(detailed(run).metrics.top5()),
                crops_of_detailed(run));
  }
  const WalkTotals all = totals(run.walk);
  if (all.parameters > 0) {
    out += fact("Parameters",
                all.parameters >= 1000000
                    ? fmt::format("{:.1f} M", 1e-6 * static_cast<double>(all.parameters))
                    : with_thousands(all.parameters),
                all.parameters >= 1000000 ? with_thousands(all.parameters) : "");
  }
  double seconds = 0, images = 0;
  for (const auto& e : run.epochs) {
    if (!std::isfinite(e.seconds * e.images_per_second)) continue;
    seconds += e.seconds;
    images += e.seconds * e.images_per_second;
  }
  if (seconds > 0) {
    out += fact("Training", html::duration(seconds),
                fmt::format("{} images per second", html::number(images / seconds, 1)));
  }
  return out + "</dl>\n";
}

struct Section {
  const char *id, *title;
  std::string (*body)(const RunReport&);
};

std::string page(const RunReport& run) {
  std::vector<Section> sections = {{"curves", "How it learned", curves},
                                   {"filters", "What the first layer looks for", filters},
                                   {"confusion", "Who is taken for whom", confusion},
                                   {"mistakes", "The worst mistakes", mistakes},
                                   {"times", "Where the time goes", times},
                                   {"network", "The network, layer by layer", network},
                                   {"skipped", "What was left out", skipped},
                                   {"settings", "Settings", settings},
                                   {"provenance", "Made with", provenance}};
  if (!run.missing.empty())
    sections.insert(sections.begin(), {"missing", "What this page cannot show", missing});
  const std::string title = title_of(run);
  std::string out = html::page_begin(title, "a training run", html::style() + plot_style()) +
                    fmt::format("<p class=\"result\">{}</p>\n{}<nav aria-label=\"Sections\"><ul>\n",
                                result(run), facts(run));
  for (const auto& s : sections) {
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", s.id, s.title);
  }
  out += "</ul></nav>\n</header>\n<main>\n";
  for (const auto& s : sections) {
    out += fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">"
        "{1}</h2>\n{2}</section>\n",
        s.id, s.title, s.body(run));
  }
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace
}  // namespace report

void write_report(const std::filesystem::path& path, const RunReport& run, bool keep_previous) {
  write_file_atomically(path, report::page(run), {.keep_previous = keep_previous});
}

}  // namespace limulus
