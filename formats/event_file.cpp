#include "formats/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"

namespace limulus {
namespace {

namespace fs = std::filesystem;

// What the remainder becomes when a byte goes through it, for each byte.
constexpr std::array<std::uint32_t, 256> kCrcOfByte = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0x82f63b78U : 0U);
    table[byte] = rest;
  }
  return table;
}();

// ---- protocol buffers: appending fields ---------------------------------------------------------

enum WireType : std::uint64_t { varint = 0, eight_bytes = 1, with_length = 2, four_bytes = 5 };

void put_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

void put_key(std::string& to, int field, WireType type) {
  put_varint(to, static_cast<std::uint64_t>(field) << 3 | type);
}

template <class Unsigned>
void put_little_endian(std::string& to, Unsigned bits) {
  for (std::size_t i = 0; i < sizeof(bits); ++i) to += static_cast<char>(bits >> (8 * i));
}

void put_int(std::string& to, int field, std::int64_t value) {
  put_key(to, field, varint);
  put_varint(to, static_cast<std::uint64_t>(value));
}
void put_double(std::string& to, int field, double value) {
  put_key(to, field, eight_bytes);
  put_little_endian(to, std::bit_cast<std::uint64_t>(value));
}
void put_float(std::string& to, int field, float value) {
  put_key(to, field, four_bytes);
  put_little_endian(to, std::bit_cast<std::uint32_t>(value));
}
void put_bytes(std::string& to, int field, std::string_view bytes) {  // a string, or a message
  put_key(to, field, with_length);
  put_varint(to, bytes.size());
  to += bytes;
}

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// One write, so that a file of a killed program ends with a whole record, as a rule.
std::string tf_record(const std::string& data) {
  std::string record;
  put_little_endian(record, static_cast<std::uint64_t>(data.size()));
  put_little_endian(record, masked_crc32c(as_bytes(record)));
  record += data;
  put_little_endian(record, masked_crc32c(as_bytes(data)));
  return record;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr std::string_view kEventFiles = "events.out.tfevents.";  // readers look for these names

}  // namespace

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t rest = ~0U;
  for (const std::uint8_t byte : bytes) rest = (rest >> 8) ^ kCrcOfByte[(rest ^ byte) & 0xff];
  return ~rest;
}

std::uint32_t masked_crc32c(std::span<const std::uint8_t> bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

EventFile::EventFile(const fs::path& folder) {
  make_folders(folder);
  const auto seconds = static_cast<std::int64_t>(now());
  for (int number = 0;; ++number) {
    path_ = folder / fmt::format("{}{:010}.limulus.{}.{}", kEventFiles, seconds, getpid(), number);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ >= 0) break;
    if (errno != EEXIST)
      throw FileError(
          fmt::format("{}: cannot make this file for TensorBoard: {}; nothing was trained, choose "
                      "another folder with --tensorboard",
                      path_.string(), system_message(errno)));
  }
  try {
    write_event(0, 3, "brain.Event:2");  // the format's version, first of all
  } catch (...) {
    ::close(fd_);
    ::unlink(path_.c_str());
    throw;
  }
  used_ = false;
}

EventFile::~EventFile() {
  ::close(fd_);
  if (!used_) ::unlink(path_.c_str());
}

void EventFile::write_event(std::int64_t step, int field, std::string_view message) {
  std::string event;
  put_double(event, 1, now());
  put_int(event, 2, step);
  put_bytes(event, field, message);
  const std::string record = tf_record(event);
  used_ = true;
  if (was_removed(fd_))
    throw FileError(fmt::format("{}: this file for TensorBoard was removed while it was written to",
                                path_.string()));
  for (std::size_t done = 0; done < record.size();) {
    const ssize_t n = ::write(fd_, record.data() + done, record.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw FileError(fmt::format("{}: cannot write this file for TensorBoard: {}", path_.string(),
                                  system_message(errno)));
    done += static_cast<std::size_t>(n);
  }
}

void EventFile::add_scalars(std::int64_t step, const std::vector<ScalarSummary>& scalars) {
  std::string summary;
  for (const ScalarSummary& scalar : scalars) {
    std::string value;
    put_bytes(value, 1, scalar.tag);
    put_float(value, 2, static_cast<float>(scalar.value));
    put_bytes(summary, 1, value);
  }
  write_event(step, 5, summary);
}

void EventFile::add_picture(std::int64_t step, const PictureSummary& picture) {
  std::string image, value, summary;
  put_int(image, 1, picture.height);
  put_int(image, 2, picture.width);
  put_int(image, 3, picture.channels);
  put_bytes(image, 4, {reinterpret_cast<const char*>(picture.png.data()), picture.png.size()});
  put_bytes(value, 1, picture.tag);
  put_bytes(value, 4, image);
  put_bytes(summary, 1, value);
  write_event(step, 5, summary);
}

void EventFile::restart(std::int64_t step) {
  std::string log;
  put_int(log, 1, 1);  // START
  write_event(step, 7, log);
}

bool has_event_files(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with(kEventFiles)) return true;
  return false;
}

}  // namespace limulus
