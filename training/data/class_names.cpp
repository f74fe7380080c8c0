#include "training/data/class_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#ifdef LIMULUS_UNICODE
#include <utf8proc.h>

#include <memory>
#endif

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "core/error.h"

namespace limulus {
namespace {

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

#ifdef LIMULUS_UNICODE
std::string mapped(const std::string& text, int options) {
  utf8proc_uint8_t* out = nullptr;
  const utf8proc_ssize_t size = ::utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
      static_cast<utf8proc_ssize_t>(text.size()), &out, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, std::free);
  if (size < 0) return text;  // not UTF-8
  return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}
#endif

// Without capitals, blanks, invisible characters and the forms of a letter (wide, ligature).
std::string skeleton(const std::string& name) {
#ifdef LIMULUS_UNICODE
  std::string out = mapped(name, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                     UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
#else
  std::string out = without_case(name);
#endif
  std::erase_if(out, [](unsigned char c) { return std::isspace(c) != 0; });
  return out;
}

// The bytes of a name that is not pure ASCII: ' (63 61 66 c3 a9)'.
std::string bytes_of(const std::string& name) {
  if (is_ascii(name)) return "";
  std::string out = " (bytes";
  for (const char c : name) out += fmt::format(" {:02x}", static_cast<unsigned char>(c));
  return out + ")";
}

}  // namespace

bool compares_unicode() {
#ifdef LIMULUS_UNICODE
  return true;
#else
  return false;
#endif
}

std::string canonical(const std::string& name) {
#ifdef LIMULUS_UNICODE
  if (!is_ascii(name)) return mapped(name, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
#endif
  return name;
}

std::string without_case(const std::string& name) {
#ifdef LIMULUS_UNICODE
  return mapped(name, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
#else
  std::string out = name;
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
#endif
}

bool same_names(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return canonical(x) == canonical(y); });
}

std::string names_text(const std::vector<std::string>& names, std::size_t most) {
  if (names.size() <= most + 1) return fmt::format("{}", fmt::join(names, ", "));
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(most);
  return fmt::format("{} and {} more", fmt::join(names.begin(), end, ", "), names.size() - most);
}

ClassNames::ClassNames(const std::vector<std::string>& names) : names_(names) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const auto [at, is_new] = index_.emplace(canonical(names_[i]), static_cast<std::int64_t>(i));
    if (is_new) continue;
    const std::string& first = names_[static_cast<std::size_t>(at->second)];
    if (first == names_[i]) throw ValueError(fmt::format("two classes are named \"{}\"", first));
    throw ValueError(fmt::format(
        "the classes \"{}\"{} and \"{}\"{} have the same name in two spellings of Unicode; make "
        "one of them",
        first, bytes_of(first), names_[i], bytes_of(names_[i])));
  }
}

std::int64_t ClassNames::find(const std::string& name) const {
  const auto found = index_.find(canonical(name));
  return found == index_.end() ? -1 : found->second;
}

std::string ClassNames::explain_missing(const std::string& name) const {
  const std::string caseless = without_case(name), bare = skeleton(name);
  for (const std::string& other : names_) {
    if (without_case(other) == caseless)
      return fmt::format(
          "there is \"{}\", which differs only in capital and small letters{}: rename one of them",
          other, is_ascii(name) && is_ascii(other) ? "" : ", or in joined ones");
  }
  for (const std::string& other : names_) {
    if (skeleton(other) == bare)
      return fmt::format(
          "there is \"{}\"{}, which looks like \"{}\"{} and differs in blanks, invisible "
          "characters or the form of letters: rename one of them",
          other, bytes_of(other), name, bytes_of(name));
  }
  return fmt::format("there are: {}{}", names_text(names_),
                     is_ascii(name) ? "" : fmt::format(". \"{}\"{}", name, bytes_of(name)));
}

}  // namespace limulus
