#pragma once
// What a person sees: colours and bars on a terminal, plain lines in a pipe.
#include <cstdint>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace limulus::tools {

bool on_terminal();  // stderr is a terminal that can draw a line again (TERM is not dumb)
int columns();       // of that terminal; 100 when unknown

// Painted where `to` is a terminal and the environment does not forbid colours: NO_COLOR is set and
// not empty (no-color.org), or TERM=dumb.
std::string red(const std::string& text, std::FILE* to);
std::string green(const std::string& text, std::FILE* to);
std::string bold(const std::string& text, std::FILE* to);

// The first `count` characters of UTF-8 text; none is cut in two.
std::string_view first_characters(std::string_view text, int count);

// "[=======>      ]" with `width` characters between the brackets.
std::string bar(double fraction, int width);
std::string duration(double seconds);  // "4 s", "3 min 05 s", "2 h 07 min"

// A message, of which a stranger's text may be a part, as it can be printed (core/printable.h).
// Lines behind the first are indented: none of them can be taken for a message of its own.
std::string message_text(std::string_view message);

// A line on stderr. That nobody can read it (a full disk below stderr) ends nothing.
void say(const std::string& line);
// "error: ..." and "note: ..." there, as message_text().
void say_error(std::string_view message);
void say_note(std::string_view message);

// A line on stdout, of a command that goes on where nobody reads it: main tells at the end.
void print_line(const std::string& line);

// For people and programs; a file name that is not UTF-8 gets replacement characters, and what
// cannot be seen is written as \u escapes.
std::string json_text(const nlohmann::ordered_json& json);

// One line on stderr that is drawn again and again; on a pipe only finish() prints.
class StatusLine {
 public:
  ~StatusLine();
  void draw(const std::string& text);
  void finish(const std::string& text);  // leaves this line behind
  void clear();

 private:
  bool drawn_ = false;
};

}  // namespace limulus::tools
