// safetensors: what is written comes back, the bytes are the reference library's, and no damaged or
// hostile file is believed. Also the atomic writing below it.
#include "formats/safetensors.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/half.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

// A file with the given header text and data, whatever they say.
std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string read_error(const TemporaryFolder& folder, const std::string& bytes) {
  const auto path = folder / "bad.safetensors";
  put_bytes(path, bytes);
  const std::string message = message_of<FileError>([&] { SafetensorsFile file(path); });
  CHECK_MESSAGE(has(message, "bad.safetensors"), "names the file: ", message);
  return message;
}

const double kA[] = {1.5};
const float kB[] = {0, 1, 2};

}  // namespace

TEST_CASE("safetensors: the bytes are those of the reference library") {
  // safetensors.numpy.save({'b': float32 [0 1 2], 'a': float64 [[1.5]]}, {'k': 'v'})
  const std::string expected =
      file_of(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},)"
              R"("b":{"dtype":"F32","shape":[3],"data_offsets":[8,20]}} )",
              std::string("\0\0\0\0\0\0\xf8?\0\0\0\0\0\0\x80?\0\0\0@", 20));
  TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors",
                    {{"b", DType::f32, {3}, kB}, {"a", DType::f64, {1, 1}, kA}}, {{"k", "v"}});
  CHECK(get_bytes(folder / "x.safetensors") == expected);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("safetensors: what is written comes back") {
  TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const std::int64_t i64[] = {std::numeric_limits<std::int64_t>::min(), 7};
  const std::int32_t i32[] = {-1};
  write_safetensors(path,
                    {{"a \"quoted\" name", DType::i32, {1}, i32},
                     {"scalar", DType::f64, {}, kA},
                     {"empty", DType::f32, {0, 5}, nullptr},
                     {"labels", DType::i64, {2}, i64},
                     {"b", DType::f32, {3, 1}, kB}},
                    {{"line", "two\nlines, \xc3\xa4"}});
  const SafetensorsFile file(path);
  CHECK(file.metadata().at("line") == "two\nlines, \xc3\xa4");
  CHECK(file.entries().size() == 5);
  CHECK(file.dtype(file.at("labels")) == DType::i64);
  CHECK(std::memcmp(file.at("labels").bytes.data(), i64, 16) == 0);
  CHECK(file.at("b").shape == std::vector<std::int64_t>{3, 1});
  CHECK(file.to_floats(file.at("b")) == std::vector<float>{0, 1, 2});
  CHECK(file.to_floats(file.at("scalar")) == std::vector<float>{1.5f});
  CHECK(file.at("scalar").numel() == 1);
  CHECK(file.at("empty").bytes.empty());
  CHECK(file.at("a \"quoted\" name").bytes.size() == 4);
  for (const auto& entry : file.entries()) {
    if (entry.numel() == 0) continue;
    const auto at = reinterpret_cast<std::uintptr_t>(entry.bytes.data());
    CHECK(at % (entry.bytes.size() / static_cast<std::size_t>(entry.numel())) == 0);
  }
  const std::string missing = message_of<FileError>([&] { file.at("c"); });
  CHECK(has(missing, "no tensor \"c\""));
  CHECK(has(missing, "labels"));
  CHECK(file.find("c") == nullptr);

  // The larger elements come first, and the data begins at a multiple of 8, however long the names.
  for (int length = 1; length <= 8; ++length) {
    const std::string name(static_cast<std::size_t>(length), 'a');
    write_safetensors(path, {{name, DType::f32, {3}, kB}, {"z", DType::f64, {1}, kA}});
    CHECK(SafetensorsFile(path).entries()[0].name == "z");
    std::uint64_t header = 0;
    std::memcpy(&header, get_bytes(path).data(), 8);
    CHECK(header % 8 == 0);
  }
  write_safetensors(folder / "none.safetensors", {});
  CHECK(SafetensorsFile(folder / "none.safetensors").entries().empty());
}

TEST_CASE("safetensors: a file cut at any byte is an error, so is one byte more") {
  TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  write_safetensors(path, {{"b", DType::f32, {3}, kB}, {"a", DType::f64, {1, 1}, kA}},
                    {{"k", "v"}});
  const std::string whole = get_bytes(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(read_error(folder, whole.substr(0, size)) != "");
  }
  CHECK(has(read_error(folder, whole + "x"), "end at byte 20 of 21"));
}

TEST_CASE("safetensors: hostile headers") {
  TemporaryFolder folder;
  const std::string four(4, '\0'), eight(8, '\0');
  const auto error = [&](const std::string& header, const std::string& data) {
    const std::string message = read_error(folder, file_of(header, data));
    CHECK_MESSAGE(message != "", header);
    return message;
  };
  CHECK(has(read_error(folder, "abc"), "3 bytes"));
  CHECK(has(read_error(folder, std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
            "18446744073709551615"));
  CHECK(has(read_error(folder, std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)),
            "more than 100000000"));
  CHECK(has(read_error(folder, std::string("\x03\0\0\0\0\0\0\0{}", 10)), "8 + 3 bytes"));
  CHECK(has(error("", ""), "does not begin with"));
  CHECK(has(error("[]", ""), "does not begin with"));
  CHECK(has(error("{\"a\":", ""), "not valid JSON"));
  CHECK(has(error("{\"\xff\":{}}", ""), "not valid JSON"));
  CHECK(has(error("{} {}", ""), "not valid JSON"));
  CHECK(has(error(R"({"a":{"x":{"y":{"z":{}}}}})", ""), "nested"));
  CHECK(has(error(R"({"a":)" + std::string(100000, '['), ""), "nested"));
  CHECK(has(error(R"({"__metadata__":{"k":1}})", ""), "\"k\" is not a text"));
  CHECK(has(error(R"({"__metadata__":[]})", ""), "not an object"));
  CHECK(has(error(R"({"__metadata__":{"k":"v","k":"w"}})", ""), "\"k\" occurs twice"));

  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  CHECK(error("{" + a + "," + a + "}", four).find("\"a\" occurs twice") != std::string::npos);
  CHECK(has(error(R"({"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}})", four),
            "\"dtype\" occurs twice"));
  CHECK(has(error(R"({"a":7})", ""), "tensor \"a\""));
  CHECK(has(error(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", four), "no dtype"));
  CHECK(has(error(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", four),
            "unknown dtype \"F31\""));
  CHECK(has(error(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four), "no shape"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four), "[-1]"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", four), "[1.0]"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1]}})", four), "no data_offsets"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", four),
            "no data_offsets"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", four),
            "unknown field \"x\""));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four),
            "end before they begin"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", four),
            "4 bytes follow"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight),
            "3 x 4 = 12 bytes, but data_offsets [0, 8] hold 8"));
  CHECK(has(
      error(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""),
      "63 bits"));
  CHECK(
      has(error(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", ""),
          "63 bits"));
  CHECK(has(
      error(R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})", four),
      "not a whole number"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", eight),
            "1 x 4 = 4 bytes, but data_offsets [0, 8] hold 8"));
  CHECK(has(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight.substr(1)),
            "7 bytes follow"));
  // Two tensors on the same bytes; a hole before, between.
  const std::string b = R"("b":{"dtype":"F32","shape":[1],"data_offsets":)";
  CHECK(has(error("{" + a + "," + b + "[0,4]}}", four), "overlap"));
  CHECK(has(error("{" + b + "[4,8]}}", eight), "a hole"));
  CHECK(has(error("{" + a + "," + b + "[8,12]}}", eight + four), "a hole"));
  CHECK(has(error("{}", four), "4 bytes too many"));
}

TEST_CASE("safetensors: half precision is widened, other types are listed but not taken") {
  CHECK(float_from_half(0x3C00) == 1.0f);
  CHECK(float_from_half(0xC000) == -2.0f);
  CHECK(float_from_half(0x7BFF) == 65504.0f);
  CHECK(float_from_half(0x0001) == 0x1p-24f);
  CHECK(float_from_half(0x0400) == 0x1p-14f);
  CHECK(float_from_half(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::signbit(float_from_half(0x8000)));
  const float nan = float_from_half(0x7E00);
  CHECK(nan != nan);
  CHECK(float_from_bfloat16(0x3FC0) == 1.5f);

  TemporaryFolder folder;
  const auto path = folder / "half.safetensors";
  put_bytes(path, file_of(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                          R"("g":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},)"
                          R"("u":{"dtype":"U8","shape":[1],"data_offsets":[6,7]}})",
                          std::string("\x00\x3c\x00\xc0\xc0\x3f\x01", 7)));
  const SafetensorsFile file(path);
  CHECK(file.to_floats(file.at("h")) == std::vector<float>{1, -2});
  CHECK(file.to_floats(file.at("g")) == std::vector<float>{1.5f});
  CHECK(has(message_of<FileError>([&] { file.dtype(file.at("h")); }), "can be read as floats"));
  CHECK(has(message_of<FileError>([&] { file.dtype(file.at("u")); }), "dtype U8"));
  CHECK(has(message_of<FileError>([&] { file.to_floats(file.at("u")); }), "dtype U8"));
}

TEST_CASE("safetensors: what cannot be written") {
  TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  const SafetensorsItem b{"b", DType::f32, {3}, kB};
  const auto error = [&](std::vector<SafetensorsItem> items) {
    return message_of<ValueError>([&] { write_safetensors(path, items); });
  };
  CHECK(has(error({b, b}), "\"b\" is there twice"));
  CHECK(has(error({{"__metadata__", DType::f32, {3}, kB}}), "reserved"));
  CHECK(has(error({{"c", DType::f32, {-3}, kB}}), "negative"));
  CHECK(has(error({{"c", DType::f32, {3}, nullptr}}), "no data"));
  CHECK(has(error({{"c", DType::f32, {INT64_MAX, 3}, kB}}), "too large"));
  CHECK(has(error({{"\xff", DType::f32, {3}, kB}}), "x.safetensors"));
  CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("atomic file: the old file stays until the new one is whole") {
  TemporaryFolder folder;
  const auto path = folder / "report.html";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("half of the n");
    CHECK(get_bytes(path) == "old");
  }  // no commit: an exception was thrown, say
  CHECK(get_bytes(path) == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);

  write_file_atomically(path, "new", {.keep_previous = true});
  CHECK(get_bytes(path) == "new");
  CHECK(get_bytes(folder / "report.html.previous") == "old");
  write_file_atomically(path, "newer", {.keep_previous = true});
  CHECK(get_bytes(path) == "newer");
  CHECK(get_bytes(folder / "report.html.previous") == "new");
  // Nothing else is left in the folder.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 2);

  AtomicFile twice(path);
  twice.commit();
  CHECK_THROWS_AS(twice.commit(), FileError);
  CHECK_THROWS_AS(twice.write("x"), FileError);
}

TEST_CASE("atomic file: a link stays a link") {
  TemporaryFolder folder;
  write_file_atomically(folder / "epoch7", "old");
  std::filesystem::create_symlink("epoch7", folder / "latest");
  write_file_atomically(folder / "latest", "new");
  CHECK(std::filesystem::is_symlink(folder / "latest"));
  CHECK(get_bytes(folder / "epoch7") == "new");
}

TEST_CASE("atomic file: where nothing can be written") {
  TemporaryFolder folder;
  const auto missing = folder / "none/x";
  std::string message = message_of<FileError>([&] { AtomicFile file(missing); });
  CHECK(has(message, missing.string()));
  CHECK(has(message, "No such file or directory"));
  put_bytes(folder / "file", "");
  message = message_of<FileError>([&] { AtomicFile file(folder / "file/x"); });
  CHECK(has(message, "Not a directory"));
  message = message_of<FileError>([&] { AtomicFile file(folder.path); });
  CHECK(has(message, "is a folder, expected a file"));
}

TEST_CASE("atomic file: a full disk loses nothing") {
  // A limit on the size of files stands in for the full disk: write() fails in the same way.
  TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  write_safetensors(path, {{"b", DType::f32, {3}, kB}});
  const std::string before = get_bytes(path);
  const std::vector<float> large(100000);

  rlimit old_limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_limit) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = 65536;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::string message = message_of<FileError>([&] {
    write_safetensors(path, {{"large", DType::f32, {100000}, large.data()}}, {},
                      {.keep_previous = true});
  });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);

  CHECK(has(message, "x.safetensors.tmp"));
  CHECK(has(message, std::strerror(EFBIG)));
  CHECK(has(message, "unchanged"));
  CHECK(get_bytes(path) == before);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}
