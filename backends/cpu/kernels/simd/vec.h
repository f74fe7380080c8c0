#pragma once
// The names that every instruction set's text begins with (simd.h).
#include <cstdint>

#include "core/dtype.h"

#define LIMULUS_INLINE inline __attribute__((always_inline))

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
struct Vec;

}  // namespace limulus::cpu::LIMULUS_ISA
