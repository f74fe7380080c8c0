// The held-out images whose true class got the smallest probability.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "pages/html.h"
#include "training/report/sections.h"
#include "training/report/thumbnail.h"

namespace limulus::report {
namespace {

constexpr std::size_t kMost = 24;

}  // namespace

std::string mistakes(const RunReport& run) {
  const Evaluation& evaluation = detailed(run);
  if (evaluation.metrics.count() == 0) {
    return html::paragraph(fmt::format("{}, so no mistake is known.", no_result(run)));
  }
  if (evaluation.worst.empty()) {
    return html::paragraph(evaluation.metrics.top1() == 1 ? "There are none."
                                                          : "None were kept for this report.");
  }
  const std::size_t shown = std::min(evaluation.worst.size(), kMost);
  std::string out = html::paragraph(fmt::format(
      "The {} where the network was most surely wrong (largest loss first, {}), with the "
      "probability that it gave to its answer. Some are hard, some are labelled badly, and some "
      "show what it really looks at: a colour, a background.",
      html::count_of(static_cast<std::int64_t>(shown), "image", "images"), crops_of_detailed(run)));
  out += "<ul class=\"mistakes\">\n";
  for (std::size_t i = 0; i < shown; ++i) {
    const Mistake& m = evaluation.worst[i];
    const std::string truth = class_name(run, m.truth), guess = class_name(run, m.guess);
    const std::string file = html::escape(std::filesystem::path(m.name).filename().string());
    out += fmt::format(
        "<li>{}<p><span class=\"truth\">{}</span><span class=\"guess\"><span class=\"sign\" "
        "aria-hidden=\"true\">\xE2\x86\x92</span><span class=\"hidden\"> taken for </span> {} "
        "<b>{}</b></span><span class=\"file\" title=\"{}\">{}</span></p></li>\n",
        thumbnail(m.image, fmt::format("{}, taken for {}", truth, guess)), truth, guess,
        html::percent(m.probability, 0), html::escape(m.name), file);
  }
  return out + "</ul>\n";
}

}  // namespace limulus::report
