#include "training/data/dataset_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "core/error.h"
#include "training/data/class_names.h"
#include "training/data/label_list.h"

namespace limulus {
namespace {

std::string class_folders(std::size_t n) {
  return fmt::format("{} class folder{}", n, n == 1 ? "" : "s");
}

// Fills a data set from folders.
class Reader {
 public:
  Reader(const FolderTree& tree, const DatasetOptions& options) : tree_(tree), options_(options) {
    data.skipped = tree.skipped;
    skip_pictures(tree.path, tree.pictures);
  }

  // Pictures without a class folder around them.
  void skip_pictures(const std::filesystem::path& in, const std::vector<std::string>& pictures) {
    for (const std::string& name : pictures)
      skip(in / name, "lies in no class folder", SkipRule::no_class);
  }
  void skip(const std::filesystem::path& path, std::string reason, SkipRule rule) {
    data.skipped.push_back({path.string(), std::move(reason), rule});
  }

  // The classes: those that are asked for, or the folders' names.
  void set_classes(const std::vector<std::string>& names, const std::filesystem::path& in) {
    data.classes = options_.classes.empty() ? names : options_.classes;
    classes_in_ = options_.classes.empty() ? in.string() : "the network's classes";
    try {
      index_ = std::make_unique<ClassNames>(data.classes);
    } catch (const ValueError& error) {
      throw FileError(fmt::format("{}: {}", in.string(), error.what()));
    }
  }

  // Lists what takes no part in a folder; or the folder itself, if it has no pictures.
  void skip_rest(const PictureFolder& folder, const std::filesystem::path& in, const char* what) {
    const std::filesystem::path path = in / folder.name;
    data.skipped.insert(data.skipped.end(), folder.skipped.begin(), folder.skipped.end());
    const bool listed =  // it could not be opened
        std::any_of(folder.skipped.begin(), folder.skipped.end(),
                    [&](const Skipped& s) { return s.name == path.string(); });
    if (folder.pictures.empty() && !listed) skip(path, what, SkipRule::empty_class);
  }

  // Adds a class folder's pictures to a part of the set.
  void add(const PictureFolder& folder, const std::filesystem::path& in, ImageSet* to) {
    const std::string path = (folder.in_one_folder ? in : in / folder.name).string();
    skip_rest(folder, in, "a class folder without pictures");
    if (folder.pictures.empty()) return;
    const std::int64_t label = index_->find(folder.name);
    if (label < 0)
      throw FileError(fmt::format("{}: class \"{}\" is not in {}: {}", in.string(), folder.name,
                                  classes_in_, index_->explain_missing(folder.name)));
    for (const std::string& name : folder.pictures) {
      to->add_file(fmt::format("{}/{}", path, name), label);
      deep_ += name.find('/') != std::string::npos;
    }
  }

  // Two classes to learn, or one picture to evaluate.
  void check_enough(std::span<const PictureFolder> folders, const std::filesystem::path& in,
                    const std::string& hint) {
    const std::size_t classes = data.classes.size();
    if (classes >= (options_.classes.empty() ? 2 : 1)) return;
    for (const PictureFolder& folder : folders)
      skip_rest(folder, in, "a class folder without pictures");
    throw FileError(
        fmt::format("{}: folders with .jpg or .png pictures: {} ({}); {}{}{}", in.string(), classes,
                    names_text(data.classes),
                    options_.classes.empty() ? "a classifier needs at least 2 classes"
                                             : "there is nothing to evaluate",
                    hint, data.skipped.empty() ? "" : "; " + summary_with_first(data.skipped)));
  }

  // A set in one piece is divided.
  void divide(const ImageSet& all, const std::string& what) {
    data.in_one_piece = true;
    split_by_class(all, static_cast<std::int64_t>(data.classes.size()), options_, &data.train,
                   &data.test);
    data.layout = what + deep();
    data.division = options_.test_part <= 0 ? std::string("none of them held out")
                    : data.test.size() == 0 ? std::string("none held out, as each has one picture")
                                            : fmt::format("{:.0f} % of each held out for testing",
                                                          100 * options_.test_part);
  }

  std::string deep() const {
    return deep_ == 0 ? ""
                      : fmt::format(" (with {} picture{} in folders inside of them)", deep_,
                                    deep_ == 1 ? "" : "s");
  }

  Dataset data;

 private:
  const FolderTree& tree_;
  const DatasetOptions& options_;
  std::unique_ptr<ClassNames> index_;
  std::string classes_in_;
  std::int64_t deep_ = 0;  // pictures in folders inside of class folders
};

Dataset read_classes(const FolderTree& tree, const DatasetOptions& options) {
  Reader reader(tree, options);
  reader.data.kind = Layout::classes;
  std::vector<std::string> names;
  std::vector<PictureFolder> folders;
  std::string hint;
  for (const TopFolder& folder : tree.folders) {
    folders.push_back(folder.as_class());
    if (folder.count() == 0) continue;
    names.push_back(folder.name);
    if (folder.child_names().size() > 1)
      hint = fmt::format("; is {} meant, with {}?", (tree.path / folder.name).string(),
                         names_text(folder.child_names(), 5));
  }
  reader.data.classes = names;
  reader.check_enough(folders, tree.path, hint);
  reader.set_classes(names, tree.path);
  ImageSet all;
  for (const PictureFolder& folder : folders) reader.add(folder, tree.path, &all);
  reader.divide(all, class_folders(names.size()));
  return std::move(reader.data);
}

// The test folder that is taken: the preferred one of those with class folders.
const TopFolder* choose_test(const FolderTree& tree, const Roles& roles,
                             const DatasetOptions& options, Reader* reader) {
  const TopFolder* chosen = nullptr;
  for (const TopFolder* test : roles.test) {
    const bool labelled = !test->child_names().empty();
    const bool asked = options.test_folder.empty() || test->name == options.test_folder;
    if (chosen == nullptr && labelled && asked) {
      chosen = test;
      continue;
    }
    reader->skip(tree.path / test->name,
                 labelled ? fmt::format("{} pictures in a folder beside the one that is taken; "
                                        "--test-folder {} takes this one",
                                        test->count(), test->name)
                          : fmt::format("{} pictures that lie in no class folders, so that nobody "
                                        "knows what is right",
                                        test->count()),
                 SkipRule::unused);
  }
  if (!options.test_folder.empty() && chosen == nullptr) {
    std::vector<std::string> names;
    for (const TopFolder& folder : tree.folders) names.push_back(folder.name);
    throw FileError(fmt::format("{}: has no folder \"{}\" with class folders; it has: {}",
                                tree.path.string(), options.test_folder, names_text(names)));
  }
  return chosen;
}

Dataset read_roles(const FolderTree& tree, const Roles& roles, const DatasetOptions& options) {
  Reader reader(tree, options);
  Dataset& data = reader.data;
  data.kind = Layout::train_test;
  for (const TopFolder& folder : tree.folders)
    if (folder.count() == 0)
      reader.skip_rest(folder.as_class(), tree.path, "a folder without pictures");
  const TopFolder* train = roles.train.empty() ? nullptr : roles.train[0];
  const TopFolder* test = choose_test(tree, roles, options, &reader);

  // The training part: train/, or the folders beside test/.
  const std::filesystem::path train_path = train == nullptr ? tree.path : tree.path / train->name;
  std::vector<PictureFolder> beside;
  std::span<const PictureFolder> folders;
  if (train != nullptr) {
    folders = train->children;
    data.skipped.insert(data.skipped.end(), train->skipped.begin(), train->skipped.end());
    reader.skip_pictures(train_path, train->pictures);
    for (std::size_t i = 1; i < roles.train.size(); ++i)
      reader.skip(tree.path / roles.train[i]->name,
                  fmt::format("{} pictures in a second training folder", roles.train[i]->count()),
                  SkipRule::unused);
    for (const TopFolder* other : roles.others)
      reader.skip(tree.path / other->name,
                  fmt::format("{} pictures in a folder without a part", other->count()),
                  SkipRule::unused);
  } else {
    for (const TopFolder* other : roles.others) beside.push_back(other->as_class());
    folders = beside;
  }
  std::vector<std::string> names;
  for (const PictureFolder& folder : folders)
    if (!folder.pictures.empty()) names.push_back(folder.name);
  data.classes = names;
  if (options.classes.empty() || test == nullptr) reader.check_enough(folders, train_path, "");
  reader.set_classes(names, train_path);
  ImageSet all;
  for (const PictureFolder& folder : folders) reader.add(folder, train_path, &all);

  const std::string what =
      train == nullptr ? class_folders(names.size())
                       : fmt::format("a {} folder of {}", train->name, class_folders(names.size()));
  if (test == nullptr) {
    reader.divide(all, what);
    return std::move(data);
  }
  data.train = std::move(all);
  const std::filesystem::path test_path = tree.path / test->name;
  data.skipped.insert(data.skipped.end(), test->skipped.begin(), test->skipped.end());
  reader.skip_pictures(test_path, test->pictures);
  for (const PictureFolder& folder : test->children) reader.add(folder, test_path, &data.test);
  data.layout =
      train != nullptr ? fmt::format("{} and {} folders of {}", train->name, test->name,
                                     class_folders(names.size()))
      : names.empty()
          ? fmt::format("a {} folder of {}", test->name, class_folders(test->child_names().size()))
          : fmt::format("{} beside a {} folder", class_folders(names.size()), test->name);
  data.layout += reader.deep();
  return std::move(data);
}

}  // namespace

std::string summary_with_first(const std::vector<Skipped>& skipped) {
  const auto first = std::find_if(skipped.begin(), skipped.end(),
                                  [](const Skipped& s) { return stops_strict(s.rule); });
  return summary(skipped) + (first == skipped.end() ? "" : "; the first is " + text_of(*first));
}

void check_strict(const Dataset& data, const DatasetOptions& options) {
  if (!options.strict) return;
  for (const Skipped& s : data.skipped)
    if (stops_strict(s.rule)) throw FileError(text_of(s));
}

Dataset read_folders(FolderTree tree, const DatasetOptions& options) {
  apply_label_lists(&tree);
  const Roles roles = roles_of(tree, options);
  if (options.layout == Layout::train_test && roles.train.empty() && roles.test.empty()) {
    std::vector<std::string> names;
    for (const TopFolder& folder : tree.folders) names.push_back(folder.name);
    throw FileError(
        fmt::format("{}: has no folder for training (train/, training/) and none for testing "
                    "(test/, val/ ...); it "
                    "has: {}. Choose --layout classes, or rename folders",
                    tree.path.string(), names_text(names, 8)));
  }
  const Layout layout =
      options.layout == Layout::automatic ? decide(tree, roles, options) : options.layout;
  Dataset data =
      layout == Layout::train_test ? read_roles(tree, roles, options) : read_classes(tree, options);
  check_strict(data, options);
  return data;
}

}  // namespace limulus
