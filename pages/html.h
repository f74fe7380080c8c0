#pragma once
// Pieces of an HTML page: escaped text, numbers, pictures inside the page.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limulus::html {

// Text that came from outside, safe between tags and inside quoted attributes; what cannot be seen
// is shown as core/printable.h has it.
std::string escape(std::string_view text);

// A dash for what is not a finite number, here and below.
std::string number(double value, int digits);
std::string percent(double fraction, int digits = 1);  // 0.784 -> "78.4%"
std::string duration(double seconds);                  // "42 s", "12 min 5 s", "3 h 7 min"
std::string count_of(std::int64_t n, std::string_view one, std::string_view many);  // "1 image"

// What a page begins with, as far as its first heading; the <header> is still open. All are HTML
// (or CSS) already. `tab` stands after the title where the browser shows it.
std::string page_begin(std::string_view title, std::string_view kicker, std::string_view style,
                       std::string_view tab = "Limulus");
std::string paragraph(std::string_view html);
// A table that scrolls sideways in a box of its own where the page is narrower; `label` is for
// screen readers.
std::string scroll_box(std::string_view label, std::string_view table);
// A table of names and values: its rows are pair_row()s, which escape both.
std::string table_of_pairs(std::string_view label, std::string_view rows);
std::string pair_row(std::string_view key, std::string_view value);

// Pixels with 1 (grey), 3 (RGB) or 4 (RGBA) channels as a data URI.
struct Picture {
  int width = 0, height = 0, channels = 3;
  std::vector<std::uint8_t> values;  // [height, width, channels]
};
std::string png_uri(const Picture& picture);
// Photographs: a tenth of a PNG's size, and no difference to be seen.
std::string jpeg_uri(const Picture& picture, int quality = 88);

std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace limulus::html
