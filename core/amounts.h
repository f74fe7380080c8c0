#pragma once
// Amounts as people read them. Of a count that core/checked.h gave up: "more than ...".
#include <cstdint>
#include <string>

namespace limulus {

std::string with_thousands(std::int64_t n);  // "60,965,224"
std::string in_bytes(std::int64_t bytes);    // "1.1 MiB"

}  // namespace limulus
