#pragma once
// judge layout CASE; judge serve CASE SEED IN OUT MEMORY: the yardstick of a timed test.
#include "judge.h"

namespace course {

std::string layout(const Case& c);
int serve(const Case& c, std::uint64_t seed, int in, int out, int memory);

// Single-precision operations a second of one core, multiply-adds counted as two, in registers and
// with vectors of 256 bits (AVX2, FMA): no program for that instruction set is faster. 0 where the
// compiler knows no such instructions.
double peak();

std::string quoted(const std::string& text);  // as JSON

}  // namespace course
