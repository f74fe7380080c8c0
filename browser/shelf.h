#pragma once
// What a page and the library hand each other besides text: arrays, each under a name. The page
// fills bytes (a photograph's pixels, a file of weights) and reads values (maps, gradients) where
// they lie, without a copy.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace limulus::browser {

// New memory of `size` zeros under this name, for the page to fill. What was there is gone.
std::uint8_t* put_bytes(const std::string& name, std::size_t size);
// ValueError where the page has put nothing there; `op` begins the message.
std::span<const std::uint8_t> bytes_of(const char* op, const std::string& name);
bool has_bytes(const std::string& name);

void put_values(const std::string& name, std::vector<double> values);
// ValueError where the library has computed nothing of that name.
const std::vector<double>& values_of(const std::string& name);

}  // namespace limulus::browser
