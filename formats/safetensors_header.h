#pragma once
// The JSON at the beginning of a safetensors file; for safetensors.cpp.
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace limulus {

// FileError, naming `file`, for text that is not a JSON object, is nested more than three deep (an
// array in an object in the header's object) or has a name twice. In time proportional to the text.
nlohmann::json parse_safetensors_header(const std::string& file, const char* text,
                                        std::size_t size);

}  // namespace limulus
