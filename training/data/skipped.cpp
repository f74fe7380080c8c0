#include "training/data/skipped.h"

#include <fmt/format.h>

#include <map>

namespace limulus {
namespace {

struct Rule {
  const char *name, *text;
  bool stops_strict;
};

const Rule& rule_of(SkipRule rule) {
  static constexpr Rule kRules[] = {
      {"hidden", "hidden (a name that begins with a dot, or a folder of the system)", false},
      {"not_a_picture", "not a picture by its name (.jpg, .jpeg, .png)", false},
      {"other_format", "a picture of another format than JPEG and PNG", true},
      {"no_class", "a picture outside of the class folders", true},
      {"empty_class", "a class folder without pictures", true},
      {"unused", "without a part in this layout", false},
      {"repeated", "a link to a folder that is read already", false},
      {"no_access", "cannot be opened", true},
      {"unreadable", "unreadable", true},
      {"wrong_size", "of a size that does not fit", true},
      {"incomplete", "a part that is missing", true},
  };
  return kRules[static_cast<std::size_t>(rule)];
}

}  // namespace

const char* name_of(SkipRule rule) { return rule_of(rule).name; }
const char* text_of(SkipRule rule) { return rule_of(rule).text; }
bool stops_strict(SkipRule rule) { return rule_of(rule).stops_strict; }

std::vector<std::pair<SkipRule, std::int64_t>> count_by_rule(const std::vector<Skipped>& skipped) {
  std::map<SkipRule, std::int64_t> counts;
  for (const Skipped& s : skipped) ++counts[s.rule];
  return {counts.begin(), counts.end()};
}

std::string summary(const std::vector<Skipped>& skipped) {
  if (skipped.empty()) return "nothing skipped";
  std::string text = fmt::format("{} skipped: ", skipped.size());
  const char* comma = "";
  for (const auto& [rule, count] : count_by_rule(skipped)) {
    text += fmt::format("{}{} {}", comma, count, text_of(rule));
    comma = ", ";
  }
  return text;
}

std::string text_of(const Skipped& skipped) {
  return fmt::format("{}: {}", skipped.name, skipped.reason);
}

}  // namespace limulus
