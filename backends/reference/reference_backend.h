#pragma once
// The reference backend: textbook loops, in float and in double. It says what every primitive
// means; other backends are compared with it, and borrow what they lack from it.
#include <optional>
#include <string>

#include "core/backend.h"
#include "core/describe.h"
#include "core/trace.h"

namespace limulus {

class ReferenceBackend final : public Backend {
 public:
  // `traced` is false for the instance that serves fallbacks: those are reported by the fallback
  // itself, in the name of the backend that lacks the kernel.
  explicit ReferenceBackend(std::string name = "reference", bool traced = true);
  ~ReferenceBackend() override;

  std::string name() const override { return name_; }
  std::string description() const override;

  void* allocate(std::size_t bytes) override;
  void deallocate(void* buffer, std::size_t bytes) noexcept override;
  bool host_memory() const override { return true; }
  void upload(void* dst, const void* host, std::size_t bytes) override;
  void download(void* host, const void* src, std::size_t bytes) override;

  // gemm.cpp
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override;

  // conv2d.cpp
  bool linear_fuses_relu() const override { return true; }
  bool conv2d_fuses_relu() const override { return true; }
  void conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  void conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy, const void* w,
                             void* dx) override;
  void conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x, const void* dy,
                              void* dw) override;
  void conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) override;

  // pool.cpp
  void max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                          void* argmax) override;
  void max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, const void* argmax,
                           void* dx) override;
  void avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) override;
  void avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) override;

  // lrn.cpp
  void lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;
  void lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;

  // elementwise.cpp
  void unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) override;
  void unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                      const void* dy, void* dx) override;
  void binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a, const void* b,
              void* y) override;
  void select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                       const void* a, const void* b, const void* dy, void* dx) override;

  // vector.cpp
  void affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
              void* y) override;
  void accumulate(DType dtype, std::int64_t n, const void* x, void* y) override;
  void fill(DType dtype, std::int64_t n, double value, void* y) override;
  void copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) override;
  void dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
               void* y) override;

  // reduce.cpp
  void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len, std::int64_t inner,
              const void* x, void* y) override;

  // softmax.cpp
  void softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                       void* y) override;
  void softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                        const void* dy, void* dx) override;
  void cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                             const void* labels, void* probability, void* loss) override;
  void cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                              const void* probability, const void* labels, const void* dloss,
                              void* dx) override;

  // sgd.cpp
  void sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) override;

 private:
  // Reports a primitive to the trace, from here to the end of the caller's block.
  template <class S>
  std::optional<Trace> traced(const char* primitive, const S& shape) const {
    const auto shapes = [&shape] { return describe(shape); };
    if (!traced_) return std::nullopt;
    return std::optional<Trace>(std::in_place, *this, primitive, "reference", shapes);
  }

  std::string name_;
  bool traced_;
};

}  // namespace limulus
