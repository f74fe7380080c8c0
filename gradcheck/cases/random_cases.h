#pragma once
// Random configurations of every layer: sizes, strides, paddings, groups, constants and scales that
// nobody would write into a table. A correct implementation must be found right on all of them.
#include <cstdint>
#include <string>

#include "gradcheck/cases/op_cases.h"

namespace limulus {

struct RandomCase {
  OpCase c;
  std::string settings;  // as JSON, so that another framework can compute the same
};

// The same for the same two numbers. The layers take turns.
RandomCase random_case(std::uint64_t seed, std::int64_t number);

}  // namespace limulus
