#include "training/report/figures.h"

#include <fmt/format.h>

#include "pages/html.h"
#include "pages/plot.h"
#include "pages/style.h"
#include "training/metrics.h"
#include "training/provenance.h"
#include "training/report/page_texts.h"

namespace limulus {

std::string figure_page(const std::string& title, const std::string& body,
                        const std::string& command, const std::string& kind) {
  std::string rows = html::pair_row("command", command);
  for (const auto& [name, value] : build_provenance()) rows += html::pair_row(name, value);
  const std::string style =
      html::style() + plot_style() + report::look_css() + report::figures_css();
  return html::page_begin(title, html::escape(kind), style) +
         fmt::format(
             R"(</header>
<main>
{0}<section>
<h2>Made with</h2>
{1}</section>
</main>
</body>
</html>
)",
             body, html::table_of_pairs("Provenance", rows));
}

std::string guesses(const TrainedModel& trained, const std::vector<float>& probabilities,
                    std::optional<std::int64_t> truth) {
  std::string out = "<ol class=\"guesses\">\n";
  for (const std::int64_t c :
       top_k(probabilities.data(), static_cast<std::int64_t>(probabilities.size()), 5)) {
    const auto at = static_cast<std::size_t>(c);
    out += fmt::format(
        "<li{}><span class=\"name\">{}</span><span class=\"track\"><span style=\"width:{:.1f}%\">"
        "</span></span><span class=\"value\">{}</span></li>\n",
        truth == c ? " class=\"truth\"" : "", html::escape(trained.classes.at(at)),
        100 * probabilities[at], html::percent(probabilities[at]));
  }
  return out + "</ol>\n";
}

}  // namespace limulus
