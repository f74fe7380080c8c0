// limulus new: a project of a student's own, that builds at once.
#include "tools/new.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "tools/commands.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string kind, name, out;
};

// ---- names --------------------------------------------------------------------------------------

constexpr std::string_view keywords[] = {"alignas",       "alignof",     "and",
                                         "and_eq",        "asm",         "auto",
                                         "bitand",        "bitor",       "bool",
                                         "break",         "case",        "catch",
                                         "char",          "char16_t",    "char32_t",
                                         "char8_t",       "class",       "co_await",
                                         "co_return",     "co_yield",    "compl",
                                         "concept",       "const",       "consteval",
                                         "constexpr",     "constinit",   "const_cast",
                                         "continue",      "decltype",    "default",
                                         "delete",        "do",          "double",
                                         "dynamic_cast",  "else",        "enum",
                                         "explicit",      "export",      "extern",
                                         "false",         "float",       "for",
                                         "friend",        "goto",        "if",
                                         "inline",        "int",         "long",
                                         "mutable",       "namespace",   "new",
                                         "noexcept",      "not",         "not_eq",
                                         "nullptr",       "operator",    "or",
                                         "or_eq",         "private",     "protected",
                                         "public",        "register",    "reinterpret_cast",
                                         "requires",      "return",      "short",
                                         "signed",        "sizeof",      "static",
                                         "static_assert", "static_cast", "struct",
                                         "switch",        "template",    "this",
                                         "thread_local",  "throw",       "true",
                                         "try",           "typedef",     "typeid",
                                         "typename",      "union",       "unsigned",
                                         "using",         "virtual",     "void",
                                         "volatile",      "wchar_t",     "while",
                                         "xor",           "xor_eq",      "linux",
                                         "unix",          "assert",      "errno",
                                         "stdin",         "stdout",      "stderr",
                                         "signbit",       "isnan"};
// Of the project itself: its files and namespace, targets of CMake's, devices, and, in their
// spelling as classes, types that its code uses.
constexpr std::string_view taken[] = {
    "main",        "plugin",       "mine",       "limulus",      "std",        "doctest",
    "all",         "test",         "help",       "clean",        "install",    "package",
    "cpu",         "reference",    "opencl",     "default",      "edit_cache", "rebuild_cache",
    "tensor",      "shape",        "module",     "op",           "backend",    "d_type",
    "walk_step",   "sequential",   "trace",      "cpu_backend",  "sgd",        "spirals",
    "shape_error", "device_error", "gemm_shape", "pool2d_shape", "window1d",   "package_source",
    "uninstall"};

template <std::size_t N>
bool is_in(const std::string_view (&list)[N], const std::string& name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// "MyPool", "my-pool", "my pool" -> "my_pool": what somebody may have meant.
std::string as_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isupper(u) != 0 && !name.empty() && name.back() != '_') name += '_';
    if (std::isalnum(u) != 0 && u < 128)
      name += static_cast<char>(std::tolower(u));
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  const std::size_t letter = name.find_first_of("abcdefghijklmnopqrstuvwxyz");
  return letter == std::string::npos ? "" : name.substr(letter);
}

// "my_pool" -> "MyPool"
std::string as_class(const std::string& name) {
  std::string out;
  bool begins = true;
  for (const char c : name) {
    if (c != '_')
      out += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = c == '_';
  }
  return out;
}

void check_name(const std::string& name) {
  constexpr std::size_t longest = 64;
  const auto fail = [&](const std::string& why) {
    throw ValueError(fmt::format("new: '{}' cannot be the name: {}", name, why));
  };
  const std::string meant = as_name(name);
  if (name != meant || name.empty())
    fail(
        fmt::format("it becomes a file and a variable, so take small letters, digits and single _, "
                    "and begin with a letter{}",
                    meant.empty() ? "" : ": " + meant));
  if (name.size() > longest) fail(fmt::format("it has {} characters, of {}", name.size(), longest));
  if (is_in(keywords, name)) fail("it is a word of C++; take another, as my_" + name);
  if (is_in(taken, name)) fail("the project needs that name itself; take another, as my_" + name);
}

// ---- where Limulus is ---------------------------------------------------------------------------

struct Installation {
  fs::path prefix;
  std::string command;  // what to run first, where it is not installed
};

// The program is in PREFIX/bin, beside PREFIX/lib/cmake/limulus; or in a folder where it was built.
Installation find_installation() {
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  const fs::path folder = program.parent_path(), prefix = folder.parent_path();
  if (fs::exists(prefix / LIMULUS_CMAKE_DIR / "limulus-config.cmake", none)) return {prefix, ""};
  const fs::path there = folder / "installed";
  if (fs::exists(there / LIMULUS_CMAKE_DIR / "limulus-config.cmake", none)) return {there, ""};
  return {there, fmt::format("cmake --install {} --prefix {}", folder.string(), there.string())};
}

// ---- the project --------------------------------------------------------------------------------

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string as_json(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  return out;
}

std::string file_name(const TemplateFile& file, const std::string& name) {
  if (file.name == "gitignore") return ".gitignore";
  const bool own = file.name.starts_with("name.") || file.name.starts_with("name_");
  return own ? name + file.name.substr(4) : file.name;
}

// Makes the folder, or takes an empty one. Nothing that is there is touched.
void make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error))) {
    if (fs::is_directory(folder, error) && fs::is_empty(folder, error)) return;
    throw FileError(
        fmt::format("new: {} is there already, and is left as it is; --out DIR takes "
                    "another folder",
                    folder.string()));
  }
  make_folders(folder);
}

void run_new(const NewArguments& a) {
  check_name(a.name);
  const Installation there = find_installation();
  const fs::path folder = a.out.empty() ? fs::path(a.name) : fs::path(a.out);
  make_folder(folder);
  std::vector<std::string> written;
  for (const TemplateFile& file : template_files()) {
    if (file.kind != a.kind && file.kind != "common") continue;
    std::string text = file.text;
    for (const auto& [what, with] : {std::pair<std::string, std::string>{"@name@", a.name},
                                     {"@Name@", as_class(a.name)},
                                     {"@version@", LIMULUS_VERSION},
                                     {"@prefix@", as_json(there.prefix.string())}})
      replace_all(text, what, with);
    written.push_back(file_name(file, a.name));
    write_file_atomically(folder / written.back(), text);
  }
  std::sort(written.begin(), written.end());
  fmt::print("A {} in {}: {}\n\n", a.kind, printable(folder.string()), fmt::join(written, ", "));
  if (!there.command.empty())
    fmt::print("This limulus is not installed. Once:\n\n    {}\n\nThen:\n\n", there.command);
  fmt::print(
      "    cd {}\n    cmake --preset release\n    cmake --build --preset release\n"
      "    ctest --preset release\n",
      printable(folder.string()));
}

}  // namespace

void add_new(CLI::App& app) {
  auto a = std::make_shared<NewArguments>();
  CLI::App* c = app.add_subcommand("new", "Write a project of your own, with a test");
  c->footer(
      "Example: limulus new layer my_swish\n"
      "         limulus new kernel my_pool --out assignments/pool\n"
      "layer: with its gradient check. kernel: one kernel in the CPU backend. backend: a device.\n"
      "example: a network and its training. All are built against this Limulus, with CMake "
      "presets.");
  c->add_option("kind", a->kind, "layer, kernel, backend or example")
      ->required()
      ->check(one_of({"layer", "kernel", "backend", "example"}));
  c->add_option("name", a->name, "Its name, as my_pool; the class is MyPool")->required();
  c->add_option("--out", a->out, "The folder (default: the name)");
  c->callback([a] { run_new(*a); });
}

}  // namespace limulus::tools
