#pragma once
// Writing a file so that a crash, a full disk or a power cut never leaves half of one: everything
// goes to `path.tmp` in the same folder, is forced to the disk, and only then takes the place of
// `path` in one step. Until that step the old file is untouched.
#include <cstddef>
#include <filesystem>
#include <string_view>

namespace limulus {

struct AtomicOptions {
  bool keep_previous = false;  // the file that is replaced stays as `path.previous`
};

class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path, AtomicOptions options = {});
  ~AtomicFile();  // without commit(): removes `path.tmp`, and `path` is as it was
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();  // fsync, rename, fsync of the folder

 private:
  [[noreturn]] void fail(const char* action, const std::filesystem::path& on) const;
  void keep_previous() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  AtomicOptions options_;
  int fd_ = -1;
};

// The whole of it in one call, for a report or a table.
void write_file_atomically(const std::filesystem::path& path, std::string_view text,
                           AtomicOptions options = {});

}  // namespace limulus
