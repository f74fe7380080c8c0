#pragma once
// A program whose caller holds the clock: it waits for a letter, calls the student's function once,
// and answers a line. Arrays are in memory that both see; the caller fills the inputs anew for each
// call, and copies the output away before it looks at the clock again. So nothing can be gained by
// answering early, by remembering a result, or by a clock of one's own.
#include <map>
#include <string>

#include "arrays.h"
#include "shared_arrays.h"

namespace course {

// The arrays: inputs first, then the output.
using TimedCall = void (*)(const Integers& sizes, const SharedArrays& arrays);

// What can be timed, by name; tests/timed.cpp of an assignment defines it.
const std::map<std::string, TimedCall>& timed_calls();

}  // namespace course
