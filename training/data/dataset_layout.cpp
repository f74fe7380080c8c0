// What the names of folders mean. "train" may be the training part of a set, or a class beside
// "bus" and "car". A folder gets a role only if the whole set fits it, and if both readings are
// possible, the user is asked.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "training/data/class_names.h"
#include "training/data/dataset_folders.h"

namespace limulus {
namespace {

// In the order in which they are preferred.
constexpr const char* kTestNames[] = {"test", "testing", "val", "validation", "valid"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// 0 is the best; -1 for a name that no test folder has.
std::ptrdiff_t test_rank(const std::string& name, const DatasetOptions& options) {
  if (!options.test_folder.empty() && name == options.test_folder) return 0;
  const auto* found = std::find(std::begin(kTestNames), std::end(kTestNames), lower(name));
  return found == std::end(kTestNames) ? -1 : 1 + (found - std::begin(kTestNames));
}

bool is_train(const std::string& name) {
  return lower(name) == "train" || lower(name) == "training";
}
bool is_role(const std::string& name) { return is_train(name) || test_rank(name, {}) >= 0; }

// "seg_train" and "Training set" are "seg *" and "* set", for training; {} where no word, or more
// than one, is a role.
struct Worded {
  std::string rest;
  bool train = false;
};
std::optional<Worded> role_word(const std::string& name) {
  std::vector<std::string> words(1);
  for (const char c : lower(name)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0)
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  for (std::size_t i = 0; i < words.size(); ++i)  // "trainset" is two words, too
    for (const std::string_view end : {"set", "data", "images"})
      if (words[i].ends_with(end) && is_role(words[i].substr(0, words[i].size() - end.size()))) {
        words[i].resize(words[i].size() - end.size());
        words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::string(end));
      }
  const auto found = std::find_if(words.begin(), words.end(), is_role);
  if (found == words.end() || std::count_if(words.begin(), words.end(), is_role) != 1) return {};
  Worded result{.train = is_train(*found)};
  found->assign(1, '*');
  result.rest = fmt::format("{}", fmt::join(words, " "));
  return result;
}

std::vector<std::string> names_of(const std::vector<const TopFolder*>& folders) {
  std::vector<std::string> names;
  for (const TopFolder* folder : folders) names.push_back(folder->name);
  return names;
}

// How many of `names` are among `classes`.
std::size_t shared(const std::vector<std::string>& names, const std::vector<std::string>& classes) {
  std::vector<std::string> known;
  for (const std::string& name : classes) known.push_back(canonical(name));
  std::sort(known.begin(), known.end());
  return static_cast<std::size_t>(
      std::count_if(names.begin(), names.end(), [&](const std::string& name) {
        return std::binary_search(known.begin(), known.end(), canonical(name));
      }));
}

std::vector<std::string> all_names(const Roles& roles) {
  std::vector<std::string> names;
  for (const auto* part : {&roles.train, &roles.test, &roles.others})
    for (const TopFolder* folder : *part) names.push_back(folder->name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> classes_by_roles(const Roles& roles) {
  return roles.train.empty() ? names_of(roles.others) : roles.train[0]->child_names();
}

// "test/ holds the held-out pictures, in the folders cat, dog".
std::string described(const TopFolder& folder, const char* what) {
  const auto classes = folder.child_names();
  return fmt::format("{}/ holds the {} pictures, {}", folder.name, what,
                     classes.empty() ? std::string("which lie in no class folders")
                                     : "in the folders " + names_text(classes, 5));
}

[[noreturn]] void ask(const FolderTree& tree, const Roles& roles) {
  std::vector<std::string> parts;
  for (const TopFolder* folder : roles.train) parts.push_back(described(*folder, "training"));
  for (const TopFolder* folder : roles.test) parts.push_back(described(*folder, "held-out"));
  if (!roles.others.empty())
    parts.push_back(fmt::format("{}: {}", roles.train.empty() ? "the classes" : "without a part",
                                names_text(names_of(roles.others), 5)));
  std::string differ;  // how the classes of a test folder differ from the training part's
  const auto classes = classes_by_roles(roles);
  for (const TopFolder* test : roles.test)
    for (const std::string& name : test->child_names())
      if (differ.empty() && !classes.empty() && shared({name}, classes) == 0)
        differ = fmt::format(" ({}/{} is none of its classes: {})", test->name, name,
                             ClassNames(classes).explain_missing(name));
  const auto all = all_names(roles);
  throw FileError(fmt::format(
      "{}: these folders can be read in two ways: as {} classes ({}), or by the roles that some "
      "names suggest: {}{}. Choose with --layout classes or --layout train-test, or rename folders",
      tree.path.string(), all.size(), names_text(all, 8), fmt::join(parts, "; "), differ));
}

// cat/train/ and cat/test/: the parts of a set inside of its classes, where they would be mixed.
// vehicle/train/ beside vehicle/bus/ are kinds of a class.
bool holds_parts(const TopFolder& folder) {
  const auto names = folder.child_names();
  return std::all_of(names.begin(), names.end(), is_role) &&
         std::any_of(names.begin(), names.end(),
                     [](const auto& name) { return test_rank(name, {}) >= 0; });
}

void check_parts_inside(const FolderTree& tree, const Roles& roles) {
  if (roles.others.size() < 2) return;  // a folder around the set: another error says so
  const auto found = std::find_if(roles.others.begin(), roles.others.end(),
                                  [](const TopFolder* folder) { return holds_parts(*folder); });
  if (found == roles.others.end()) return;
  const std::string name = (*found)->name;
  throw FileError(fmt::format(
      "{}: these folders can be read in two ways: as {} classes ({}), each with all pictures below "
      "it, or as classes with parts inside ({}/ has the folders {}), which are not read: parts lie "
      "above the classes, as in {}/{}. Choose --layout classes, or move the folders",
      tree.path.string(), roles.others.size(), names_text(names_of(roles.others), 8), name,
      names_text((*found)->child_names(), 5), (*found)->child_names().front(), name));
}

// Folders whose names differ in nothing but the role, as seg_train and seg_test, are meant as a
// pair: they get their roles, and decide() looks at what is inside.
void take_pairs(Roles& roles) {
  std::map<std::string, Roles> by_rest;
  for (const TopFolder* folder : roles.others)
    if (const auto role = role_word(folder->name)) {
      Roles& named = by_rest[role->rest];
      (role->train ? named.train : named.test).push_back(folder);
    }
  for (const auto& [rest, named] : by_rest) {
    if (named.train.empty() || named.test.empty()) continue;
    roles.train.insert(roles.train.end(), named.train.begin(), named.train.end());
    roles.test.insert(roles.test.end(), named.test.begin(), named.test.end());
  }
  if (roles.train.empty()) return;
  const auto has_role = [&](const TopFolder* folder) {
    return std::find(roles.train.begin(), roles.train.end(), folder) != roles.train.end() ||
           std::find(roles.test.begin(), roles.test.end(), folder) != roles.test.end();
  };
  std::erase_if(roles.others, has_role);
}

}  // namespace

Roles roles_of(const FolderTree& tree, const DatasetOptions& options) {
  Roles roles;
  for (const TopFolder& folder : tree.folders) {
    if (folder.count() == 0) continue;
    if (test_rank(folder.name, options) >= 0) {
      roles.test.push_back(&folder);
    } else if (is_train(folder.name)) {
      roles.train.push_back(&folder);
    } else {
      roles.others.push_back(&folder);
    }
  }
  if (roles.train.empty() && roles.test.empty()) take_pairs(roles);
  std::stable_sort(roles.test.begin(), roles.test.end(), [&](const auto* a, const auto* b) {
    return test_rank(a->name, options) < test_rank(b->name, options);
  });
  return roles;
}

Layout decide(const FolderTree& tree, const Roles& roles, const DatasetOptions& options) {
  if (roles.train.empty() && roles.test.empty()) {
    check_parts_inside(tree, roles);
    return Layout::classes;
  }
  if (!options.classes.empty()) {  // it is known which names are classes
    const auto all = all_names(roles);
    const auto inside = roles.test.empty() ? classes_by_roles(roles) : roles.test[0]->child_names();
    const bool as_classes = shared(all, options.classes) == all.size();
    const bool as_roles = !inside.empty() && shared(inside, options.classes) == inside.size();
    if (as_classes != as_roles) return as_classes ? Layout::classes : Layout::train_test;
  }
  // Class names that the training part and a test part have in common show that these are roles.
  const auto classes = classes_by_roles(roles);
  const bool agree = std::any_of(roles.test.begin(), roles.test.end(), [&](const auto* test) {
    return shared(test->child_names(), classes) > 0;
  });
  if (roles.train.size() > 1) ask(tree, roles);
  if (roles.train.empty()) {
    if (agree) return Layout::train_test;  // classes beside test/
    if (roles.others.empty() && !options.classes.empty()) return Layout::train_test;
    if (roles.others.empty() && roles.test.size() == 1)
      return Layout::classes;  // too few: an error
    ask(tree, roles);
  }
  if (classes.empty()) {  // train/*.jpg
    if (roles.test.empty()) return Layout::classes;
    ask(tree, roles);
  }
  if (roles.others.empty() && (agree || roles.test.empty())) return Layout::train_test;
  // bus/, car/ and train/ with folders of its own: three classes.
  if (roles.test.empty() && roles.others.size() > 1 && shared(classes, names_of(roles.others)) == 0)
    return Layout::classes;
  ask(tree, roles);
}

}  // namespace limulus
