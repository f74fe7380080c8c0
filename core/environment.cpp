#include "core/environment.h"

#include <unistd.h>  // environ

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "core/error.h"
#include "core/names.h"
#include "core/note.h"
#include "core/printable.h"

namespace limulus::environment {
namespace {

const Variable& find(std::string_view name) {
  const auto found = std::find_if(variables().begin(), variables().end(),
                                  [&](const Variable& v) { return v.name == name; });
  if (found == variables().end())
    throw ValueError("environment: " + std::string(name) + " is not in core/environment.cpp");
  return *found;
}

bool may_hold(const Variable& v, std::string_view text) {
  if (text.empty()) return true;
  if (v.largest > 0) return number(text, v.largest) != 0;
  return v.words.empty() || std::find(v.words.begin(), v.words.end(), text) != v.words.end();
}

}  // namespace

const std::vector<Variable>& variables() {
  static const std::vector<Variable> all = {
      {.name = "LIMULUS_CONV", .words = {"direct", "winograd"}},
      {.name = "LIMULUS_FUSE", .words = {"0", "1"}},
      {.name = "LIMULUS_ISA", .words = {"avx2", "avx512", "neon"}},
      {.name = "LIMULUS_RANK_SECONDS", .largest = 3600},
      {.name = "LIMULUS_STRICT", .words = {"0", "1"}},
      {.name = "LIMULUS_THREADS", .largest = most_threads},
      {.name = "LIMULUS_TRACE", .words = {"0", "1"}},
      {.name = "LIMULUS_CL_BINARIES", .words = {"0", "1"}},
      {.name = "LIMULUS_CL_DIR"},
      {.name = "LIMULUS_CL_GUARD", .words = {"0", "1", "exact"}},
      {.name = "LIMULUS_CL_PROFILE", .words = {"0", "1"}},
      {.name = "LIMULUS_CL_SELFCHECK", .words = {"0", "1"}},
      {.name = "LIMULUS_CL_TUNING", .words = {"cpu", "gpu"}},
  };
  return all;
}

std::string Variable::allowed() const {
  if (largest > 0) return "a number from 1 to " + std::to_string(largest);
  if (words.empty()) return "a folder";
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 < words.size() ? ", " : " or ";
    text += words[i];
  }
  return text;
}

std::string checked(std::string_view name, std::string text) {
  const Variable& v = find(name);
  if (may_hold(v, text)) return text;
  throw ValueError(std::string(name) + " is \"" + printable(text) + "\", but must be " +
                   v.allowed() + "; unset it to use the default (docs/environment.md)");
}

std::string value(std::string_view name) {
  return checked(name, of_others(std::string(name).c_str()));
}

bool is_on(std::string_view name, bool otherwise) {
  const std::string text = value(name);
  return text.empty() ? otherwise : text == "1";
}

int number(std::string_view text, int largest) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 1 && value <= largest ? value : 0;
}

void check() {
  std::vector<std::string> known = {"LIMULUS_DATA", "LIMULUS_LABS",
                                    "LIMULUS_PREFIX"};  // the scripts read these
  for (const Variable& v : variables()) {
    value(v.name);
    known.emplace_back(v.name);
  }
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name(text.substr(0, text.find('=')));
    if (!name.starts_with("LIMULUS_") || of_others(name.c_str()).empty()) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string meant = nearest_name(name, known);
    note(printable(name) + " is set, but Limulus has no such variable" +
         (meant.empty() ? "" : "; did you mean " + meant + "?") +
         " (docs/environment.md lists them)");
  }
}

std::string of_others(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

}  // namespace limulus::environment
