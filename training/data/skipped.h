#pragma once
// What takes no part in a training or an evaluation, and by which rule. Nothing is left out without
// an entry here: the program counts them, a report and JSON list them.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace limulus {

enum class SkipRule {
  hidden,         // a name that begins with a dot, or a folder of the system's own
  not_a_picture,  // a name that does not end in .jpg, .jpeg or .png
  other_format,   // a picture, by its name, of a format that is not read (.gif, .webp ...)
  no_class,       // a picture that lies in no class folder
  empty_class,    // a class folder without pictures
  unused,         // a folder or file that plays no part, such as val/ beside test/
  repeated,       // a symbolic link to a folder that is read already
  no_access,      // a folder that cannot be opened, a link to nothing
  unreadable,     // a picture that cannot be decoded
  wrong_size,  // a picture smaller than the network's crop, or of another size than the mean image
  incomplete,  // a part of a known set that is missing
};

const char* name_of(SkipRule rule);  // "hidden", "not_a_picture" ... as JSON has them
const char* text_of(SkipRule rule);  // what the rule is, for people

// Whether `--strict` ends with an error: it does for what was meant to take part.
bool stops_strict(SkipRule rule);

struct Skipped {
  std::string name;    // the file or folder
  std::string reason;  // without the name
  SkipRule rule = SkipRule::unreadable;
  std::string part = {};  // "training" or "held out" where it is known
};

// How many by each rule, in the order of the rules; only those that occurred.
std::vector<std::pair<SkipRule, std::int64_t>> count_by_rule(const std::vector<Skipped>& skipped);

// "3 skipped: 2 hidden (a name that begins with a dot), 1 unreadable"; "nothing skipped".
std::string summary(const std::vector<Skipped>& skipped);

// "name: reason", for an error or a list.
std::string text_of(const Skipped& skipped);

}  // namespace limulus
