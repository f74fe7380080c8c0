#include "core/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace limulus {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t length = 0;  // in bytes; 0: no UTF-8 stands here
};

// A stray or missing continuation byte, a longer form than needed, a surrogate, or a number beyond
// U+10FFFF is not UTF-8.
Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return {first, 1};
  if (first < 0xC2 || first > 0xF4) return {};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t code = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, length};
}

struct CodeRange {
  char32_t first, last;
};
// Unicode's control and format characters, separators of lines, and letters that show nothing.
constexpr CodeRange kUnseen[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},       {0x34F, 0x34F},    {0x61C, 0x61C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},  {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},  {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};

bool is_unseen(char32_t code) {
  return std::any_of(std::begin(kUnseen), std::end(kUnseen),
                     [&](const CodeRange& r) { return code >= r.first && code <= r.last; });
}

std::string shown(std::string_view text, bool lines_stay) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, length] = character_at(text, at);
    if (length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at++]));
      continue;
    }
    const bool stays = lines_stay && (code == '\n' || code == '\t');
    const auto number = static_cast<std::uint32_t>(code);
    if (stays || !is_unseen(code))
      out += text.substr(at, length);
    else if (code < 0x80)
      out += fmt::format("\\x{:02x}", number);
    else if (code < 0x10000)
      out += fmt::format("\\u{:04x}", number);
    else
      out += fmt::format("\\U{:08x}", number);
    at += length;
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return shown(text, false); }
std::string printable_lines(std::string_view text) { return shown(text, true); }

// In JSON such characters stand in strings only; a writer has escaped those below 0x20 itself, and
// has seen to it that all is UTF-8.
std::string printable_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    const auto [code, length] = character_at(json, at);
    const std::size_t step = std::max<std::size_t>(length, 1);
    const auto number = static_cast<std::uint32_t>(code);
    if (length == 0 || code < 0x20 || !is_unseen(code))
      out += json.substr(at, step);
    else if (code < 0x10000)
      out += fmt::format("\\u{:04x}", number);
    else  // two halves, as JSON writes what lies beyond 16 bits
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((number - 0x10000) >> 10),
                         0xDC00 + ((number - 0x10000) & 0x3FF));
    at += step;
  }
  return out;
}

}  // namespace limulus
