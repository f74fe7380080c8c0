#pragma once
// What a command line that was not understood is told, and that no option is silently ignored.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace limulus::tools {

// One of these words; another one is told which was probably meant.
CLI::Validator one_of(std::vector<std::string> words);

// A number from `least` to `most`, both included; nan is neither less nor more, and is refused.
CLI::Validator between(double least, double most);

// An option whose value is empty, as in --image "$FORGOTTEN", would pass for one that was not
// given: it is an error, of this command and all those below it.
void refuse_empty_values(CLI::App& app);

// The command was given in one of its uses ("a walk through a network"), in which only these
// options mean something: CLI::ValidationError names another one that was given.
void allow_only(const CLI::App& command, const std::string& use,
                const std::vector<std::string>& options);

// "limulus: ..." for an option of the command that another one makes meaningless.
CLI::ValidationError usage_error(const CLI::App& command, const std::string& what);

// --threads N of a command that computes on these devices: only the device cpu takes threads.
void use_threads(const CLI::App& command, int threads, const std::string& names);

// The text for a command line that was not understood, with the command or option that was probably
// meant.
std::string message_of(const CLI::App& app, const CLI::ParseError& error);

}  // namespace limulus::tools
