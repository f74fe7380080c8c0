#pragma once
// NPY: one array in a file, as numpy.save writes it. Little endian <f4, <f8, <i8, <i4 in C order.
//
//     6 bytes   "\x93NUMPY"
//     2 bytes   version: 1.0, or 2.0 with the longer length
//     2 or 4    length H of the header, little endian
//     H bytes   a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
//     the rest  the elements, row-major
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/dtype.h"

namespace limulus {

struct NpyArray {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  // () is a scalar
  std::vector<std::byte> data;      // numel elements

  std::int64_t numel() const;
};

// FileError, with the file's name and the arithmetic, for anything but exactly one such array.
NpyArray read_npy(const std::filesystem::path& path);

// Version 1.0, aligned to 64 bytes, as numpy.save does it. Written atomically.
void write_npy(const std::filesystem::path& path, DType dtype,
               const std::vector<std::int64_t>& shape, const void* data);

}  // namespace limulus
