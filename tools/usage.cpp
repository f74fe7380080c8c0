#include "tools/usage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "core/names.h"

namespace limulus::tools {
namespace {

// The innermost command that was recognized: of "bench ladder --svgg x", ladder.
const CLI::App& innermost(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.front());
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr || parent->get_parent() == nullptr
             ? command.get_name()
             : full_name(*parent) + " " + command.get_name();
}

}  // namespace

CLI::Validator one_of(std::vector<std::string> words) {
  std::string description = fmt::format("{{{}}}", fmt::join(words, ","));
  return CLI::Validator(
      [words = std::move(words)](std::string& word) {
        if (std::find(words.begin(), words.end(), word) != words.end()) return std::string();
        return fmt::format("there is no '{}'{}", word, known_names(word, words));
      },
      std::move(description));
}

CLI::Validator between(double least, double most) {
  return CLI::Validator(
      [=](std::string& word) {
        double value = NAN;
        if (CLI::detail::lexical_cast(word, value) && value >= least && value <= most)
          return std::string();
        return fmt::format("{} is not a number from {} to {}", word, least, most);
      },
      fmt::format("FLOAT in [{} - {}]", least, most));
}

void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_min() == 0) continue;  // a flag, or a value that may be left out
    option->check([name = option->get_name()](const std::string& value) {
      return value.empty() ? fmt::format("{} was given an empty value", name) : std::string();
    });
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    refuse_empty_values(*command);
}

CLI::ValidationError usage_error(const CLI::App& command, const std::string& what) {
  return CLI::ValidationError(full_name(command) + ": " + what);
}

void allow_only(const CLI::App& command, const std::string& use,
                const std::vector<std::string>& options) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::find(options.begin(), options.end(), name) != options.end())
      continue;
    throw usage_error(
        command, options.empty() ? fmt::format("{} has no {}", use, name)
                                 : fmt::format("{} has no {}, which would be ignored; it takes {}",
                                               use, name, fmt::join(options, ", ")));
  }
}

void use_threads(const CLI::App& command, int threads, const std::string& names) {
  if (threads <= 0) return;
  for (const Backend* backend : devices(names))
    if (backend->name() == "cpu") return set_device_threads(threads);
  throw usage_error(
      command, fmt::format("--threads is for the device cpu, and this computes on {}; "
                           "LIMULUS_THREADS is how many threads all parts of cpu have together",
                           names));
}

std::string message_of(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = innermost(app);
  const std::vector<std::string> commands = commands_of(command);
  std::string text = error.what();
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word.starts_with("-")) {
      const std::string option = word.substr(0, word.find('='));
      const std::string meant = nearest_name(option, options_of(command));
      text = fmt::format("{} has no option {}",
                         command.get_parent() == nullptr ? "limulus" : full_name(command), option);
      if (!meant.empty()) text += fmt::format("; did you mean {}?", meant);
      break;
    }
    if (!commands.empty()) {
      text = fmt::format("there is no command '{}'{}", word, known_names(word, commands));
      break;
    }
  }
  return text;
}

}  // namespace limulus::tools
