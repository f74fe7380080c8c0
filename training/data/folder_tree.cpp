#include "training/data/folder_tree.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// Of a file's name, ".jpg"; none for a name that begins with its only dot. Large sets have millions
// of names, and fs::path takes each apart into pieces.
std::string extension_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  std::string extension = dot == std::string::npos || dot == 0 ? "" : name.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

// Why a name is passed over; "" for one that is not. A system's own folders may hold pictures that
// nobody put there, such as the thumbnails of a file server.
std::string hidden(const std::string& name) {
  if (name.starts_with('.')) return "hidden: its name begins with a dot";
  for (const char* system : {"lost+found", "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN",
                             "System Volume Information"})
    if (name == system) return "a folder of the system";
  return "";
}

const char* kind_of(fs::file_type type) {
  switch (type) {
    case fs::file_type::fifo:
      return "a named pipe, not a file";
    case fs::file_type::socket:
      return "a socket, not a file";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device, not a file";
    default:
      return "not a file";
  }
}

// A folder's identity, whatever path leads to it.
using Identity = std::pair<dev_t, ino_t>;

Identity identity(const fs::path& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

// What an entry is. The listing itself tells it for most (d_type), without asking for each file's
// inode: of a million files that takes seconds. What a symbolic link leads to has to be asked.
template <class Path>
fs::file_type type_of(const dirent& entry, Path path, std::error_code* error) {
  if (entry.d_type == DT_REG) return fs::file_type::regular;
  if (entry.d_type == DT_DIR) return fs::file_type::directory;
  return fs::status(path(), *error).type();
}

// Sorts one entry into the listing.
void add_entry(const dirent& entry, const std::string& folder, Listing* listing) {
  const std::string name = entry.d_name;
  const auto path = [&] { return folder + (folder.ends_with('/') ? "" : "/") + name; };
  const auto skip = [&](std::string reason, SkipRule rule) {
    listing->skipped.push_back({path(), std::move(reason), rule});
  };
  if (std::string reason = hidden(name); !reason.empty())
    return skip(std::move(reason), SkipRule::hidden);
  std::error_code error;
  const fs::file_type type = type_of(entry, path, &error);
  if (type == fs::file_type::directory) {
    listing->folders.push_back(name);
  } else if (type == fs::file_type::regular) {
    (is_picture(name) ? listing->pictures : listing->others).push_back(name);
  } else if (type == fs::file_type::not_found) {
    skip("a symbolic link to nothing",
         is_picture(name) ? SkipRule::unreadable : SkipRule::no_access);
  } else if (error) {
    skip(fmt::format("cannot be looked at: {}", error.message()),
         is_picture(name) ? SkipRule::unreadable : SkipRule::no_access);
  } else {
    skip(kind_of(type), is_picture(name) ? SkipRule::unreadable : SkipRule::not_a_picture);
  }
}

constexpr const char* kReadAlready =
    "a link to a folder that is read already, or that holds the link";

// The folders that must not be entered again on the way down: a link to one of them is a loop.
using Visited = std::set<Identity>;

// Links to folders. A folder that links lead to is read once: else folders that link to each other
// would be read again on every way through them. A folder of the tree is read under its own name.
class Links {
 public:
  explicit Links(const fs::path& folder) {
    std::error_code ignored;
    root_ = fs::canonical(folder, ignored);
  }

  // Whether `path` is a link to a folder that is read without it.
  bool again(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_symlink(path, ignored)) return false;
    return inside(path) || !followed_.insert(identity(path)).second;
  }

 private:
  // Hidden folders are not read, so a link to one of them counts.
  bool inside(const fs::path& link) const {
    std::error_code error;
    const fs::path target = fs::canonical(link, error).lexically_relative(root_);
    return !error && !target.empty() && *target.begin() != ".." &&
           std::all_of(target.begin(), target.end(),
                       [](const fs::path& name) { return hidden(name.string()).empty(); });
  }

  fs::path root_;
  Visited followed_;
};

// All pictures below `folder`, whose own identity is in `visited`. No recursion, as folders may be
// nested deeper than the stack.
PictureFolder read_all(const fs::path& folder, Visited visited, Links* links) {
  PictureFolder all;
  all.name = folder.filename().string();
  std::vector<fs::path> open = {""};  // paths from `folder`
  while (!open.empty()) {
    const fs::path inside = std::move(open.back());
    open.pop_back();
    const fs::path here = inside.empty() ? folder : folder / inside;
    Listing listing;
    try {
      listing = list_folder(here);
    } catch (const FileError& error) {
      const std::string what = error.what();
      all.skipped.push_back(
          {here.string(), what.substr(here.string().size() + 2), SkipRule::no_access});
      continue;
    }
    for (const std::string& name : listing.pictures)
      all.pictures.push_back(inside.empty() ? name : (inside / name).string());
    for (const std::string& name : listing.others) all.skipped.push_back(skipped_file(here / name));
    all.skipped.insert(all.skipped.end(), listing.skipped.begin(), listing.skipped.end());
    for (const std::string& name : listing.folders) {
      if (!links->again(here / name) && visited.insert(identity(here / name)).second) {
        open.push_back(inside / name);
      } else {
        all.skipped.push_back({(here / name).string(), kReadAlready, SkipRule::repeated});
      }
    }
  }
  std::sort(all.pictures.begin(), all.pictures.end());
  return all;
}

}  // namespace

bool is_picture(const std::string& name) {
  const std::string e = extension_of(name);
  return e == ".jpg" || e == ".jpeg" || e == ".png";
}

Listing list_folder(const fs::path& folder) {
  Listing listing;
  const std::string path = folder.string();
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(path.c_str()), ::closedir);
  errno = open ? 0 : errno;
  if (open)
    while (const dirent* entry = ::readdir(open.get())) {
      if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..")
        add_entry(*entry, path, &listing);
      errno = 0;  // readdir says by it whether the end has come
    }
  if (errno != 0)
    throw FileError(
        fmt::format("{}: the folder cannot be listed: {}", path, system_message(errno)));
  for (auto* names : {&listing.folders, &listing.pictures, &listing.others})
    std::sort(names->begin(), names->end());
  std::sort(listing.skipped.begin(), listing.skipped.end(),
            [](const Skipped& a, const Skipped& b) { return a.name < b.name; });
  return listing;
}

Skipped skipped_file(const fs::path& file) {
  static constexpr std::array kOtherFormats = {
      ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl",
      ".jp2", ".jpe", ".jfif", ".ppm", ".pgm",  ".pnm",  ".svg",  ".tga",  ".ico",
      ".raw", ".dng", ".cr2",  ".nef", ".arw",  ".psd",  ".exr",  ".hdr"};
  const std::string extension = extension_of(file.filename().string());
  if (std::find(kOtherFormats.begin(), kOtherFormats.end(), extension) != kOtherFormats.end())
    return {file.string(),
            fmt::format("{} pictures are not read: convert it to .jpg or .png", extension),
            SkipRule::other_format};
  return {file.string(), "not a .jpg, .jpeg or .png file", SkipRule::not_a_picture};
}

std::int64_t TopFolder::count() const {
  std::size_t n = pictures.size();
  for (const PictureFolder& child : children) n += child.pictures.size();
  return static_cast<std::int64_t>(n);
}

PictureFolder TopFolder::as_class() const {
  PictureFolder all{name, pictures, skipped};
  for (const PictureFolder& child : children) {
    for (const std::string& picture : child.pictures)
      all.pictures.push_back(child.name + "/" + picture);
    all.skipped.insert(all.skipped.end(), child.skipped.begin(), child.skipped.end());
  }
  std::sort(all.pictures.begin(), all.pictures.end());
  return all;
}

std::vector<std::string> TopFolder::child_names() const {
  std::vector<std::string> names;
  for (const PictureFolder& child : children)
    if (!child.pictures.empty()) names.push_back(child.name);
  return names;
}

FolderTree read_tree(const fs::path& folder) {
  FolderTree tree;
  tree.path = folder;
  const auto skip_others = [](const fs::path& in, const Listing& listing) {
    std::vector<Skipped> skipped = listing.skipped;
    for (const std::string& name : listing.others) skipped.push_back(skipped_file(in / name));
    return skipped;
  };
  Listing top = list_folder(folder);
  tree.skipped = skip_others(folder, top);
  tree.pictures = std::move(top.pictures);
  Visited above;  // the folder and all that hold it
  Links links(folder);
  std::error_code ignored;
  for (fs::path at = fs::canonical(folder, ignored); !at.empty(); at = at.parent_path()) {
    above.insert(identity(at));
    if (at == at.root_path()) break;
  }
  const auto no_entry = [](const fs::path& path, std::string reason, SkipRule rule) {
    return Skipped{path.string(), std::move(reason), rule};
  };
  for (const std::string& name : top.folders) {
    const fs::path path = folder / name;
    Visited visited = above;
    if (links.again(path) || !visited.insert(identity(path)).second) {
      tree.skipped.push_back(no_entry(path, kReadAlready, SkipRule::repeated));
      continue;
    }
    TopFolder part;
    part.name = name;
    Listing listing;
    try {
      listing = list_folder(path);
    } catch (const FileError& error) {
      const std::string what = error.what();
      tree.skipped.push_back(
          no_entry(path, what.substr(path.string().size() + 2), SkipRule::no_access));
      continue;
    }
    part.skipped = skip_others(path, listing);
    part.pictures = std::move(listing.pictures);
    for (const std::string& child : listing.folders) {
      Visited on_the_way = visited;
      if (!links.again(path / child) && on_the_way.insert(identity(path / child)).second) {
        part.children.push_back(read_all(path / child, std::move(on_the_way), &links));
      } else {
        part.skipped.push_back(no_entry(path / child, kReadAlready, SkipRule::repeated));
      }
    }
    tree.folders.push_back(std::move(part));
  }
  return tree;
}

}  // namespace limulus
