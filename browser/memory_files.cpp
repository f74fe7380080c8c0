// Files (formats/read_file.h) where there is no file system: the page hands over a file's bytes
// under its name (shelf.h), and that is what is opened.
#include <fmt/format.h>

#include <utility>

#include "browser/shelf.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"

namespace limulus {

MappedFile::MappedFile(const std::filesystem::path& path) {
  if (!browser::has_bytes(path.string()))
    throw FileError(fmt::format("{}: has not been handed over", printable(path.string())));
  const auto bytes = std::as_bytes(browser::bytes_of("file", path.string()));
  data_ = bytes.data();
  size_ = bytes.size();
}

void MappedFile::close() noexcept {}
MappedFile::~MappedFile() = default;
MappedFile::MappedFile(MappedFile&& other) noexcept = default;
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept = default;

}  // namespace limulus
