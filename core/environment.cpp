#include "core/environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "core/error.h"
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

bool is_number(std::string_view text, int largest) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= 1 && number <= largest;
}

bool may_hold(const Variable& v, std::string_view text) {
  if (text.empty()) return true;
  if (v.largest > 0) return is_number(text, v.largest);
  return v.words.empty() || std::find(v.words.begin(), v.words.end(), text) != v.words.end();
}

}  // namespace

const std::vector<Variable>& variables() {
  static const std::vector<Variable> all = {
      {.name = "LIMULUS_CONV", .words = {"direct", "winograd"}},
      {.name = "LIMULUS_FUSE", .words = {"0", "1"}},
      {.name = "LIMULUS_ISA", .words = {"avx2", "avx512"}},
      {.name = "LIMULUS_STRICT", .words = {"0", "1"}},
      {.name = "LIMULUS_THREADS", .largest = 1024},
      {.name = "LIMULUS_TRACE", .words = {"0", "1"}},
      {.name = "LIMULUS_CL_DIR"},
      {.name = "LIMULUS_CL_GUARD", .words = {"0", "1", "exact"}},
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

void check() {
  for (const Variable& v : variables()) value(v.name);
}

std::string of_others(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

}  // namespace limulus::environment
