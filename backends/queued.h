#pragma once
// A backend whose primitives run in a thread of their own, one after the other, while the caller
// goes on: what the queue of a GPU is. Two halves of the processor behind two queues compute at the
// same time although one thread gives the orders, as two GPUs would (models/alexnet_towers.h).
//
// Only download() and synchronize() wait. A buffer may be given back while commands that use it are
// still to run: whoever gets it next comes later in the same queue. An error of a command is thrown
// by the next call that waits.
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>

#include "backends/finish_at_exit.h"
#include "core/at_fork.h"
#include "core/backend.h"
#include "core/denormals.h"

namespace limulus {

class QueuedBackend : public Backend {
 public:
  // `inner` computes in host memory. It is only called from the queue's thread, and has its own
  // workspaces there; arrays are this backend's.
  explicit QueuedBackend(std::unique_ptr<Backend> inner);
  ~QueuedBackend() override;

  std::string name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  void* allocate(std::size_t bytes) override;
  void deallocate(void* buffer, std::size_t bytes) noexcept override;
  bool host_memory() const override { return false; }  // not without waiting
  bool has_double() const override { return inner_->has_double(); }
  void upload(void* dst, const void* host, std::size_t bytes) override;
  void download(void* host, const void* src, std::size_t bytes) override;
  void synchronize() override;

  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override;
  void linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  bool linear_fuses_relu() const override { return inner_->linear_fuses_relu(); }
  bool conv2d_fuses_relu() const override { return inner_->conv2d_fuses_relu(); }
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
  // The call inner->primitive(args...), with the arguments and the treatment of denormal numbers as
  // they are now.
  template <class... Parameters>
  void later(void (Backend::*primitive)(Parameters...), std::decay_t<Parameters>... args) {
    push([this, primitive, flush = FlushDenormals::active(), args...] {
      const FlushDenormals as_the_caller(flush);
      (inner_.get()->*primitive)(args...);
    });
  }
  void push(std::function<void()> command);
  void work();           // the thread's loop
  void settle();         // before a fork
  void forget_thread();  // in the child of a fork, which does not have it

  std::unique_ptr<Backend> inner_;
  std::mutex mutex_;
  std::condition_variable wanted_, done_;
  std::deque<std::function<void()>> commands_;  // the first one is running or is the next to
  std::exception_ptr error_;  // of the first command that failed since the last wait
  bool leaving_ = false;
  std::thread thread_;
  FinishAtExit finish_at_exit_;
  AtFork at_fork_;  // after it: the list that finish_at_exit_ is in is locked before this queue
};

}  // namespace limulus
