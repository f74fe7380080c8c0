#pragma once
// From the folders of a tree to a data set. For dataset.cpp alone.
#include "training/data/dataset.h"
#include "training/data/folder_tree.h"

namespace limulus {

// Which of the folders are for training, and which for testing, by their names.
struct Roles {
  std::vector<const TopFolder*> train, test;  // test: the preferred one first
  std::vector<const TopFolder*> others;       // without a role; all three only with pictures
};
Roles roles_of(const FolderTree& tree, const DatasetOptions& options);

// `classes` or `train_test`. If both are possible, FileError shows both, and how to
// choose.
Layout decide(const FolderTree& tree, const Roles& roles, const DatasetOptions& options);

// By options.layout, or else as decide() says.
Dataset read_folders(FolderTree tree, const DatasetOptions& options);

// For an error: how many were skipped by which rule, and the first of those that were meant to take
// part: "2 skipped: 1 hidden (...), 1 unreadable; the first is a/1.jpg: it is empty".
std::string summary_with_first(const std::vector<Skipped>& skipped);

// FileError, naming the first entry of data.skipped for which `--strict` stops.
void check_strict(const Dataset& data, const DatasetOptions& options);

}  // namespace limulus
