// Built programs on disk. A file is a header (magic, size, checksum) and the driver's binary. It is
// written beside its place and renamed, so that no reader sees half of one; a file that is cut, or
// has a changed byte, does not pass its checksum, and the program is built again.
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "backends/opencl/program.h"

namespace limulus::opencl {
namespace {

struct Header {
  std::array<char, 8> magic;
  std::uint64_t bytes, checksum;
};
constexpr std::array<char, 8> magic = {'l', 'i', 'm', 'u', 'c', 'l', '0', '1'};

std::uint64_t checksum(const unsigned char* data, std::size_t bytes) {  // FNV-1a
  std::uint64_t h = 0xCBF29CE484222325u;
  for (std::size_t i = 0; i < bytes; ++i) h = (h ^ data[i]) * 0x100000001B3u;
  return h;
}

}  // namespace

std::string cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/limulus";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/limulus";
  return "";
}

std::vector<unsigned char> cache_read(const std::string& key) {
  const std::string folder = cache_folder();
  if (folder.empty()) return {};
  std::ifstream file(folder + "/" + key + ".clbin", std::ios::binary);
  std::vector<unsigned char> all{std::istreambuf_iterator<char>(file),
                                 std::istreambuf_iterator<char>()};
  Header header{};
  if (all.size() < sizeof(header)) return {};
  std::memcpy(&header, all.data(), sizeof(header));
  all.erase(all.begin(), all.begin() + sizeof(header));
  if (header.magic != magic || header.bytes != all.size() ||
      header.checksum != checksum(all.data(), all.size()))
    return {};
  return all;
}

void cache_write(const std::string& key, const std::vector<unsigned char>& binary) noexcept {
  try {
    const std::filesystem::path folder = cache_folder();
    if (folder.empty()) return;
    std::filesystem::create_directories(folder);
    static std::atomic<int> count = 0;  // unique among threads, as the number is among processes
    const std::filesystem::path place = folder / (key + ".clbin"),
                                beside = folder / (key + "." + std::to_string(getpid()) + "." +
                                                   std::to_string(count++) + ".part");
    const Header header = {magic, binary.size(), checksum(binary.data(), binary.size())};
    bool written = false;
    {
      std::ofstream file(beside, std::ios::binary);
      file.write(reinterpret_cast<const char*>(&header), sizeof(header));
      file.write(reinterpret_cast<const char*>(binary.data()),
                 static_cast<std::streamsize>(binary.size()));
      file.close();
      written = file.good();
    }
    std::error_code ignored;
    if (written) std::filesystem::rename(beside, place, ignored);
    if (!written || ignored) std::filesystem::remove(beside, ignored);
  } catch (...) {  // a full or read-only disk only costs the time of building
  }
}

}  // namespace limulus::opencl
