#pragma once
// The shapes of a primitive in words, as traces and messages show them:
// "x[32, 3, 227, 227] w[96, 3, 11, 11] y[32, 96, 55, 55]".
#include <string>

#include "core/backend.h"
#include "core/shape.h"

namespace limulus {

std::string describe(const GemmShape& s);
std::string describe(const LinearShape& s);
std::string describe(const Conv2dShape& s);
std::string describe(const Pool2dShape& s);
std::string describe(const LrnShape& s);
std::string describe(const BroadcastShape& s);
std::string describe(const BlockShape& s);
inline std::string describe(const Shape& s) { return s.str(); }

}  // namespace limulus
