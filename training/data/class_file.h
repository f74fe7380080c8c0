#pragma once
// The names of a network's classes as a text file: one a line, in the order of its outputs.
#include <filesystem>
#include <string>
#include <vector>

namespace limulus {

// The names, without blanks around them; a byte order mark, Windows' line ends and empty lines at
// the end are no part of them. FileError, with every line that is wrong, for an empty file, an
// empty line in the middle, a name that is not UTF-8, has characters that cannot be seen or more
// than 255 bytes, and for a name that is there twice, also in two spellings of Unicode.
std::vector<std::string> read_class_file(const std::filesystem::path& path);

}  // namespace limulus
