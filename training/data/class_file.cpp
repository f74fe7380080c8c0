#include "training/data/class_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "training/data/class_names.h"

namespace limulus {
namespace {

constexpr std::size_t kLongest = 255;  // as of a folder's name, which classes have elsewhere

std::string_view without_blanks(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r"), end = line.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view() : line.substr(begin, end - begin + 1);
}

// What is wrong with a line by itself; "" if nothing.
std::string fault_of(const std::string& name) {
  if (name.empty()) return "is empty";
  if (name.size() > kLongest)
    return fmt::format("has {} bytes, and a class's name {} at most", name.size(), kLongest);
  if (printable(name) != name)
    return fmt::format("has characters that cannot be seen, or is not UTF-8: {}", printable(name));
  return "";
}

}  // namespace

std::vector<std::string> read_class_file(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    names.emplace_back(without_blanks(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty())
    throw FileError(fmt::format("{}: it has no names; expected one class a line", path.string()));

  constexpr std::size_t kShown = 20;  // of the lines that are wrong
  std::vector<std::string> faults;
  std::map<std::string, std::size_t> lines;  // by canonical spelling
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string fault = fault_of(names[i]);
    if (fault.empty())
      if (const auto [first, is_new] = lines.emplace(canonical(names[i]), i + 1); !is_new)
        fault = fmt::format(
            "is \"{}\", as line {} is{}; each class needs a name of its own", names[i],
            first->second,
            names[first->second - 1] == names[i] ? "" : " in another spelling of Unicode");
    if (fault.empty()) continue;
    if (++wrong <= kShown) faults.push_back(fmt::format("  line {} {}", i + 1, fault));
  }
  if (wrong > kShown) faults.push_back(fmt::format("  and {} more", wrong - kShown));
  if (wrong > 0)
    throw FileError(fmt::format("{}: of its {} lines {} cannot be {} of a class:\n{}",
                                path.string(), names.size(), wrong,
                                wrong == 1 ? "the name" : "names", fmt::join(faults, "\n")));
  return names;
}

}  // namespace limulus
