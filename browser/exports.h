#pragma once
// The C interface of the laboratories in the browser. README.md in this folder says what can be
// asked; docs/_static/labs/lab.js calls it.
#include <cstddef>
#include <cstdint>

extern "C" {

// The answer to a request, both JSON (answer.h); valid until the next call.
const char* lab_ask(const char* request);

// Memory of `size` bytes under this name, for the caller to fill; null where that is too much.
std::uint8_t* lab_bytes(const char* name, std::size_t size);

// The values that were computed under this name, and how many there are; null and 0 for none.
// Valid until the next call of lab_ask.
const double* lab_values(const char* name);
std::size_t lab_count(const char* name);

}  // extern "C"
