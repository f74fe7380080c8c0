#include "tools/terminal.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/environment.h"
#include "core/printable.h"

namespace limulus::tools {
namespace {

bool dumb() { return environment::of_others("TERM") == "dumb"; }

std::string painted(const char* code, const std::string& text, std::FILE* to) {
  const bool plain = !environment::of_others("NO_COLOR").empty() || dumb();
  return plain || isatty(fileno(to)) == 0 ? text : fmt::format("\033[{}m{}\033[0m", code, text);
}

}  // namespace

std::string_view first_characters(std::string_view text, int count) {
  std::size_t at = 0;
  for (int seen = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && ++seen > count) break;
  }
  return text.substr(0, at);
}

bool on_terminal() {
  static const bool yes = isatty(STDERR_FILENO) != 0 && !dumb();
  return yes;
}

int columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string red(const std::string& text, std::FILE* to) { return painted("31", text, to); }
std::string green(const std::string& text, std::FILE* to) { return painted("32", text, to); }
std::string bold(const std::string& text, std::FILE* to) { return painted("1", text, to); }

std::string bar(double fraction, int width) {
  const int done = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * width));
  std::string text(static_cast<std::size_t>(done), '=');
  if (done < width) text += '>';
  text.resize(static_cast<std::size_t>(width), ' ');
  return "[" + text + "]";
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

std::string message_text(std::string_view message) {
  std::string text;
  for (const char c : printable_lines(message)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  return text;
}

// fmt::print would throw where the stream is closed.
void say(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }
void say_error(std::string_view message) {
  say(red("error:", stderr) + " " + message_text(message));
}
void say_note(std::string_view message) {
  say(bold("note:", stderr) + " " + message_text(message));
}
void print_line(const std::string& line) { std::fputs((line + "\n").c_str(), stdout); }

std::string json_text(const nlohmann::ordered_json& json) {
  return printable_json(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

StatusLine::~StatusLine() { clear(); }

void StatusLine::draw(const std::string& text) {
  if (!on_terminal()) return;
  const std::string shown(first_characters(text, std::max(1, columns() - 1)));
  std::fputs(("\r\033[K" + shown).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void StatusLine::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void StatusLine::finish(const std::string& text) {
  clear();
  say(text);
}

}  // namespace limulus::tools
