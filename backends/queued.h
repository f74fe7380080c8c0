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

#include "backends/finish_at_exit.h"
#include "core/at_fork.h"
#include "core/backend.h"

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

  // What is more than a primitive that all backends have: the inner backend knows how.
  bool linear_fuses_relu() const override { return inner_->linear_fuses_relu(); }
  bool conv2d_fuses_relu() const override { return inner_->conv2d_fuses_relu(); }
  void linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  std::size_t conv2d_packed_bytes(DType dtype, const Conv2dShape& s) override;
  void conv2d_pack(DType dtype, const Conv2dShape& s, const void* w, void* packed) override;
  void lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s, const Pool2dShape& pool,
                                     const void* x, void* y, void* argmax) override;

 protected:
  void run_elsewhere(const PrimitiveCall& call) override;  // every other primitive

 private:
  // command(inner) in the queue's turn, with the treatment of denormal numbers as it is now.
  void later(std::function<void(Backend&)> command);
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
