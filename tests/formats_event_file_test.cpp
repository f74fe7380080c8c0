// Event files: records and fields, read back by a reader that is written here.
#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/event_file.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class T>
T little_endian(const std::string& text, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<std::uint8_t>(text.at(at + i))) << (8 * i);
  return value;
}

// The data of each record; every length and both CRCs are checked.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = little_endian<std::uint64_t>(file, at);
    CHECK(little_endian<std::uint32_t>(file, at + 8) == masked_crc32c(bytes(file.substr(at, 8))));
    records.push_back(file.substr(at + 12, length));
    REQUIRE(records.back().size() == length);
    CHECK(little_endian<std::uint32_t>(file, at + 12 + length) ==
          masked_crc32c(bytes(records.back())));
    at += 16 + length;
  }
  return records;
}

// Field number -> its values: bytes of a length, or the bits of a number.
struct Field {
  std::string text;
  std::uint64_t bits = 0;
};
std::multimap<int, Field> fields_of(const std::string& message) {
  std::multimap<int, Field> fields;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(message.at(at++));
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field field;
    switch (key & 7) {
      case 0:
        field.bits = varint();
        break;
      case 1:
        field.bits = little_endian<std::uint64_t>(message, at);
        at += 8;
        break;
      case 5:
        field.bits = little_endian<std::uint32_t>(message, at);
        at += 4;
        break;
      default: {
        REQUIRE((key & 7) == 2);
        const std::uint64_t length = varint();
        field.text = message.substr(at, length);
        at += length;
      }
    }
    fields.emplace(static_cast<int>(key >> 3), field);
  }
  return fields;
}

const Field& one(const std::multimap<int, Field>& fields, int number) {
  REQUIRE(fields.count(number) == 1);
  return fields.find(number)->second;
}

}  // namespace

TEST_CASE("CRC-32C has the published values") {  // RFC 3720, appendix B.4
  CHECK(crc32c(bytes("123456789")) == 0xE3069283U);
  CHECK(crc32c(bytes(std::string(32, '\0'))) == 0x8A9136AAU);
  CHECK(crc32c(bytes(std::string(32, '\xff'))) == 0x62A8AB43U);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  CHECK(crc32c(bytes(rising)) == 0x46DD794EU);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("scalars, a picture and a restart are read back") {
  const TemporaryFolder folder;
  std::filesystem::path path;
  {
    EventFile file(folder / "logs");
    path = file.path();
    file.add_scalars(1, {{"training/loss", 1.5}, {"training/lr", 0.25}});
    file.add_scalars(300'000'000'000, {{"training/loss", -2}});
    file.add_picture(7, {"filters", 300, 2, 4, {0x89, 'P', 'N', 'G'}});
    file.restart(12);
  }
  CHECK(path.filename().string().starts_with("events.out.tfevents."));
  const auto records = records_of(get_bytes(path));
  REQUIRE(records.size() == 5);
  for (const std::string& record : records)  // a time after 2020, in seconds
    CHECK(std::bit_cast<double>(one(fields_of(record), 1).bits) > 1.5e9);
  CHECK(one(fields_of(records[0]), 3).text == "brain.Event:2");

  const auto first = fields_of(records[1]);
  CHECK(one(first, 2).bits == 1);
  const auto values = fields_of(one(first, 5).text);
  REQUIRE(values.count(1) == 2);
  const auto scalar = fields_of(values.begin()->second.text);
  CHECK(one(scalar, 1).text == "training/loss");
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(one(scalar, 2).bits)) == 1.5F);
  const auto rate = fields_of(std::next(values.begin())->second.text);
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(one(rate, 2).bits)) == 0.25F);

  CHECK(one(fields_of(records[2]), 2).bits == 300'000'000'000);
  const auto image =
      fields_of(one(fields_of(one(fields_of(one(fields_of(records[3]), 5).text), 1).text), 4).text);
  CHECK(one(image, 1).bits == 2);
  CHECK(one(image, 2).bits == 300);
  CHECK(one(image, 3).bits == 4);
  CHECK(one(image, 4).text == "\x89PNG");
  CHECK(one(fields_of(records[4]), 2).bits == 12);
  CHECK(one(fields_of(one(fields_of(records[4]), 7).text), 1).bits == 1);
}

TEST_CASE("a file to which nothing was added leaves nothing behind") {
  const TemporaryFolder folder;
  CHECK_FALSE(has_event_files(folder / "logs"));
  { const EventFile unused(folder / "logs"); }
  CHECK(std::filesystem::is_empty(folder / "logs"));
  EventFile a(folder / "logs"), b(folder / "logs");  // two at the same second
  CHECK(a.path() != b.path());
  CHECK(has_event_files(folder / "logs"));
}

TEST_CASE("a place that cannot be written is named") {
  const TemporaryFolder folder;
  put_bytes(folder / "file", "x");
  CHECK(has(message_of<FileError>([&] { EventFile e(folder / "file"); }), "cannot be the folder"));
  CHECK(has(message_of<FileError>([&] { EventFile e(folder.path / "file" / "below"); }),
            "cannot make this folder"));
}
