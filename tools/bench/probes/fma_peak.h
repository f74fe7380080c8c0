#pragma once
// The processor's peak: multiply-adds that wait for nothing, on some threads at once.
#include <string>

namespace limulus {

// Floating-point operations a second of `threads` threads together, the best of runs of 20 ms or
// more for about `seconds`. instruction_set: as cpu_instruction_set() has it.
double fma_peak(const std::string& instruction_set, int threads, double seconds);

}  // namespace limulus
