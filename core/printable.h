#pragma once
// Text that came from outside (names of files, classes and tensors, and messages made of them), as
// it can be shown: on a terminal an escape sequence would colour, move or erase, and characters
// that turn the direction of writing or take no room make one name look like another.
//
//     control characters, bytes that are not UTF-8     \x1b \x0a \xff
//     direction, zero width, separators of lines       \u202e \u200b \u2028
//     everything else                                  as it is
#include <string>
#include <string_view>

namespace limulus {

// A name: all of it on one line.
std::string printable(std::string_view text);

// A message, which may have several lines: line ends and tabs stay.
std::string printable_lines(std::string_view text);

// JSON text with what is listed above written as JSON's own \u escapes: the same document.
std::string printable_json(std::string_view json);

}  // namespace limulus
