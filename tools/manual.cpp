// limulus manual: man pages and completions.
#include "tools/manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <sstream>

#include "core/environment.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "tools/commands.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

// ---- man(7) -------------------------------------------------------------------------------------

// As text of a page: a hyphen that can be copied, no escapes, and no line that begins a request.
std::string escaped(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string entry(const std::string& head, const std::string& text) {
  return ".TP\n" + head + "\n" + escaped(text) + "\n";
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::string name_of_page(const CLI::App& command) {
  return fmt::format("{}", fmt::join(words_of(command), "-"));
}

// The lines that --help shows below the options: commands stand as they are, sentences are filled.
std::string examples(const std::string& footer) {
  constexpr std::string_view label = "Example: ", indent = "         ";
  std::istringstream lines(footer);
  std::string commands, sentences;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(label) || line.starts_with(indent))
      commands += escaped(line.substr(label.size())) + "\n";
    else
      sentences += escaped(line) + "\n";
  }
  std::string out;
  if (!commands.empty()) out += ".SH EXAMPLES\n.nf\n" + commands + ".fi\n";
  if (!sentences.empty()) out += ".SH NOTES\n" + sentences;
  return out;
}

std::string options(const CLI::App& command) {
  const CLI::Formatter formatter;
  std::string out;
  for (const std::string& group : command.get_groups()) {
    std::string entries;
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_group() != group || option->get_group().empty()) continue;
      const bool positional = option->get_positional();
      std::string what = formatter.make_option_opts(option);
      entries +=
          entry(bold(option->get_name(positional, true)) + italic(what), option->get_description());
    }
    if (!entries.empty())
      out += (group == "Options" ? ".SH OPTIONS\n" : ".SS " + escaped(group) + "\n") + entries;
  }
  return out;
}

std::string of_the_program() {
  std::string out = ".SH EXIT STATUS\n" + entry("0", "done") +
                    entry("1",
                          "it failed, with the reason on stderr; of gradcheck and compare: a "
                          "difference was found") +
                    entry("2", "the command line was not understood") +
                    entry("128 + n", "signal n ended it") + ".SH ENVIRONMENT\n";
  for (const environment::Variable& variable : environment::variables())
    out += entry(bold(std::string(variable.name)), variable.allowed());
  return out;
}

// ---- the command --------------------------------------------------------------------------------

void write_manual(const CLI::App& app, const std::string& folder) {
  const std::vector<ManualFile> files = manual_files(app);
  for (const ManualFile& file : files) {
    const fs::path path = fs::path(folder) / file.path;
    make_folders(path.parent_path());
    write_file_atomically(path, file.text);
  }
  const std::string there = printable(fs::path(folder).string());
  fmt::print("{} man pages in {}/man/man1, and bash's completion in {}/{}\n", files.size() - 1,
             there, there, files.back().path);
}

}  // namespace

std::vector<std::string> words_of(const CLI::App& command) {
  if (command.get_parent() == nullptr) return {"limulus"};
  std::vector<std::string> words = words_of(*command.get_parent());
  words.push_back(command.get_name());
  return words;
}

std::string man_page(const CLI::App& command) {
  const bool program = command.get_parent() == nullptr;
  const std::string name = name_of_page(command);
  std::string description = command.get_description();
  if (program)  // "limulus: what it is", and a line about --help
    description = description.substr(description.find(": ") + 2);
  std::string text = fmt::format(".TH {} 1 \"\" \"Limulus {}\" \"User Commands\"\n", escaped(name),
                                 LIMULUS_VERSION);
  text += fmt::format(".SH NAME\n{} \\- {}\n", escaped(name),
                      escaped(description.substr(0, description.find('\n'))));
  text +=
      fmt::format(".SH SYNOPSIS\n{}", bold(fmt::format("{}", fmt::join(words_of(command), " "))));
  const std::vector<const CLI::App*> commands = commands_of(command);
  if (!commands.empty()) text += program ? " " + italic("command") : " [" + italic("command") + "]";
  text += " [" + italic("options") + "]";
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    const std::string word = italic(option->get_name(true));
    text += option->get_required() ? " " + word : " [" + word + "]";
  }
  text += "\n";
  if (const std::size_t more = description.find('\n'); more != std::string::npos)
    text += ".SH DESCRIPTION\n" + escaped(description.substr(more + 1)) + "\n";
  if (!commands.empty()) text += ".SH COMMANDS\n";
  for (const CLI::App* below : commands)
    text += entry(bold(name_of_page(*below)) + "(1)", below->get_description());
  text += options(command);
  text += examples(command.get_footer());
  if (program) return text + of_the_program();
  return text + ".SH SEE ALSO\n" + bold(name_of_page(*command.get_parent())) + "(1)\n";
}

std::vector<ManualFile> manual_files(const CLI::App& app) {
  std::vector<ManualFile> files;
  std::vector<const CLI::App*> waiting = {&app};
  while (!waiting.empty()) {
    const CLI::App& command = *waiting.back();
    waiting.pop_back();
    files.push_back({"man/man1/" + name_of_page(command) + ".1", man_page(command)});
    for (const CLI::App* below : commands_of(command)) waiting.push_back(below);
  }
  files.push_back({"bash-completion/completions/limulus", bash_completion(app)});
  return files;
}

void add_manual(CLI::App& app) {
  auto folder = std::make_shared<std::string>();
  CLI::App* c = app.add_subcommand("manual", "Write man pages and bash's completion");
  c->footer(
      "Example: limulus manual ~/.local/share\n"
      "An installed Limulus has them. man(1) finds pages in ~/.local/share/man where the program "
      "is in\n"
      "~/.local/bin.");
  c->add_option("folder", *folder, "Where man/ and bash-completion/ are to be: such as /usr/share")
      ->required();
  c->callback([folder, &app] { write_manual(app, *folder); });
}

}  // namespace limulus::tools
