#include "formats/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "formats/half.h"
#include "formats/safetensors_header.h"

namespace limulus {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

using Json = nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

struct ElementType {
  const char* name;
  std::uint64_t size;
};
constexpr ElementType kTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},      {"F8_E5M2", 1},
                                  {"I16", 2},  {"U16", 2}, {"F8_E4M3", 1}, {"F16", 2},
                                  {"I32", 4},  {"U32", 4}, {"BF16", 2},    {"F32", 4},
                                  {"I64", 8},  {"U64", 8}, {"F64", 8}};

const char* spelled(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::bf16:
      return "BF16";
  }
  throw DTypeError("write_safetensors: unknown element type");
}

std::uint64_t bytes_of(DType dtype) { return size_of(dtype); }

// a x b, or nothing when it does not fit in 63 bits.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t* product) {
  return !__builtin_mul_overflow(a, b, product) && *product <= INT64_MAX;
}

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// One tensor of the header, checked on its own; `data_size` bytes follow the header.
SafetensorsEntry parse_entry(const std::string& file, const std::string& name, const Json& json,
                             std::uint64_t data_size, ByteRange* range) {
  const auto bad = [&](const std::string& what) {
    return FileError(fmt::format("{}: tensor \"{}\": {}", file, printable(name), what));
  };
  if (!json.is_object()) throw bad("its description is not an object");
  for (const auto& [key, unused] : json.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      throw bad(fmt::format("unknown field \"{}\"", printable(key)));
    }
  }
  SafetensorsEntry entry;
  entry.name = name;

  const auto dtype = json.find("dtype");
  if (dtype == json.end() || !dtype->is_string()) throw bad("has no dtype");
  entry.dtype = dtype->get<std::string>();
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const ElementType& t) { return entry.dtype == t.name; });
  if (type == std::end(kTypes))
    throw bad(fmt::format("unknown dtype \"{}\"", printable(entry.dtype)));

  const auto shape = json.find("shape");
  if (shape == json.end() || !shape->is_array()) throw bad("has no shape");
  std::uint64_t numel = 1;
  bool fits = true;
  for (const Json& size : *shape) {
    if (!size.is_number_unsigned()) {
      throw bad(fmt::format("shape {} has a size that is not a whole number >= 0", shape->dump()));
    }
    const auto value = size.get<std::uint64_t>();
    fits = fits && value <= INT64_MAX && multiply(numel, value, &numel);
    entry.shape.push_back(static_cast<std::int64_t>(value));
  }
  std::uint64_t size = 0;
  if (!fits || !multiply(numel, type->size, &size)) {
    throw bad(fmt::format("shape {} of {} has more bytes than 63 bits can count", shape->dump(),
                          entry.dtype));
  }

  const auto offsets = json.find("data_offsets");
  if (offsets == json.end() || !offsets->is_array() || offsets->size() != 2 ||
      !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned()) {
    throw bad("has no data_offsets of the form [begin, end]");
  }
  *range = {(*offsets)[0].get<std::uint64_t>(), (*offsets)[1].get<std::uint64_t>()};
  if (range->begin > range->end) {
    throw bad(fmt::format("data_offsets [{}, {}] end before they begin", range->begin, range->end));
  }
  if (range->end > data_size) {
    throw bad(fmt::format("data_offsets [{}, {}] reach past the end: {} bytes follow the header",
                          range->begin, range->end, data_size));
  }
  if (range->end - range->begin != size) {
    throw bad(fmt::format("shape {} of {} is {} x {} = {} bytes, but data_offsets [{}, {}] hold {}",
                          shape->dump(), entry.dtype, numel, type->size, size, range->begin,
                          range->end, range->end - range->begin));
  }
  return entry;
}

}  // namespace

std::int64_t SafetensorsEntry::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), file_(std::make_shared<const MappedFile>(path_)) {
  const std::string file = path_.string();
  const auto bytes = file_->bytes();
  if (bytes.size() < 8) {
    throw FileError(
        fmt::format("{}: {} bytes: a safetensors file begins with 8 bytes that give "
                    "the length of its header",
                    file, bytes.size()));
  }
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  if (header > kMaxHeader) {
    throw FileError(
        fmt::format("{}: the first 8 bytes give a header of {} bytes, more than {}: not "
                    "a safetensors file",
                    file, header, kMaxHeader));
  }
  if (header > bytes.size() - 8) {
    throw FileError(
        fmt::format("{}: 8 + {} bytes of header do not fit in {} bytes: the file was "
                    "cut, or is not a safetensors file",
                    file, header, bytes.size()));
  }
  const Json json =
      parse_safetensors_header(file, reinterpret_cast<const char*>(bytes.data()) + 8, header);
  const auto data = bytes.subspan(8 + header);

  std::vector<std::pair<ByteRange, SafetensorsEntry>> found;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) {
      if (!value.is_object()) throw FileError(fmt::format("{}: {} is not an object", file, name));
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) {
          throw FileError(fmt::format("{}: {}: \"{}\" is not a text", file, name, printable(key)));
        }
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    ByteRange range;
    SafetensorsEntry entry = parse_entry(file, name, value, data.size(), &range);
    entry.bytes = data.subspan(range.begin, range.end - range.begin);
    found.emplace_back(range, std::move(entry));
  }

  // In order of offsets each tensor must begin where the one before it ended, the first at 0 and
  // the last ending with the file: then nothing overlaps and nothing is hidden between them.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.begin, a.first.end, a.second.name) <
           std::tie(b.first.begin, b.first.end, b.second.name);
  });
  std::uint64_t end = 0;
  for (auto& [range, entry] : found) {
    if (range.begin != end) {
      throw FileError(
          fmt::format("{}: tensor \"{}\": begins at byte {}, but the tensors before it "
                      "end at {}: {}",
                      file, printable(entry.name), range.begin, end,
                      range.begin < end ? "they overlap" : "a hole"));
    }
    end = range.end;
    index_[entry.name] = entries_.size();
    entries_.push_back(std::move(entry));
  }
  if (end != data.size()) {
    throw FileError(fmt::format("{}: the tensors end at byte {} of {}: {} bytes too many", file,
                                end, data.size(), data.size() - end));
  }
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

const SafetensorsEntry& SafetensorsFile::at(const std::string& name) const {
  if (const SafetensorsEntry* entry = find(name)) return *entry;
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(printable(entry.name));
  if (names.size() > 20) names = {names.begin(), names.begin() + 20};
  throw FileError(fmt::format("{}: has no tensor \"{}\"; it has {}: {}{}", path_.string(),
                              printable(name), entries_.size(), fmt::join(names, ", "),
                              names.size() < entries_.size() ? ", ..." : ""));
}

DType SafetensorsFile::dtype(const SafetensorsEntry& entry) const {
  for (const DType type : {DType::f32, DType::f64, DType::i64, DType::i32}) {
    if (entry.dtype == spelled(type)) return type;
  }
  throw FileError(fmt::format(
      "{}: tensor \"{}\": dtype {} has no counterpart in Limulus, which "
      "has F32, F64, I64 and I32{}",
      path_.string(), printable(entry.name), entry.dtype,
      entry.dtype == "F16" || entry.dtype == "BF16" ? "; it can be read as floats" : ""));
}

std::vector<float> SafetensorsFile::to_floats(const SafetensorsEntry& entry) const {
  std::vector<float> out(static_cast<std::size_t>(entry.numel()));
  const std::byte* at = entry.bytes.data();
  const auto each = [&](auto example, auto convert) {
    for (float& value : out) {
      std::memcpy(&example, at, sizeof example);
      value = convert(example);
      at += sizeof example;
    }
  };
  if (entry.dtype == "F32") {
    each(float{}, [](float v) { return v; });
  } else if (entry.dtype == "F64") {
    each(double{}, [](double v) { return static_cast<float>(v); });
  } else if (entry.dtype == "F16") {
    each(std::uint16_t{}, float_from_half);
  } else if (entry.dtype == "BF16") {
    each(std::uint16_t{}, float_from_bfloat16);
  } else {
    throw FileError(fmt::format("{}: tensor \"{}\": dtype {} cannot be read as floats",
                                path_.string(), printable(entry.name), entry.dtype));
  }
  return out;
}

void write_safetensors(const std::filesystem::path& path, std::vector<SafetensorsItem> items,
                       const std::map<std::string, std::string>& metadata, AtomicOptions options) {
  std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    const auto size_a = bytes_of(a.dtype), size_b = bytes_of(b.dtype);
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  std::set<std::string> names;
  std::vector<std::uint64_t> sizes;
  std::uint64_t offset = 0;
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  for (const SafetensorsItem& item : items) {
    const auto bad = [&](const char* what) {
      return ValueError(fmt::format("write_safetensors: {}: tensor \"{}\" {}", path.string(),
                                    printable(item.name), what));
    };
    if (item.name == kMetadata) throw bad("has a reserved name");
    if (!names.insert(item.name).second) throw bad("is there twice");
    std::uint64_t size = bytes_of(item.dtype);
    for (const std::int64_t s : item.shape) {
      if (s < 0) throw bad("has a negative size");
      if (!multiply(size, static_cast<std::uint64_t>(s), &size)) throw bad("is too large");
    }
    if (size > 0 && item.data == nullptr) throw bad("has no data");
    header[item.name] = {{"dtype", spelled(item.dtype)},
                         {"shape", item.shape},
                         {"data_offsets", {offset, offset + size}}};
    offset += size;
    sizes.push_back(size);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {  // text that is not UTF-8
    throw ValueError(fmt::format("write_safetensors: {}: {}", path.string(), error.what()));
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  if (text.size() > kMaxHeader) {
    throw ValueError(
        fmt::format("write_safetensors: {}: names, shapes and metadata make a header of {} bytes, "
                    "and readers take {} at most: long texts belong into a tensor",
                    path.string(), text.size(), kMaxHeader));
  }

  AtomicFile file(path, options);
  const std::uint64_t length = text.size();
  file.write(&length, 8);
  file.write(text);
  for (std::size_t i = 0; i < items.size(); ++i) file.write(items[i].data, sizes[i]);
  file.commit();
}

}  // namespace limulus
