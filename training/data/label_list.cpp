#include "training/data/label_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "core/error.h"
#include "formats/read_file.h"
#include "training/data/class_names.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// What a list calls a picture: with the ending of its name or without.
std::string stem(const std::string& name) {
  return is_picture(name) ? name.substr(0, name.rfind('.')) : name;
}

// The first list that there is; "" if none.
fs::path list_of(const fs::path& root, const std::string& folder) {
  std::error_code unknown;
  for (const std::string& name :
       {folder + ".txt", "LOC_" + folder + "_solution.csv", std::string("labels.txt")})
    for (const fs::path& place : {root / name, root / folder / name})
      if (fs::is_regular_file(place, unknown)) return place;
  return {};
}

class LabelList {
 public:
  LabelList(fs::path file, const std::vector<std::string>& classes)
      : file_(std::move(file)), classes_(classes) {}

  // The class of each picture, by its name without the ending.
  std::map<std::string, std::int64_t> read() {
    const auto bytes = read_file(file_);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::map<std::string, std::int64_t> found;
    for (line_ = 1; !text.empty(); ++line_) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line == "ImageId,PredictionString") continue;
      const std::size_t name_end = line.find_first_of(", \t");
      if (name_end == std::string_view::npos)
        fail(fmt::format("\"{}\" is not the name of a picture and its class: NAME CLASS", line));
      const std::string name(line.substr(0, name_end));
      std::string_view label = line.substr(name_end + 1);
      label = label.substr(0, label.find_first_of(" \t"));
      if (!found.emplace(stem(name), class_of(label)).second)
        fail(fmt::format("{} has a class already", name));
    }
    return found;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(fmt::format("{}: line {}: {}", file_.string(), line_, what));
  }

  std::int64_t class_of(std::string_view label) const {
    const auto at = std::lower_bound(classes_.begin(), classes_.end(), label);
    if (at != classes_.end() && *at == label) return at - classes_.begin();
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
    if (error != std::errc() || end != label.data() + label.size() || number < 0 ||
        number >= std::ssize(classes_))
      fail(
          fmt::format("\"{}\" is neither one of the {} classes ({}) nor the number of one, 0 to {}",
                      label, classes_.size(), names_text(classes_, 4), classes_.size() - 1));
    return number;
  }

  fs::path file_;
  const std::vector<std::string>& classes_;  // sorted
  std::int64_t line_ = 0;
};

}  // namespace

void apply_label_lists(FolderTree* tree) {
  const auto train =
      std::find_if(tree->folders.begin(), tree->folders.end(), [](const TopFolder& folder) {
        return folder.name == "train" && folder.child_names().size() > 1;
      });
  if (train == tree->folders.end()) return;
  const std::vector<std::string> classes = train->child_names();  // sorted by their bytes
  for (TopFolder& folder : tree->folders) {
    if (folder.pictures.empty() || !folder.child_names().empty()) continue;
    const fs::path file = list_of(tree->path, folder.name);
    if (file.empty()) continue;
    auto labels = LabelList(file, classes).read();
    std::vector<PictureFolder> parts(classes.size());
    for (std::size_t c = 0; c < classes.size(); ++c) {
      parts[c].name = classes[c];
      parts[c].in_one_folder = true;
    }
    for (const std::string& name : folder.pictures) {
      const auto label = labels.find(stem(name));
      if (label == labels.end()) {
        folder.skipped.push_back({(tree->path / folder.name / name).string(),
                                  fmt::format("{} does not tell its class", file.string()),
                                  SkipRule::no_class});
        continue;
      }
      parts[static_cast<std::size_t>(label->second)].pictures.push_back(name);
      labels.erase(label);
    }
    if (!labels.empty())
      folder.skipped.push_back(
          {file.string(),
           fmt::format("tells the class of {} pictures that are not in {}/, such as {}",
                       labels.size(), folder.name, labels.begin()->first),
           SkipRule::incomplete});
    std::erase_if(parts, [](const PictureFolder& part) { return part.pictures.empty(); });
    folder.children = std::move(parts);
    folder.pictures.clear();
    const auto is_list = [&](const Skipped& s) { return s.name == file.string(); };
    std::erase_if(tree->skipped, is_list);
    std::erase_if(folder.skipped, [&](const Skipped& s) {
      return is_list(s) && s.rule == SkipRule::not_a_picture;
    });
  }
}

}  // namespace limulus
