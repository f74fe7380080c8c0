#include "formats/safetensors_header.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/printable.h"

namespace limulus {
namespace {

using Json = nlohmann::json;

// The library's own parser would let a later duplicate silently win, and its parser with a callback
// takes time that grows with the square of the number of tensors. So this class builds the value,
// and looks at each name.
class HeaderParser : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderParser(const std::string& file) : file_(file) {}
  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr) != nullptr; }
  bool boolean(bool v) override { return put(v) != nullptr; }
  bool number_integer(std::int64_t v) override { return put(v) != nullptr; }
  bool number_unsigned(std::uint64_t v) override { return put(v) != nullptr; }
  bool number_float(double v, const std::string&) override { return put(v) != nullptr; }
  bool string(std::string& v) override { return put(std::move(v)) != nullptr; }
  bool binary(Json::binary_t&) override { return false; }  // JSON text has none
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (open_.back()->contains(name))
      throw FileError(
          fmt::format("{}: header: the name \"{}\" occurs twice", file_, printable(name)));
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    const char* reason = std::strchr(error.what(), ']');  // after the parser's own name and number
    throw FileError(fmt::format("{}: the header is not valid JSON: {}", file_,
                                reason != nullptr ? reason + 2 : error.what()));
  }

 private:
  Json* put(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& in = *open_.back();
    if (in.is_array()) return &in.emplace_back(std::move(value));
    return &(in[key_] = std::move(value));
  }
  bool open(Json value) {
    if (open_.size() == 3) throw FileError(fmt::format("{}: header: nested too deeply", file_));
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& file_;
  Json root_;
  std::vector<Json*> open_;  // from the outermost in; none of them grows while an inner one is open
  std::string key_;
};

}  // namespace

Json parse_safetensors_header(const std::string& file, const char* text, std::size_t size) {
  if (size == 0 || text[0] != '{') {
    throw FileError(
        fmt::format("{}: the header does not begin with '{{': not a safetensors file", file));
  }
  HeaderParser parser(file);
  Json::sax_parse(text, text + size, &parser);
  return parser.take();
}

}  // namespace limulus
