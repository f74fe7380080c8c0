#pragma once
// Line plots as SVG text, for a report or a benchmark: axes with round ticks, several series,
// horizontal reference lines, vertical marks. Colours come from the page's style sheet
// (plot_style), so that one picture serves light and dark pages.
#include <limits>
#include <string>
#include <vector>

namespace limulus {

struct PlotSeries {
  std::string name;
  std::vector<double> x, y;  // NaN breaks the line
  int colour = 1;            // 1 .. 4: --series-1 .. --series-4; 0: grey and thin, for raw data
  bool markers = true;       // series differ in the markers' form, too, never by colour alone
};

struct PlotLevel {  // a dashed horizontal line: chance, a target, a peak
  std::string name;
  double y = 0;
};

struct PlotMark {  // a dotted vertical line: a change of the learning rate
  std::string name;
  double x = 0;
};

struct LinePlot {
  std::string title;  // for readers that cannot see the picture
  std::string x_label, y_label;
  std::vector<PlotSeries> series;
  std::vector<PlotLevel> levels;
  std::vector<PlotMark> marks;
  std::string marks_name;  // for the legend
  bool percent = false;    // y in [0, 1] is labelled 0% .. 100%
  bool log_x = false;      // x > 0 on a logarithmic scale, with a tick at each power of ten
  double y_min = 0;
  // NaN: a little above the largest value of the series with markers and of the levels. What is
  // larger is cut off.
  double y_max = std::numeric_limits<double>::quiet_NaN();
};

// The <svg> element, and a legend in HTML to set above it.
std::string plot_svg(const LinePlot& plot);
std::string plot_legend(const LinePlot& plot);
// The picture and its legend as an .svg file of its own, with colours for light and dark readers.
std::string plot_file(const LinePlot& plot);
// CSS for a drawing that is a file of its own: the pages' colours, for light and dark readers.
const char* svg_colours();
// CSS for plot_svg and plot_legend; expects --ink, --muted, --line, --paper and --series-1 .. 4.
std::string plot_style();

// Multiples of 1, 2 or 5 times a power of ten that lie in [low, high], about `wanted` of them.
std::vector<double> round_ticks(double low, double high, int wanted);
// As short as the distance of two ticks allows: "0.25", "20", "1,000".
std::string tick_label(double value, double step);
// The inside of an SVG <text>: 10 to the power of -7, as people write it.
std::string power_of_ten(int exponent);

}  // namespace limulus
