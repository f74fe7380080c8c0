#include "training/report/snapshot_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "pages/html.h"
#include "pages/style.h"
#include "training/provenance.h"
#include "training/report/page_texts.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;
using PageJson = nlohmann::ordered_json;

// A page of many: AlexNet's snapshot is about 100 kB.
constexpr std::size_t kMostOnPage = 100;

std::string subject_class(const SeriesSubject& subject, std::int64_t index) {
  return html::escape(subject.classes.at(static_cast<std::size_t>(index)));
}

// The bytes of a picture, as they are, inside the page.
constexpr const char* kWayOut = "move the folder away, and a new series of snapshots begins";

std::string stored_png(const fs::path& path) {
  std::vector<std::uint8_t> bytes;
  try {
    bytes = read_file(path);
  } catch (const FileError& error) {
    throw FileError(fmt::format("{}; {}", error.what(), kWayOut));
  }
  const std::string_view signature = "\x89PNG\r\n\x1a\n";
  if (bytes.size() < signature.size() ||
      !std::equal(signature.begin(), signature.end(), bytes.begin(),
                  [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }))
    throw FileError(fmt::format("{}: this is not a PNG any more; {}", path.string(), kWayOut));
  return "data:image/png;base64," + html::base64(bytes);
}

std::vector<float> probabilities_of(const PageJson& snapshot) {
  std::vector<float> p;
  for (const PageJson& value : snapshot["probabilities"])
    p.push_back(value.is_number() ? value.get<float>() : 0);
  return p;
}

// "After epoch 3 of 28: loss 1.21, 51.3% of the training and 48.0% of the held-out images right."
std::string moment_of(const PageJson& snapshot, std::int64_t epochs) {
  const auto epoch = snapshot["epoch"].get<std::int64_t>();
  if (epoch == 0) return "Before the first step: the random numbers that the run begins with.";
  std::string text = fmt::format("After epoch {} of {}", epoch, epochs);
  const auto number = [&](const char* key, const char* format, double scale) {
    if (snapshot.contains(key) && snapshot[key].is_number())
      text += fmt::format(fmt::runtime(format), scale * snapshot[key].get<double>());
  };
  number("training_loss", ": loss {:.3f}", 1);
  number("training_top1", ", {:.1f}% right in training", 100);
  number("held_out_top1", ", {:.1f}% of the held-out images", 100);
  return text + ".";
}

// What the script shows: of each snapshot its words, its pictures and the classes' probabilities.
PageJson series_of(const fs::path& folder, const std::vector<const PageJson*>& shown,
                   const std::vector<std::int64_t>& classes, std::int64_t epochs) {
  PageJson series = PageJson::array();
  for (const PageJson* snapshot : shown) {
    PageJson pictures = PageJson::array(), bars = PageJson::array();
    for (const PageJson& picture : (*snapshot)["pictures"])
      pictures.push_back(
          stored_png(folder / fs::path(picture.at("file").get<std::string>()).filename()));
    const std::vector<float> p = probabilities_of(*snapshot);
    for (const std::int64_t c : classes) bars.push_back(p.at(static_cast<std::size_t>(c)));
    series.push_back({{"epoch", (*snapshot)["epoch"]},
                      {"text", moment_of(*snapshot, epochs)},
                      {"pictures", pictures},
                      {"bars", bars}});
  }
  return series;
}

std::vector<const PageJson*> evenly_spaced_snapshots(const PageJson& all) {
  std::vector<const PageJson*> shown;
  const std::size_t count = all.size(), most = std::min(count, kMostOnPage);
  for (std::size_t i = 0; i < most; ++i)  // the first and the last are among them
    shown.push_back(&all[most == 1 ? count - 1 : i * (count - 1) / (most - 1)]);
  return shown;
}

std::string json_in_script(const PageJson& json) {
  std::string text = json.dump(-1, ' ', false, PageJson::error_handler_t::replace);
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos; at += 6)
    text.replace(at, 1, "\\u003c");
  return text;
}

std::string page_body(const fs::path& folder, const PageJson& all, const SeriesSubject& subject) {
  const std::vector<const PageJson*> shown = evenly_spaced_snapshots(all);
  const PageJson& last = *shown.back();
  const std::vector<float> p = probabilities_of(last);
  if (p.size() != subject.classes.size())
    throw FileError(
        fmt::format("{}: the index does not fit the run's classes; {}", folder.string(), kWayOut));
  const std::vector<std::int64_t> classes = shown_classes(p);
  const std::int64_t epochs = subject.config.epochs;
  const PageJson series = series_of(folder, shown, classes, epochs);

  std::string figures;
  for (std::size_t i = 0; i < last["pictures"].size(); ++i) {
    const PageJson& picture = last["pictures"][i];
    figures += fmt::format(
        "<figure><h3>{0}</h3><img class=\"forming\" data-picture=\"{1}\" alt=\"{0}\" "
        "src=\"{2}\"></figure>\n",
        html::escape(picture.value("text", "")), i,
        series.back()["pictures"].at(i).get<std::string>());
  }
  return fmt::format(
      R"(<div class="watch" id="watch" hidden>
<label for="when">Epoch</label>
<input id="when" type="range" min="0" max="{0}" value="{0}" step="1">
<button type="button" id="play" aria-pressed="false">Play</button>
</div>
<noscript><p class="note">The slider needs JavaScript; without it, the last snapshot is shown, and
the pictures of the others are in the folder snapshots beside this page.</p></noscript>
<p class="moment" id="moment" aria-live="polite">{1}</p>
<div class="sight">
<figure><h3>The photograph</h3><img class="photograph" alt="{2}" src="{3}">
<figcaption>{2}</figcaption></figure>
<div><h3>What the network takes it for</h3>
{4}</div>
</div>
<div class="forms">
{5}</div>
<p class="note">{6} Each filter, and each map, is stretched between its own least value and its
largest, so that noise is as bright as a clear edge; one that is the same everywhere is plain grey.
The maps are always the same ones of the layer, evenly spaced.</p>
<script id="series" type="application/json">{7}</script>
<script>{8}</script>
)",
      shown.size() - 1, moment_of(last, epochs), photograph_text(subject),
      stored_png(folder / "photograph.png"), probability_bars(subject, classes, p), figures,
      all.size() > shown.size()
          ? fmt::format("{} of {} snapshots, evenly spaced; the folder snapshots has all.",
                        shown.size(), all.size())
          : html::count_of(static_cast<std::int64_t>(all.size()), "snapshot.", "snapshots."),
      json_in_script(series), report::snapshots_js());
}

}  // namespace

std::string photograph_text(const SeriesSubject& subject) {
  const Photograph& p = subject.photograph;
  return html::escape(fmt::format("{}, {}: ", printable(p.name), p.part)) +
         subject_class(subject, p.label);
}

std::string probability_bars(const SeriesSubject& subject, const std::vector<std::int64_t>& classes,
                             const std::vector<float>& probabilities) {
  std::string bars = "<ul class=\"guesses\">\n";
  for (const std::int64_t c : classes) {
    const double p = static_cast<double>(probabilities.at(static_cast<std::size_t>(c)));
    bars += fmt::format(
        "<li{}><span class=\"name\">{}</span><span class=\"track\"><span style=\"width:{:.1f}%\">"
        "</span></span><span class=\"value\">{}</span></li>\n",
        c == subject.photograph.label ? " class=\"truth\"" : "", subject_class(subject, c),
        std::isfinite(p) ? 100 * p : 0, html::percent(p));
  }
  return bars + "</ul>\n";
}

std::string snapshot_page(const fs::path& folder, const PageJson& index,
                          const SeriesSubject& subject) {
  fs::path data(subject.config.data);
  if (!data.has_filename()) data = data.parent_path();
  const std::string title =
      html::escape("How " + subject.config.model + " forms" +
                   (data.filename().empty() ? "" : " on " + data.filename().string()));
  std::string body;
  try {
    body = page_body(folder, index["snapshots"], subject);
  } catch (const nlohmann::json::exception& error) {
    throw FileError(
        fmt::format("{}: the index is damaged ({}); {}", folder.string(), error.what(), kWayOut));
  } catch (const std::out_of_range&) {
    throw FileError(fmt::format("{}: the index is damaged; {}", folder.string(), kWayOut));
  }
  const std::string style =
      std::string(html::style()) + report::look_css() + report::figures_css() + report::watch_css();
  return html::page_begin(title, "snapshots of a training run", style) +
         fmt::format(
             R"(<nav aria-label="Pages of this run"><ul>
<li><a href="report.html">The run’s report</a>, written at its end</li></ul></nav>
</header>
<main>
{}</main>
</body>
</html>
)",
             body);
}

}  // namespace limulus
