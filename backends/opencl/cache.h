#pragma once
// What is kept between programs: built kernels, measured sizes, the results of self-checks. All of
// it lies in ${XDG_CACHE_HOME:-~/.cache}/limulus and may be deleted at any time.
//
// Some of it is run as code, so it must have been written by this user's programs for this use:
//   * the folder is used only if it belongs to this user, is no link, and nobody else may write to
//     it or replace it; the same holds for a file in it. Everything is checked through an open
//     folder, so that nothing can be exchanged between the check and the use;
//   * each file holds its whole key (what it was made from, and for which driver) beside its
//     content, and a checksum over both. So it is of no use under another name.
#include <memory>
#include <optional>
#include <string>

namespace limulus::opencl {

// "" if neither XDG_CACHE_HOME nor HOME names a folder by an absolute path (a relative one is
// ignored, as the XDG specification demands).
std::string cache_folder();

// "" or why nothing is kept: the folder cannot be trusted, or cannot be opened. A folder that does
// not exist yet is no trouble.
std::string cache_trouble();

// For people: the folder, or why nothing is kept in it.
std::string cache_note();

// The content that was kept under this name for exactly this key. A file that is damaged, not ours
// or for another key counts as missing; `unusable` then says so.
std::optional<std::string> cache_read(const std::string& name, const std::string& key,
                                      bool* unusable = nullptr);

// Writes a file beside its place and renames it, so that no reader sees half of it. "" or why it
// was not kept: for most callers, that only costs the time to make the content again.
std::string cache_write(const std::string& name, const std::string& key,
                        const std::string& content) noexcept;

// The same in two steps. Everything that may fail or allocate happens when it is made; write() is
// system calls alone, so that a signal handler may do it.
class PreparedFile {
 public:
  PreparedFile(const std::string& name, const std::string& key, const std::string& content);
  ~PreparedFile();
  PreparedFile(const PreparedFile&) = delete;
  PreparedFile& operator=(const PreparedFile&) = delete;

  const std::string& why() const;  // "" or why nothing can be kept: then write() does nothing
  int write() const noexcept;      // 0, or what errno said

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// A hash of 128 bits of a text, to be used as a name.
std::string hash_of(const std::string& text);

}  // namespace limulus::opencl
