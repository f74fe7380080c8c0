#pragma once
// What lies in a folder of pictures: its folders, theirs, and every picture below. What the names
// mean is decided elsewhere (dataset_layout.cpp).
#include <filesystem>
#include <string>
#include <vector>

#include "training/data/skipped.h"

namespace limulus {

// One level. Names are sorted by their bytes.
struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> pictures;  // regular files that end in .jpg, .jpeg or .png
  std::vector<std::string> others;    // regular files of other names
  std::vector<Skipped> skipped;       // hidden, not a file, or cannot be opened; `others` not yet
};
// FileError when the folder cannot be listed.
Listing list_folder(const std::filesystem::path& folder);

// Whether a file's name ends in .jpg, .jpeg or .png, in letters of any case.
bool is_picture(const std::string& name);

// An entry for the list: what a file is whose name is not a picture's.
Skipped skipped_file(const std::filesystem::path& file);

// A folder, and all pictures below it at any depth.
struct PictureFolder {
  std::string name;
  std::vector<std::string> pictures;  // paths from this folder, sorted by their bytes
  std::vector<Skipped> skipped;       // what lies in it and is not a picture
  bool in_one_folder = false;         // a list made it a class: the paths begin in the folder above
};

struct TopFolder {
  std::string name;
  std::vector<std::string> pictures;             // directly in it
  std::vector<PictureFolder> children;           // its folders
  std::vector<Skipped> skipped;                  // directly in it
  std::int64_t count() const;                    // pictures at any depth
  PictureFolder as_class() const;                // all of it as one folder
  std::vector<std::string> child_names() const;  // of children with pictures
};

struct FolderTree {
  std::filesystem::path path;
  std::vector<TopFolder> folders;
  std::vector<std::string> pictures;  // directly in it
  std::vector<Skipped> skipped;       // directly in it
};

// Reads all of it. A folder below that cannot be opened is skipped with a note. Symbolic links are
// followed, but never to a folder that holds the link (a loop), nor to one of this tree, which is
// read under its own name, nor twice to one folder.
// FileError when `folder` itself cannot be listed.
FolderTree read_tree(const std::filesystem::path& folder);

}  // namespace limulus
