// npy: the bytes are numpy's, what is written comes back, and anything else is refused clearly.
#include "formats/npy.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/error.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

std::string file_of(std::string header, const std::string& data, char version = 1) {
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::string length(version == 1 ? 2 : 4, '\0');
  length[0] = static_cast<char>(header.size() & 255);
  length[1] = static_cast<char>(header.size() >> 8);
  return "\x93NUMPY" + std::string(1, version) + std::string(1, '\0') + length + header + data;
}

std::string header_of(const std::string& descr, const std::string& order,
                      const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

std::string read_error(const TemporaryFolder& folder, const std::string& bytes) {
  const auto path = folder / "bad.npy";
  put_bytes(path, bytes);
  const std::string message = message_of<FileError>([&] { read_npy(path); });
  CHECK_MESSAGE(has(message, "bad.npy"), "names the file: ", message);
  return message;
}

}  // namespace

TEST_CASE("npy: the bytes are numpy's") {
  TemporaryFolder folder;
  const float f[] = {0, 1, 2, 3, 4, 5};
  write_npy(folder / "f.npy", DType::f32, {2, 3}, f);
  // numpy.save(numpy.arange(6, dtype='<f4').reshape(2, 3)): 128 bytes of header.
  const std::string bytes = get_bytes(folder / "f.npy");
  CHECK(bytes.size() == 152);
  CHECK(bytes.substr(0, 128) == std::string("\x93NUMPY\x01\x00v\x00", 10) +
                                    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" +
                                    std::string(58, ' ') + "\n");
  const std::int64_t i[] = {1, -2};
  write_npy(folder / "i.npy", DType::i64, {2}, i);
  CHECK(has(get_bytes(folder / "i.npy"), "'shape': (2,), }"));
}

TEST_CASE("npy: what is written comes back") {
  TemporaryFolder folder;
  const double d[] = {1.5, -0.0, 1e300};
  const std::int32_t i[] = {7};
  for (const auto& shape : {std::vector<std::int64_t>{3}, {3, 1}, {1, 3, 1}}) {
    write_npy(folder / "d.npy", DType::f64, shape, d);
    const NpyArray array = read_npy(folder / "d.npy");
    CHECK(array.dtype == DType::f64);
    CHECK(array.shape == shape);
    CHECK(std::memcmp(array.data.data(), d, 24) == 0);
  }
  write_npy(folder / "s.npy", DType::i32, {}, i);
  CHECK(read_npy(folder / "s.npy").shape.empty());
  CHECK(read_npy(folder / "s.npy").numel() == 1);
  write_npy(folder / "e.npy", DType::f32, {0, 4}, nullptr);
  CHECK(read_npy(folder / "e.npy").data.empty());
  put_bytes(folder / "v2.npy",
            file_of(header_of("<i4", "False", "(1,)"), std::string("\7\0\0\0", 4), 2));
  CHECK(read_npy(folder / "v2.npy").dtype == DType::i32);
  CHECK_THROWS_AS(write_npy(folder / "n.npy", DType::f32, {-1}, d), ValueError);
  CHECK_THROWS_AS(write_npy(folder / "n.npy", DType::f32, {1}, nullptr), ValueError);
}

TEST_CASE("npy: a file cut at any byte is an error, so is one byte more") {
  TemporaryFolder folder;
  const std::string whole = file_of(header_of("<f4", "False", "(2,)"), std::string(8, 'x'));
  put_bytes(folder / "whole.npy", whole);
  CHECK(read_npy(folder / "whole.npy").numel() == 2);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(read_error(folder, whole.substr(0, size)) != "");
  }
  CHECK(
      has(read_error(folder, whole + "x"), "8 bytes, but 9 follow the header: there are too many"));
  CHECK(has(read_error(folder, whole.substr(0, whole.size() - 1)), "the file was cut"));
}

TEST_CASE("npy: what is not supported is said") {
  TemporaryFolder folder;
  const auto error = [&](const std::string& header) {
    return read_error(folder, file_of(header, std::string(8, '\0')));
  };
  CHECK(has(error(header_of("<f4", "True", "(2, 1)")), "Fortran order"));
  CHECK(has(error(header_of(">f4", "False", "(2,)")), "'>f4' is not supported"));
  CHECK(has(error(header_of("|u1", "False", "(8,)")), "'|u1' is not supported"));
  CHECK(has(error("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"),
            "structured"));
  CHECK(has(error(header_of("<f4", "0", "(2,)")), "expected True or False"));
  CHECK(has(error(header_of("<f4", "False", "(-2,)")), "whole number"));
  CHECK(has(error(header_of("<f4", "False", "(2 2)")), "expected ',' or ')'"));
  CHECK(has(error(header_of("<f4", "False", "(99999999999999999999,)")), "63 bits"));
  CHECK(has(error(header_of("<f4", "False", "(4294967296, 4294967296)")), "63 bits"));
  CHECK(has(error("{'descr': '<f4', 'shape': (2,)}"), "missing"));
  CHECK(has(error("{'descr': '<f4', 'descr': '<f4'}"), "twice"));
  CHECK(has(error("{'colour': 'red'}"), "unknown key 'colour'"));
  CHECK(has(error(header_of("<f4", "False", "(2,)") + " x"), "after the dictionary"));
  CHECK(has(error("import os"), "expected '{'"));
  CHECK(has(read_error(folder, file_of(header_of("<f4", "False", "(2,)"), "", 3)), "version 3"));
  CHECK(has(read_error(folder, "PK\x03\x04 an npz file"), "not an npy file"));
}
