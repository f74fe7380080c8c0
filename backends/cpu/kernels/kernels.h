#pragma once
// The kernels of the CPU backend, each compiled once per instruction set, and the table through
// which the backend calls those of the processor at hand. Their contracts are those of
// core/backend.h.
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

// T is float or double. A primitive of the interface and its kernel carry the same name.
template <class T>
struct Kernels {
  void (*gemm)(const Context&, const GemmShape&, const T* a, const T* b, T* c);

  void (*linear_forward)(const Context&, const LinearShape&, const T* x, const void* w, const T* b,
                         T* y);

  std::size_t (*conv2d_packed_bytes)(const Conv2dShape&);
  void (*conv2d_pack)(const Context&, const Conv2dShape&, const T* w, T* packed);
  void (*conv2d_forward)(const Context&, const Conv2dShape&, const T* x, const T* w, const T* b,
                         T* y);
  void (*conv2d_backward_input)(const Context&, const Conv2dShape&, const T* dy, const T* w, T* dx);
  void (*conv2d_backward_weight)(const Context&, const Conv2dShape&, const T* x, const T* dy,
                                 T* dw);
  void (*conv2d_backward_bias)(const Context&, const Conv2dShape&, const T* dy, T* db);

  void (*max_pool2d_forward)(const Context&, const Pool2dShape&, const T* x, T* y,
                             std::int32_t* argmax);
  void (*max_pool2d_backward)(const Context&, const Pool2dShape&, const T* dy,
                              const std::int32_t* argmax, T* dx);
  void (*avg_pool2d_forward)(const Context&, const Pool2dShape&, const T* x, T* y);
  void (*avg_pool2d_backward)(const Context&, const Pool2dShape&, const T* dy, T* dx);

  void (*lrn_across_forward)(const Context&, const LrnShape&, const T* x, T* y);
  void (*lrn_across_backward)(const Context&, const LrnShape&, const T* x, const T* dy, T* dx);
  void (*lrn_across_max_pool2d_forward)(const Context&, const LrnShape&, const Pool2dShape&,
                                        const T* x, T* y, std::int32_t* argmax);
  void (*lrn_within_forward)(const Context&, const LrnShape&, const T* x, T* y);
  void (*lrn_within_backward)(const Context&, const LrnShape&, const T* x, const T* dy, T* dx);

  void (*unary)(const Context&, UnaryOp, std::int64_t n, const T* x, T* y);
  void (*unary_backward)(const Context&, UnaryOp, std::int64_t n, const T* x, const T* y,
                         const T* dy, T* dx);
  void (*binary)(const Context&, BinaryOp, const BroadcastShape&, const T* a, const T* b, T* y);
  void (*select_backward)(const Context&, BinaryOp, const BroadcastShape&, bool second, const T* a,
                          const T* b, const T* dy, T* dx);
  void (*affine)(const Context&, std::int64_t n, double scale, double shift, const T* x, T* y);
  void (*accumulate)(const Context&, std::int64_t n, const T* x, T* y);
  void (*fill)(const Context&, std::int64_t n, double value, T* y);
  void (*dropout)(const Context&, std::int64_t n, double p, PhiloxKey, const T* x, T* y);

  void (*reduce)(const Context&, ReduceOp, std::int64_t outer, std::int64_t len, std::int64_t inner,
                 const T* x, T* y);
  void (*softmax_forward)(const Context&, std::int64_t rows, std::int64_t cols, const T* x, T* y);
  void (*softmax_backward)(const Context&, std::int64_t rows, std::int64_t cols, const T* y,
                           const T* dy, T* dx);
  void (*cross_entropy_forward)(const Context&, std::int64_t rows, std::int64_t cols, const T* x,
                                const std::int64_t* labels, T* probability, T* loss);
  void (*cross_entropy_backward)(const Context&, std::int64_t rows, std::int64_t cols,
                                 const T* probability, const std::int64_t* labels, const T* dloss,
                                 T* dx);
  void (*sgd_step)(const Context&, const SgdShape&, T* w, const T* g, T* v);
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
