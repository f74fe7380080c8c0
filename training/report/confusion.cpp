// The confusion matrix: who is taken for whom, a table of all pairs, or of the most frequent ones
// when classes are many.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/amounts.h"
#include "pages/html.h"
#include "training/report/sections.h"

namespace limulus::report {
namespace {

constexpr std::int64_t kMatrixClasses = 20;
constexpr std::size_t kPairs = 25;
constexpr std::size_t kRecalls = 1000;  // classes in the table of recalls

struct Counts {
  std::vector<std::int64_t> truth, guess, right;  // per class
};

Counts count(const Metrics& m) {
  const auto n = static_cast<std::size_t>(m.classes());
  Counts c{std::vector<std::int64_t>(n), std::vector<std::int64_t>(n),
           std::vector<std::int64_t>(n)};
  for (const auto& [pair, images] : m.confusions()) {
    const auto truth = static_cast<std::size_t>(pair.first);
    c.truth[truth] += images;
    c.guess[static_cast<std::size_t>(pair.second)] += images;
    if (pair.first == pair.second) c.right[truth] = images;
  }
  return c;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                   : std::numeric_limits<double>::quiet_NaN();
}

std::string matrix(const RunReport& run, const Metrics& m, const Counts& counts) {
  const std::int64_t n = m.classes();
  std::size_t letters = 0;
  for (const auto& name : run.classes) letters += name.size();
  const bool numbered = letters > 72;  // the names would make the columns too wide
  std::string head = "<tr><th scope=\"col\" class=\"corner\">true class</th>";
  for (std::int64_t g = 0; g < n; ++g) {
    head += numbered ? fmt::format("<th scope=\"col\"><abbr title=\"{}\">{}</abbr></th>",
                                   class_name(run, g), g + 1)
                     : fmt::format("<th scope=\"col\">{}</th>", class_name(run, g));
  }
  head +=
      "<th scope=\"col\" class=\"margin\">images</th>"
      "<th scope=\"col\" class=\"margin\">recall</th></tr>\n";
  std::string body;
  for (std::int64_t t = 0; t < n; ++t) {
    const auto row = static_cast<std::size_t>(t);
    body += fmt::format("<tr><th scope=\"row\">{}{}</th>",
                        numbered ? fmt::format("{}. ", t + 1) : "", class_name(run, t));
    for (std::int64_t g = 0; g < n; ++g) {
      const std::int64_t images = m.confusion(t, g);
      const double part = images > 0 ? share(images, counts.truth[row]) : 0;
      body += fmt::format("<td class=\"{}\" style=\"--share:{:.3f}\">{}</td>",
                          t == g        ? "right"
                          : images == 0 ? "none"
                                        : "wrong",
                          part, images == 0 ? "\xC2\xB7" : with_thousands(images));
    }
    body += fmt::format("<td class=\"margin\">{}</td><td class=\"margin\">{}</td></tr>\n",
                        with_thousands(counts.truth[row]),
                        html::percent(share(counts.right[row], counts.truth[row])));
  }
  body += "<tr class=\"total\"><th scope=\"row\">precision</th>";
  for (std::size_t g = 0; g < static_cast<std::size_t>(n); ++g) {
    body += fmt::format("<td>{}</td>", html::percent(share(counts.right[g], counts.guess[g]), 0));
  }
  body += fmt::format("<td class=\"margin\">{}</td><td class=\"margin\">{}</td></tr>\n",
                      with_thousands(m.count()), html::percent(m.top1()));
  return html::scroll_box("Confusion matrix",
                          "<table class=\"confusion\">\n<caption>columns: what the network "
                          "answered</caption>\n<thead>" +
                              head + "</thead>\n<tbody>\n" + body + "</tbody>\n</table>") +
         "<p class=\"note\">A row is a true class, and its shades are the shares of its images: "
         "right answers stand framed on the diagonal, a dot is none. Recall: how many of a "
         "class\xE2\x80\x99s images were found. Precision: how many of its answers were "
         "right.</p>\n";
}

struct Pair {
  std::int64_t truth, guess, images;
};

std::vector<Pair> confused_pairs(const Metrics& m) {
  std::vector<Pair> pairs;
  for (const auto& [pair, images] : m.confusions())
    if (pair.first != pair.second) pairs.push_back({pair.first, pair.second, images});
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.images > b.images; });
  return pairs;
}

std::string pair_table(const RunReport& run, const std::vector<Pair>& pairs, const Counts& counts) {
  std::string rows;
  for (std::size_t i = 0; i < std::min(pairs.size(), kPairs); ++i) {
    const Pair& p = pairs[i];
    const std::int64_t all = counts.truth[static_cast<std::size_t>(p.truth)];
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td>"
        "<td>{}</td></tr>\n",
        class_name(run, p.truth), class_name(run, p.guess), with_thousands(p.images),
        html::percent(share(p.images, all)));
  }
  return html::scroll_box(
      "Most frequent confusions",
      "<table class=\"numbers\">\n<caption>The most frequent confusions</caption>\n"
      "<thead><tr><th scope=\"col\">true class</th><th scope=\"col\" "
      "class=\"text\">taken for</th><th scope=\"col\">images</th>"
      "<th scope=\"col\">of the class</th></tr></thead>\n<tbody>\n" +
          rows + "</tbody>\n</table>");
}

std::string recall_table(const RunReport& run, const Counts& counts) {
  std::vector<std::size_t> order;  // classes with images
  for (std::size_t c = 0; c < counts.truth.size(); ++c)
    if (counts.truth[c] > 0) order.push_back(c);
  const std::size_t with_images = order.size(), without = counts.truth.size() - with_images;
  const auto recall = [&](std::size_t c) { return share(counts.right[c], counts.truth[c]); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return recall(a) < recall(b); });
  if (order.size() > kRecalls) order.resize(kRecalls);
  std::string rows;
  for (const std::size_t c : order) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        class_name(run, static_cast<std::int64_t>(c)),
                        with_thousands(counts.truth[c]), with_thousands(counts.right[c]),
                        html::percent(share(counts.right[c], counts.truth[c])));
  }
  std::string title = order.size() < with_images
                          ? fmt::format("Recall of the {} classes with the lowest, of {}",
                                        with_thousands(static_cast<std::int64_t>(order.size())),
                                        with_thousands(static_cast<std::int64_t>(with_images)))
                          : std::string("Recall of every class, the lowest first");
  if (without > 0)
    title +=
        fmt::format(" ({} without held-out images)",
                    html::count_of(static_cast<std::int64_t>(without), "class is", "classes are"));
  return fmt::format("<details>\n<summary>{}</summary>\n", title) +
         html::scroll_box("Recall per class",
                          "<table class=\"numbers\">\n<thead><tr><th scope=\"col\">class</th>"
                          "<th scope=\"col\">images</th><th scope=\"col\">right</th>"
                          "<th scope=\"col\">recall</th></tr></thead>\n<tbody>\n" +
                              rows + "</tbody>\n</table>") +
         "</details>\n";
}

}  // namespace

std::string confusion(const RunReport& run) {
  const Metrics& m = detailed(run).metrics;
  if (m.count() == 0) {
    return html::paragraph(
        fmt::format("{}, so nothing is known of single classes.", no_result(run)));
  }
  const Counts counts = count(m);
  const auto pairs = confused_pairs(m);
  std::string lead = fmt::format("Of {}, seen by their {}, ",
                                 html::count_of(m.count(), "held-out image", "held-out images"),
                                 crops_of_detailed(run));
  if (pairs.empty()) {
    lead += "every one was named correctly.";
  } else {
    const Pair& p = pairs.front();
    lead += fmt::format(
        "{} were named correctly. The most frequent mistake: {} of {} images of <em>{}</em> were "
        "taken for <em>{}</em>.",
        html::percent(m.top1()), with_thousands(p.images),
        with_thousands(counts.truth[static_cast<std::size_t>(p.truth)]), class_name(run, p.truth),
        class_name(run, p.guess));
  }
  if (m.classes() <= kMatrixClasses) return html::paragraph(lead) + matrix(run, m, counts);
  return html::paragraph(lead) + (pairs.empty() ? "" : pair_table(run, pairs, counts)) +
         recall_table(run, counts);
}

}  // namespace limulus::report
