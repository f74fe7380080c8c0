// MNIST's and CIFAR-10's files where something else stands in the place of one, or one is missing:
// the error names it, and what is left out is listed once.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/error.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"
#include "training_sets.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

constexpr const char* kMnist[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                  "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

// Two pictures of one pixel, or their labels.
std::string idx(const std::string& name) {
  return name.find("images") != std::string::npos
             ? std::string("\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\1ab", 18)
             : std::string("\0\0\x08\x01\0\0\0\2\0\1", 10);
}

void put_mnist(const fs::path& folder) {
  for (const std::string name : kMnist) put_bytes(folder / name, idx(name));
}

void put_cifar(const fs::path& folder) {
  const std::string record(3073, '\3');
  for (int i = 1; i <= 5; ++i)
    put_bytes(folder / ("data_batch_" + std::to_string(i) + ".bin"), record);
  put_bytes(folder / "test_batch.bin", record);
}

std::string error_of(const fs::path& folder) {
  return message_of<FileError>([&] { open_dataset(folder); });
}

}  // namespace

TEST_CASE("MNIST: each of its files may be missing, a pipe, a folder or a link to nothing") {
  for (const std::string name : kMnist) {
    CAPTURE(name);
    TemporaryFolder folder;
    put_mnist(folder.path);
    fs::remove(folder / name);
    CHECK(has(error_of(folder.path), "has no file " + name));
    REQUIRE(::mkfifo((folder / name).c_str(), 0600) == 0);
    CHECK(has(error_of(folder.path), "has no file " + name));
    CHECK(has(error_of(folder.path), (folder / name).string() + " is a named pipe"));
    fs::remove(folder / name);
    fs::create_symlink("nowhere", folder / name);
    CHECK(has(error_of(folder.path), (folder / name).string() + " is a symbolic link to nothing"));
    fs::remove(folder / name);
    fs::create_directories(folder / name);
    CHECK(has(error_of(folder.path), (folder / name).string() + " is a folder"));
  }
  TemporaryFolder pipes;  // nothing but pipes
  for (const std::string name : kMnist) REQUIRE(::mkfifo((pipes / name).c_str(), 0600) == 0);
  CHECK(has(error_of(pipes.path), "is a named pipe"));
}

TEST_CASE("CIFAR-10: what stands in a batch's place is named, and listed once") {
  TemporaryFolder folder;
  put_cifar(folder.path);
  put_bytes(folder / "batches.meta.txt", "");  // the archive's own
  put_bytes(folder / "readme.html", "");
  CHECK(open_dataset(folder.path).skipped.empty());
  fs::remove(folder / "data_batch_2.bin");
  fs::remove(folder / "data_batch_3.bin");
  REQUIRE(::mkfifo((folder / "data_batch_2.bin").c_str(), 0600) == 0);
  fs::create_directories(folder / "data_batch_3.bin");
  const Dataset data = open_dataset(folder.path);
  REQUIRE(data.skipped.size() == 2);
  for (const Skipped& s : data.skipped) CHECK(s.rule == SkipRule::incomplete);
  CHECK(has(data.skipped[0].reason, "is a named pipe"));
  CHECK(has(data.skipped[1].reason, "is a folder"));
  fs::remove(folder / "test_batch.bin");
  CHECK(has(error_of(folder.path), "test_batch.bin: cannot open"));
  TemporaryFolder test;  // a training needs more, and says so
  put_bytes(test / "test_batch.bin", std::string(3073, '\3'));
  CHECK(has(error_of(test.path), "has no data_batch_1.bin"));
}

TEST_CASE("known sets: further down, of no images, and CIFAR-100") {
  TemporaryFolder folder;
  put_mnist(folder / "MNIST/raw");
  CHECK(has(error_of(folder.path), "is " + (folder / "MNIST/raw").string() + " meant?"));
  TemporaryFolder wrapped;
  put_cifar(wrapped / "cifar-10-batches-bin");
  CHECK(has(error_of(wrapped.path), "cifar-10-batches-bin meant?"));
  put_bytes(folder / "MNIST/raw/train-images-idx3-ubyte",
            std::string("\0\0\x08\x03\0\0\0\0\0\0\0\1\0\0\0\1", 16));
  CHECK(has(error_of(folder / "MNIST/raw"), "train-images-idx3-ubyte: holds nothing"));
  TemporaryFolder hundred;
  put_bytes(hundred / "train.bin", "");
  put_bytes(hundred / "test.bin", "");
  CHECK(has(error_of(hundred.path), "CIFAR-100"));
}
