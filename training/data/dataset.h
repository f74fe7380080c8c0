#pragma once
// A labelled set of pictures, from the layouts that people have on their disks:
//
//   classes      <class>/*.jpg, at any depth below a class's folder
//   train-test   train/<class>/*.jpg beside test/ or val/<class>/*.jpg; or classes beside test/
//   flowers17    jpg/image_0001.jpg ... image_1360.jpg, eighty of each class
//   mnist        train-images-idx3-ubyte[.gz] ... also Fashion-MNIST
//   cifar10      data_batch_1.bin ... test_batch.bin (the "binary version")
//   shards       train-000000.tar ... test-000000.tar, as `limulus pack` writes them (shards.h)
//
// A layout is chosen by itself only if all of the folder fits it. If two layouts fit, or none, the
// error says which, and how to choose. What takes no part is listed in Dataset::skipped
// (training/data/skipped.h).
//
// Names are sorted by their bytes, so an index means the same picture on every machine.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/data/image_set.h"
#include "training/data/skipped.h"

namespace limulus {

enum class Layout { automatic, classes, train_test, flowers17, mnist, cifar10, shards };
const char* name_of(Layout layout);            // "auto", "classes" ...
Layout parse_layout(const std::string& name);  // ValueError lists them

struct Dataset {
  Layout kind = Layout::automatic;  // which it was read as
  std::string layout;    // the same in words, "train and test folders of 5 class folders"
  std::string division;  // how `test` came about, where that is a choice; may be empty
  std::vector<std::string> classes;
  ImageSet train;
  ImageSet test;
  // The set came in one piece, and `test` was drawn from it by DatasetOptions::test_part.
  bool in_one_piece = false;
  std::vector<Skipped> skipped;
  std::string how_read() const { return layout + (division.empty() ? "" : ", " + division); }
};

struct DatasetOptions {
  // A set that comes in one piece is cut: this part of every class becomes the test set, drawn from
  // split_seed and the same in every run.
  double test_part = 0.2;
  std::uint64_t split_seed = 0;
  Layout layout = Layout::automatic;
  std::string test_folder;  // which folder beside train/; "" prefers test, then val
  bool strict = false;      // FileError where stops_strict() (training/data/skipped.h), not skipped
  // The classes of a network that is to be evaluated: labels are indices in this list. The set need
  // not have all of them, nor two, nor a training part; a class that is not in the list is an
  // error.
  std::vector<std::string> classes = {};
};

// Recognises the layout. FileError for a folder that fits none, or more than one: the message lists
// the readings and what the folder holds.
Dataset open_dataset(const std::filesystem::path& folder, const DatasetOptions& options = {});

// The layouts one by one, for callers who know what they have. The first two are `classes` and
// `train_test` if options.layout says so, and otherwise the one that fits.
Dataset open_class_folders(const std::filesystem::path& folder, const DatasetOptions& options = {});
Dataset open_flowers17(const std::filesystem::path& folder, const DatasetOptions& options = {});
Dataset open_mnist(const std::filesystem::path& folder, const DatasetOptions& options = {});
Dataset open_cifar10(const std::filesystem::path& folder, const DatasetOptions& options = {});

Dataset open_shards(const std::filesystem::path& folder, const DatasetOptions& options = {});

// Cuts `all` in two, class by class, by options.test_part and options.split_seed.
void split_by_class(const ImageSet& all, std::int64_t classes, const DatasetOptions& options,
                    ImageSet* train, ImageSet* test);

}  // namespace limulus
