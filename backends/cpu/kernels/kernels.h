#pragma once
// The kernels of the CPU backend (kernel_list.h), each compiled once per instruction set, and the
// table through which the backend calls those of the processor at hand.
#include <cstddef>
#include <cstdint>

#include "backends/convolution.h"
#include "core/backend.h"

namespace limulus::cpu {

class Team;

// What a kernel needs besides its arrays: how many threads, where workspaces come from, and who
// shares its tasks.
// (Plain functions, so that no inline code of the library is compiled for one instruction set.)
struct Context {
  int threads = 1;
  void* pool = nullptr;
  Team* team = nullptr;
  const char** method = nullptr;  // if not null: a kernel with several methods names its own here
  bool flush_denormals = false;   // as in the calling thread (core/denormals.h)

  void use(const char* name) const {
    if (method != nullptr) *method = name;
  }
};
void* scratch_take(const Context& ctx, std::size_t bytes);
void scratch_give(const Context& ctx, void* data, std::size_t bytes) noexcept;
// run(body, i, thread) for each i in [0, tasks), on up to `threads` threads
// (backends/cpu/threads.h).
void share_tasks(const Context& ctx, std::int64_t tasks, int threads,
                 void (*run)(const void* body, std::int64_t task, int thread), const void* body);

// The table: a pointer to each kernel of kernel_list.h, for one instruction set.
template <class T>
struct Kernels {
#define KERNEL(result, name, ...) result (*name)(__VA_ARGS__);
#include "backends/cpu/kernels/kernel_list.h"
#undef KERNEL
};

// Declarations that every instruction set of this machine's kind has in a namespace of its own; and
// which of them to take, for code that knows it only when it runs.
#if defined(__aarch64__)
#define LIMULUS_IN_EACH_ISA(...) \
  namespace neon {               \
  __VA_ARGS__                    \
  }
#define LIMULUS_OF_ISA(isa, what) (static_cast<void>(isa), ::limulus::cpu::neon::what)
#else
#define LIMULUS_IN_EACH_ISA(...) \
  namespace avx2 {               \
  __VA_ARGS__                    \
  }                              \
  namespace avx512 {             \
  __VA_ARGS__                    \
  }
#define LIMULUS_OF_ISA(isa, what) \
  ((isa) == "avx512" ? ::limulus::cpu::avx512::what : ::limulus::cpu::avx2::what)
#endif

LIMULUS_IN_EACH_ISA(template <class T> const Kernels<T>& kernels();)  // for float and double

}  // namespace limulus::cpu

#ifdef LIMULUS_ISA  // in a file that is compiled once per instruction set: the kernels themselves
namespace limulus::cpu::LIMULUS_ISA {
#define KERNEL(result, name, ...) \
  template <class T>              \
  result name(__VA_ARGS__);
#include "backends/cpu/kernels/kernel_list.h"
#undef KERNEL
}  // namespace limulus::cpu::LIMULUS_ISA
#endif
