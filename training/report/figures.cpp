#include "training/report/figures.h"

#include <fmt/format.h>

#include "pages/html.h"
#include "pages/plot.h"
#include "pages/style.h"
#include "training/provenance.h"

namespace limulus {

namespace report {  // embedded files
const char* look_css();
const char* figures_css();
}  // namespace report

std::string figure_page(const std::string& title, const std::string& body,
                        const std::string& command, const std::string& kind) {
  std::string rows =
      fmt::format("<tr><th scope=\"row\">command</th><td>{}</td></tr>\n", html::escape(command));
  for (const auto& [name, value] : build_provenance())
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html::escape(name),
                        html::escape(value));
  return fmt::format(
      R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{0} · Limulus</title>
<style>{1}{2}{3}{4}</style>
</head>
<body>
<header>
<p class="kicker">Limulus · {7}</p>
<h1>{0}</h1>
</header>
<main>
{5}<section>
<h2>Made with</h2>
{6}</section>
</main>
</body>
</html>
)",
      title, html::style(), plot_style(), report::look_css(), report::figures_css(), body,
      html::scroll_box("Provenance",
                       "<table class=\"pairs\">\n<tbody>\n" + rows + "</tbody>\n</table>"),
      html::escape(kind));
}

}  // namespace limulus
