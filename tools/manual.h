#pragma once
// Man pages and the completion of bash, made from what the commands tell CLI11 of themselves: so
// that they say what --help says.
#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace limulus::tools {

struct ManualFile {
  std::string path;  // below a folder such as /usr/share: "man/man1/limulus-train.1"
  std::string text;
};

// A page for the program, one for each command, and the completion: what `limulus manual` writes.
std::vector<ManualFile> manual_files(const CLI::App& app);

// man(7) of one command; `app` itself has the list of commands, the exit status and the
// environment.
std::string man_page(const CLI::App& command);

// A function for bash's `complete`. It knows the commands, their options, and the values of those
// options that take one of a few words; everything else is completed as the name of a file.
std::string bash_completion(const CLI::App& app);

// The command's words from the program on: {"limulus", "bench", "ladder"}.
std::vector<std::string> words_of(const CLI::App& command);

}  // namespace limulus::tools
