#pragma once
// Which rows of the table of cases a command is about.
#include <cstdint>
#include <string>
#include <vector>

#include "gradcheck/cases/op_cases.h"

namespace limulus::tools {

struct CaseChoice {
  std::string layer;        // "conv2d"; empty: all
  std::int64_t random = 0;  // so many random ones instead of the table's
  std::uint64_t seed = 1;   // of those
  bool large = false;       // also those that are too large for differences
};

// Error, with the names there are, where none is left; it begins with `command`.
std::vector<OpCase> choose_cases(const char* command, const CaseChoice& choice);

}  // namespace limulus::tools
