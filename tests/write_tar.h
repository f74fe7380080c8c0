#pragma once
// Writes tar files for tests.
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "formats/tar.h"

// Files by name and content, in this order.
inline void write_tar(const std::filesystem::path& path,
                      const std::vector<std::pair<std::string, std::string>>& files) {
  limulus::TarWriter tar(path);
  for (const auto& [name, text] : files)
    tar.add(name, std::vector<std::uint8_t>(text.begin(), text.end()));
  tar.commit();
}
