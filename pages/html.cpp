#include "pages/html.h"

#include <fmt/format.h>

#include <cmath>

#include "core/amounts.h"
#include "core/printable.h"
#include "pages/image_encode.h"

namespace limulus::html {
namespace {

constexpr const char* kDash = "\xE2\x80\x93";  // U+2013

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : printable_lines(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return kDash;
  return fmt::format("{:.{}f}", value, digits);
}

std::string percent(double fraction, int digits) {
  if (!std::isfinite(fraction)) return kDash;
  return fmt::format("{:.{}f}%", 100 * fraction, digits);
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kDash;
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto s = std::llround(seconds);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string count_of(std::int64_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", with_thousands(n), n == 1 ? one : many);
}

std::string paragraph(std::string_view html) { return fmt::format("<p>{}</p>\n", html); }

std::string scroll_box(std::string_view label, std::string_view table) {
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n{}\n</div>\n",
      label, table);
}

std::string table_of_pairs(std::string_view label, std::string_view rows) {
  return scroll_box(label,
                    fmt::format("<table class=\"pairs\">\n<tbody>\n{}</tbody>\n</table>", rows));
}

std::string pair_row(std::string_view key, std::string_view value) {
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(key), escape(value));
}

std::string page_begin(std::string_view title, std::string_view kicker, std::string_view style,
                       std::string_view tab) {
  return fmt::format(
      R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{0} · {3}</title>
<style>{2}</style>
</head>
<body>
<header>
<p class="kicker">Limulus · {1}</p>
<h1>{0}</h1>
)",
      title, kicker, style, tab);
}

std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {  // 3 bytes = 24 bits = 4 digits
    const std::size_t left = bytes.size() - i;
    const unsigned group =
        bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += left > 1 ? kDigits[group >> 6 & 63] : '=';
    out += left > 2 ? kDigits[group & 63] : '=';
  }
  return out;
}

std::string png_uri(const Picture& p) {
  return "data:image/png;base64," + base64(encode_png(p.values, p.width, p.height, p.channels));
}

std::string jpeg_uri(const Picture& p, int quality) {
  return "data:image/jpeg;base64," +
         base64(encode_jpeg(p.values, p.width, p.height, p.channels, quality));
}

}  // namespace limulus::html
