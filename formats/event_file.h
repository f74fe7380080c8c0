#pragma once
// Event files: what TensorBoard reads. Written from the public descriptions of the two formats in
// it; nothing of TensorFlow is needed to write or to read one.
//
// A file is a sequence of records (TFRecord), numbers in little-endian order:
//
//     8 bytes   length of the data
//     4 bytes   masked CRC-32C of these 8 bytes
//     length    the data: an Event
//     4 bytes   masked CRC-32C of the data
//
//     masked(c) = rotate_right(c, 15) + 0xa282ead8          so that no CRC is the CRC of a CRC
//
// An Event is a protocol buffer: fields, each a key (number * 8 + type) and a value; a key and a
// whole number are varints, 7 bits a byte, the lowest first, the high bit set in all but the last.
//
//     Event    1 wall_time  double            Summary  1 value     message, repeated
//              2 step       int64             Value    1 tag       string
//              3 file_version string                   2 simple_value float
//              5 summary    message                    4 image     message
//              7 session_log message          Image    1 height  2 width  3 colorspace  int32
//     SessionLog 1 status   1 is START                 4 encoded_image_string  bytes (a PNG)
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace limulus {

// CRC-32C (Castagnoli): polynomial 0x1edc6f41, bits reversed, begun with and inverted by all ones.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes);
std::uint32_t masked_crc32c(std::span<const std::uint8_t> bytes);

struct ScalarSummary {
  std::string tag;  // "training/loss"
  double value = 0;
};

struct PictureSummary {
  std::string tag;
  int width = 0, height = 0, channels = 3;  // 1 grey, 3 RGB, 4 RGBA
  std::vector<std::uint8_t> png;
};

class EventFile {
 public:
  // Makes the folder, if it is not there, and a new file in it, named by the time so that the
  // newest comes last. FileError, naming it, where that cannot be.
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();  // a file to which nothing was added is removed
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  // Each is written at once, so that a program that is killed has lost nothing. FileError, naming
  // the file, when it cannot be written.
  void add_scalars(std::int64_t step, const std::vector<ScalarSummary>& scalars);
  void add_picture(std::int64_t step, const PictureSummary& picture);
  // The run goes on from an earlier step: readers forget what older files have from `step` on.
  void restart(std::int64_t step);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_event(std::int64_t step, int field, std::string_view message);

  std::filesystem::path path_;
  int fd_ = -1;
  bool used_ = false;
};

// Whether there are event files in the folder.
bool has_event_files(const std::filesystem::path& folder);

}  // namespace limulus
