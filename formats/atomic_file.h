#pragma once
// Writing a file so that a crash, a full disk or a power cut never leaves half of one: everything
// goes to a temporary file in the same folder, is forced to the disk, and only then takes the place
// of `path` in one step. Until that step the old file is untouched.
//
// The temporary file, `path.tmp-` and eight digits, is each writer's own: of two programs that
// write one `path` at the same time, the last to finish wins, and its file is whole. A writer holds
// a lock (flock) on its temporary file, so that the next writer of `path` can tell one that a
// killed program left behind, and removes it.
//
// Where `path` is a symbolic link, the link stays and the file that it names is replaced. A folder,
// a device or a named pipe is refused, /dev/stdout and /dev/null too: nothing can take their place.
// The umask decides who may read the new file.
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
  ~AtomicFile();  // without commit(): removes the temporary file, and `path` is as it was
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();  // fsync, rename, fsync of the folder

  const std::filesystem::path& temporary() const { return temporary_; }

 private:
  [[noreturn]] void fail(const char* action, const std::filesystem::path& on) const;
  void open_temporary();
  void remove_abandoned() const;
  void keep_previous() const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  AtomicOptions options_;
  int fd_ = -1;
};

// Makes the folder, and those above it, if they do not exist. FileError if something else is in its
// place, or if that fails.
void make_folders(const std::filesystem::path& folder);

// The whole of it in one call, for a report or a table.
void write_file_atomically(const std::filesystem::path& path, std::string_view text,
                           AtomicOptions options = {});

}  // namespace limulus
