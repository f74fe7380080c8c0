#include "tools/sparkline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>

#include "core/environment.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

// U+2581 to U+2588: an eighth of the line's height to all of it.
constexpr std::array<std::string_view, 8> kBlocks = {"\u2581", "\u2582", "\u2583", "\u2584",
                                                     "\u2585", "\u2586", "\u2587", "\u2588"};
constexpr int kLeastCurve = 6, kMostCurve = 30;  // characters

// Means of the values in `count` groups of sizes that differ by one at most.
std::vector<double> means_of(const std::vector<float>& values, std::size_t count) {
  std::vector<double> means;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * values.size() / count, end = (i + 1) * values.size() / count;
    double sum = 0;
    for (std::size_t j = begin; j < end; ++j) sum += static_cast<double>(values[j]);
    means.push_back(sum / static_cast<double>(end - begin));
  }
  return means;
}

bool says_utf8(std::string locale) {
  for (char& c : locale) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
}

}  // namespace

std::string sparkline(const std::vector<float>& values, int width) {
  if (width < 1 || values.empty()) return "";
  const std::vector<double> means =
      means_of(values, std::min(values.size(), static_cast<std::size_t>(width)));
  double low = INFINITY, high = -INFINITY;
  for (const double mean : means) {
    if (!std::isfinite(mean)) continue;
    low = std::min(low, mean);
    high = std::max(high, mean);
  }
  std::string line;
  for (const double mean : means) {
    if (!std::isfinite(mean)) {
      line += '!';
      continue;
    }
    const double place = high > low ? (mean - low) / (high - low) : 0;
    line += kBlocks[static_cast<std::size_t>(std::lround(7 * place))];
  }
  return line;
}

bool shows_blocks() {
  if (!on_terminal() || environment::of_others("TERM") == "linux") return false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const std::string locale = environment::of_others(name); !locale.empty())
      return says_utf8(locale);
  return false;
}

std::string step_line(const StepInfo& s, const std::vector<float>& losses, int columns,
                      bool blocks) {
  const std::string epoch = fmt::format("epoch {:>2}/{} ", s.epoch, s.epochs);
  const std::string loss = fmt::format("loss {:.3f}  ", s.mean_loss);
  const std::string accuracy = fmt::format("accuracy {:4.1f} %  ", 100 * s.mean_top1);
  const std::string speed = fmt::format("{:.1f} images/s  ", s.images_per_second);
  const std::string left = duration(s.seconds_left) + " left";
  const double done = static_cast<double>(s.batch) / static_cast<double>(s.batches);
  const auto with_bar = [&](int width, const std::string& curve) {
    return epoch + bar(done, width) + " " + loss + curve + accuracy + speed + left;
  };
  if (!blocks) return with_bar(std::clamp(columns - 75, 5, 20), "");

  // Room beside the words; a curve has two spaces behind it, a bar its brackets and one.
  const auto words = static_cast<int>((epoch + loss + accuracy + speed + left).size());
  const auto curve = [&](int room) {
    return sparkline(losses, std::clamp(room - 2, kLeastCurve, kMostCurve)) + "  ";
  };
  const int room = columns - words;
  if (const int bar_room = std::clamp(room / 3, 8, 23); room - bar_room >= kLeastCurve + 2)
    return with_bar(bar_room - 3, curve(room - bar_room));
  if (room >= kLeastCurve + 2) return epoch + loss + curve(room) + accuracy + speed + left;
  const int without_speed = room + static_cast<int>(speed.size());
  if (without_speed >= kLeastCurve + 2)
    return epoch + loss + curve(without_speed) + accuracy + left;
  return epoch + loss + accuracy + left;
}

}  // namespace limulus::tools
