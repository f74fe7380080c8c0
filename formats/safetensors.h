#pragma once
// safetensors: named tensors in one file, as Hugging Face's library of that name writes them.
//
//     8 bytes   length H of the header, little endian
//     H bytes   JSON: {"__metadata__": {"key": "text"},
//                      "conv1.weight": {"dtype": "F32", "shape": [96, 3, 11, 11],
//                                       "data_offsets": [begin, end]}, ...}
//     the rest  the elements, row-major and little endian; offsets count from here
//
// Weights come from strangers, so the reader believes nothing: every byte of the data belongs to
// exactly one tensor, every size is checked before it is used, and whatever is wrong is a FileError
// that names the file and the tensor and shows the sum that does not come out.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"

namespace limulus {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // as the file spells it: "F32", "F64", "I64", "I32", "F16", "BF16", "U8" ...
  std::vector<std::int64_t> shape;
  // numel x size of one element. Points into the file, at any address: copy it, never cast it.
  std::span<const std::byte> bytes;

  std::int64_t numel() const;
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::shared_ptr<const void> mapping() const { return file_; }  // keeps the entries' bytes
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in order of offsets

  const SafetensorsEntry* find(const std::string& name) const;  // null when there is none
  const SafetensorsEntry& at(const std::string& name) const;    // FileError when there is none

  // The element type; FileError if Limulus has none (F16, U8 ...).
  DType dtype(const SafetensorsEntry& entry) const;
  // Every element as float: F32 as it is, F64 rounded, F16 and BF16 widened (exact). FileError for
  // integers.
  std::vector<float> to_floats(const SafetensorsEntry& entry) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, std::string> metadata_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t> index_;
};

struct SafetensorsItem {  // one tensor to write
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  const void* data = nullptr;  // numel elements, in host memory
};

// The same content gives the same file, byte for byte: tensors are ordered by element size (largest
// first, so each begins at a multiple of its size), then by name; metadata by key. Written
// atomically. ValueError, before anything is written, for what no reader would accept: a name that
// is reserved, appears twice or is not UTF-8, or a header of more than 100 MB.
void write_safetensors(const std::filesystem::path& path, std::vector<SafetensorsItem> items,
                       const std::map<std::string, std::string>& metadata = {},
                       AtomicOptions options = {});

}  // namespace limulus
