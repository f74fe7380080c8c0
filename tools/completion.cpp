// bash's completion of the command line: see manual.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/models.h"
#include "tools/manual.h"

namespace limulus::tools {
namespace {

// The words that a value may be: those that the help shows in braces, and the networks.
std::vector<std::string> values_of(const CLI::Option& option) {
  std::vector<std::string> words;
  const std::string name = option.get_name(), type = option.get_type_name();
  if (name == "--model" || name == "model")
    for (const ModelSpec& model : list_models()) words.push_back(model.name);
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open != std::string::npos && close != std::string::npos)
    words = CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
  return words;
}

// "/bench/ladder"; the program itself is "".
std::string path_of(const CLI::App& command) {
  std::string path;
  const std::vector<std::string> words = words_of(command);
  for (std::size_t i = 1; i < words.size(); ++i) path += "/" + words[i];
  return path;
}

struct Cases {
  std::string commands;  // where a word leads: /bench/ladder) command=/bench/ladder ;;
  std::string values;    // of the option before the word
  std::string words;     // what a command takes: its options, commands and the words of arguments
};

void add_cases(const CLI::App& command, Cases& cases) {
  const std::string path = path_of(command);
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    const std::vector<std::string> values = values_of(*option);
    if (option->get_positional()) words.insert(words.end(), values.begin(), values.end());
    std::vector<std::string> names;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    words.insert(words.end(), names.begin(), names.end());
    if (option->get_items_expected_min() == 0) continue;  // no value
    for (const std::string& name : names)
      cases.values +=
          fmt::format("    '{} {}') values='{}' ;;\n", path, name, fmt::join(values, " "));
  }
  for (const CLI::App* below :
       command.get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); })) {
    words.push_back(below->get_name());
    cases.commands += fmt::format("      {0}) command={0} ;;\n", path_of(*below));
    add_cases(*below, cases);
  }
  cases.words += fmt::format("    '{}') words='{}' ;;\n", path, fmt::join(words, " "));
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  Cases cases;
  add_cases(app, cases);
  return fmt::format(R"(# bash completion of limulus {}, as `limulus manual` writes it
_limulus() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command='' values words w
  COMPREPLY=()
  if [[ $word == = ]]; then word=''; fi
  # --layout=auto is three words
  if [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  for w in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $command/$w in
{}    esac
  done
  case "$command $before" in
{}  esac
  if [[ -v values ]]; then # where there are none, it is a file
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    return
  fi
  case $command in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _limulus limulus
)",
                     LIMULUS_VERSION, cases.commands, cases.values, cases.words);
}

}  // namespace limulus::tools
