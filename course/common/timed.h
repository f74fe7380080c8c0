#pragma once
// A program whose caller holds the clock: it waits for a letter, calls the student's function once,
// and answers a line. Arrays are in memory that both see; the caller fills the inputs anew for each
// call, and copies the output away before it looks at the clock again. So nothing can be gained by
// answering early, by remembering a result, or by a clock of one's own.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "arrays.h"

namespace course {

// Arrays of floats in memory that two processes share, one behind the other, each from the begin of
// a page: inputs first, then the output.
class SharedArrays {
 public:
  SharedArrays(int fd, const Integers& counts);  // std::runtime_error where it cannot be mapped
  float* operator[](std::size_t i) const { return arrays_[i]; }

 private:
  std::vector<float*> arrays_;
};

using TimedCall = void (*)(const Integers& sizes, const SharedArrays& arrays);

// What can be timed, by name; tests/timed.cpp of an assignment defines it.
const std::map<std::string, TimedCall>& timed_calls();

}  // namespace course
