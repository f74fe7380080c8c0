#include "core/denormals.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace limulus {
namespace {

thread_local bool flushing = false;

// Two bits of x86's control register: results that are denormal become 0 (FTZ, bit 15), and so do
// operands (DAZ, bit 6).
void set_processor(bool on) {
#if defined(__SSE__)
  constexpr unsigned bits = 0x8040;
  _mm_setcsr(on ? _mm_getcsr() | bits : _mm_getcsr() & ~bits);
#elif defined(__aarch64__)
  // Bit 24 of FPCR: both, operands and results.
  unsigned long control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  constexpr unsigned long bit = 1ul << 24;
  control = on ? control | bit : control & ~bit;
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
#else
  static_cast<void>(on);
#endif
}

}  // namespace

FlushDenormals::FlushDenormals(bool on) : before_(flushing) {
  flushing = on;
  set_processor(on);
}

FlushDenormals::~FlushDenormals() {
  flushing = before_;
  set_processor(before_);
}

bool FlushDenormals::active() { return flushing; }

}  // namespace limulus
