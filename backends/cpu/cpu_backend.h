#pragma once
// The CPU backend: AVX2 or AVX-512 kernels (backends/cpu/kernels), chosen when it is made, or NEON
// kernels on ARM; and threads. README.md in this folder says in which order to read them.
//
// To replace one kernel and keep the fast ones for all else, write a class with one function:
//
//   class MyPool : public CpuBackend {
//    public:
//     MyPool() : CpuBackend(0, "my-pool") {}
//     void max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
//                             void* argmax) override;
//   };
//   Backend& mine = add_device(std::make_unique<MyPool>());    // backends/registry.h
//
// Every other primitive runs as before and costs the same. docs/kernel.md has more.
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include "backends/cpu/arena.h"
#include "backends/cpu/threads.h"
#include "core/backend.h"

namespace limulus {

namespace cpu {  // backends/cpu/kernels/kernels.h
struct Context;
template <class T>
struct Kernels;
}  // namespace cpu

// Those that this build has kernels for, the best first; and whether the processor has one.
const std::vector<std::string>& cpu_instruction_sets();
// The instruction set that kernels will be taken from: "avx512", "avx2", on ARM "neon", or "" on a
// processor with none, where the reference backend serves instead. LIMULUS_ISA=avx2 forces one;
// DeviceError when the word is unknown or the processor lacks it.
std::string cpu_instruction_set();
bool cpu_supports(const std::string& instruction_set);

// The number of threads of a CpuBackend that is not told otherwise: LIMULUS_THREADS or
// OMP_NUM_THREADS, or else as many as the process may use (default_threads.h). ValueError when
// LIMULUS_THREADS is not a number from 1 to 1024.
int cpu_default_threads();

class CpuBackend : public Backend {
 public:
  // threads 0: cpu_default_threads(); instruction_set "": cpu_instruction_set(). DeviceError if the
  // processor lacks that instruction set. A part of the processor ("cpu:0/2") is a backend with
  // fewer threads and that name.
  explicit CpuBackend(int threads = 0, std::string name = "cpu", std::string instruction_set = "");
  ~CpuBackend() override;

  std::string name() const override { return name_; }
  // "AMD EPYC, avx512, 2 threads"; "1 thread (affinity mask)" if that mask is the reason
  std::string description() const override;
  const std::string& instruction_set() const { return instruction_set_; }
  int threads() const;
  // For callers that run kernels without a primitive, such as benchmarks.
  const cpu::Context& context() const { return *context_; }
  std::uint64_t shared_regions() const { return team_.regions(); }  // see threads.h
  void set_threads(int threads);  // 0: cpu_default_threads(); results do not depend on it

  void* allocate(std::size_t bytes) override;
  void deallocate(void* buffer, std::size_t bytes) noexcept override;
  bool reuses(std::size_t bytes) const override;
  // The most memory that large buffers and the holes between them ever took (arena.h).
  std::size_t arena_used() const { return arena_.used(); }
  bool host_memory() const override { return true; }
  void upload(void* dst, const void* host, std::size_t bytes) override;
  void download(void* host, const void* src, std::size_t bytes) override;

  // Some kernels do the work of several primitives in one pass over memory: convolution or product
  // with ReLU, normalization with pooling. Such a pass would bypass a kernel that a derived class
  // overrides, so it is then done in separate steps. This function finds out which primitives
  // `Mine` overrides; add_device calls it. Without it, all passes of a derived class are done in
  // steps: correct as well, but slower.
  template <class Mine>
  void find_own_primitives();

  // primitives.cpp
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override;
  void linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  bool linear_fuses_relu() const override;
  bool conv2d_fuses_relu() const override;
  std::size_t conv2d_packed_bytes(DType dtype, const Conv2dShape& s) override;
  void conv2d_pack(DType dtype, const Conv2dShape& s, const void* w, void* packed) override;
  void conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  void conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy, const void* w,
                             void* dx) override;
  void conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x, const void* dy,
                              void* dw) override;
  void conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) override;
  void max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                          void* argmax) override;
  void max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, const void* argmax,
                           void* dx) override;
  void avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) override;
  void avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) override;
  void lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;
  void lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s, const Pool2dShape& pool,
                                     const void* x, void* y, void* argmax) override;
  void lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;
  void unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) override;
  void unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                      const void* dy, void* dx) override;
  void binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a, const void* b,
              void* y) override;
  void select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                       const void* a, const void* b, const void* dy, void* dx) override;
  void affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
              void* y) override;
  void accumulate(DType dtype, std::int64_t n, const void* x, void* y) override;
  void fill(DType dtype, std::int64_t n, double value, void* y) override;
  void copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) override;
  void dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
               void* y) override;
  void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len, std::int64_t inner,
              const void* x, void* y) override;
  void softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                       void* y) override;
  void softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                        const void* dy, void* dx) override;
  void cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                             const void* labels, void* probability, void* loss) override;
  void cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                              const void* probability, const void* labels, const void* dloss,
                              void* dx) override;
  void sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) override;

 private:
  // All primitives pass through here. It reports to the trace, and calls kernel(table, context)
  // with the table of float or of double kernels.
  template <class S, class F>
  void run(DType dtype, const char* primitive, const S& shape, F kernel);

  // The primitives that take part in a combined pass, and whether a derived class overrides them.
  struct Own {
    bool gemm = true, unary = true, linear = true, conv2d = true, lrn = true, max_pool = true;
  };
  Own own() const;
  template <class Member>
  static void same(Member, Member);  // two pointers of one type

  std::string name_, instruction_set_, threads_limit_;
  cpu::Arena arena_;
  cpu::Team team_;
  std::unique_ptr<cpu::Context> context_;
  const cpu::Kernels<float>* f32_ = nullptr;
  const cpu::Kernels<double>* f64_ = nullptr;
  const std::type_info* own_of_ = nullptr;  // the class that own_ describes
  Own own_;
};

// &Mine::gemm is a pointer to a member of CpuBackend unless Mine, or a class between the two, has a
// gemm of its own. If it cannot be named (private, overloaded), there is one, too.
template <class Mine>
void CpuBackend::find_own_primitives() {
  static_assert(std::is_base_of_v<CpuBackend, Mine>);
  const bool gemm = requires { same(&Mine::gemm, &CpuBackend::gemm); };
  const bool unary = requires { same(&Mine::unary, &CpuBackend::unary); };
  const bool linear = requires { same(&Mine::linear_forward, &CpuBackend::linear_forward); };
  const bool conv2d = requires { same(&Mine::conv2d_forward, &CpuBackend::conv2d_forward); };
  const bool lrn = requires { same(&Mine::lrn_across_forward, &CpuBackend::lrn_across_forward); };
  const bool max_pool = requires {
    same(&Mine::max_pool2d_forward, &CpuBackend::max_pool2d_forward);
  };
  own_of_ = &typeid(Mine);
  own_ = {!gemm, !unary, !linear, !conv2d, !lrn, !max_pool};
}

}  // namespace limulus
