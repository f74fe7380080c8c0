#include "backends/queued.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/trace.h"

namespace limulus {

QueuedBackend::QueuedBackend(std::unique_ptr<Backend> inner)
    : inner_(std::move(inner)),
      finish_at_exit_([this] {
        if (std::this_thread::get_id() != thread_.get_id()) synchronize();
      }),
      at_fork_(AtFork::Stage::work, {.before = [this] { settle(); },
                                     .parent = [this] { mutex_.unlock(); },
                                     .child = [this] { forget_thread(); }}) {
  if (!inner_->host_memory())
    throw DeviceError(inner_->name() + ": only a backend in host memory needs a queue");
}

// Before a fork, whose child could not go on with half a command: takes the lock when all are done.
void QueuedBackend::settle() {
  std::unique_lock lock(mutex_);
  if (std::this_thread::get_id() != thread_.get_id())
    done_.wait(lock, [&] { return commands_.empty(); });
  lock.release();  // and is held
}

// Those who slept are not here: to tell them that they may wake, or to wait for them, would hang.
void QueuedBackend::forget_thread() {
  std::construct_at(&thread_);
  std::construct_at(&wanted_);
  std::construct_at(&done_);
  mutex_.unlock();
}

QueuedBackend::~QueuedBackend() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  wanted_.notify_one();
  if (thread_.joinable()) thread_.join();  // after the last command
  pool().trim();
}

// ---- the queue ----------------------------------------------------------------------------------

void QueuedBackend::push(std::function<void()> command) {
  if (tracing()) {  // a trace wants each primitive's own time, under the caller's layer
    synchronize();
    return command();
  }
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    commands_.push_back(std::move(command));
  }
  wanted_.notify_one();
}

void QueuedBackend::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [&] { return leaving_ || !commands_.empty(); });
    if (commands_.empty()) return;
    if (!error_) {  // what follows a failure would compute with rubbish
      const std::function<void()>& command = commands_.front();  // a deque keeps it in place
      lock.unlock();
      std::exception_ptr error;
      try {
        command();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      error_ = error;
    }
    commands_.pop_front();
    if (commands_.empty()) done_.notify_all();
  }
}

void QueuedBackend::synchronize() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return commands_.empty(); });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

// ---- memory ------------------------------------------------------------------------------------

void* QueuedBackend::allocate(std::size_t bytes) {
  constexpr std::size_t line = 64;
  const std::size_t whole = (bytes + line - 1) / line * line;
  void* memory = whole < bytes ? nullptr : std::aligned_alloc(line, whole == 0 ? line : whole);
  if (memory == nullptr)
    throw DeviceError(
        fmt::format("{}: no memory for {} bytes ({} MiB), and this device holds {} "
                    "MiB; a smaller batch needs less",
                    name(), bytes, bytes >> 20, pool().stats().held_bytes >> 20));
  return memory;
}

// The pool gives memory back only when it is short of it: then commands may still be using it.
void QueuedBackend::deallocate(void* buffer, std::size_t) noexcept {
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return commands_.empty(); });
  }
  std::free(buffer);
}

// The caller's array may be gone when the command runs: the queue takes a copy.
void QueuedBackend::upload(void* dst, const void* host, std::size_t bytes) {
  if (bytes == 0) return;  // either may be null when there is nothing
  const auto* from = static_cast<const std::byte*>(host);
  push([this, dst, copy = std::vector<std::byte>(from, from + bytes)] {
    inner_->upload(dst, copy.data(), copy.size());
  });
}

void QueuedBackend::download(void* host, const void* src, std::size_t bytes) {
  synchronize();
  inner_->download(host, src, bytes);
}

// ---- primitives --------------------------------------------------------------------------------

void QueuedBackend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  later(&Backend::gemm, dtype, s, a, b, c);
}
void QueuedBackend::linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  later(&Backend::linear_forward, dtype, s, x, w, b, y);
}
std::size_t QueuedBackend::conv2d_packed_bytes(DType dtype, const Conv2dShape& s) {
  return inner_->conv2d_packed_bytes(dtype, s);
}
void QueuedBackend::conv2d_pack(DType dtype, const Conv2dShape& s, const void* w, void* packed) {
  later(&Backend::conv2d_pack, dtype, s, w, packed);
}
void QueuedBackend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  later(&Backend::conv2d_forward, dtype, s, x, w, b, y);
}
void QueuedBackend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                          const void* w, void* dx) {
  later(&Backend::conv2d_backward_input, dtype, s, dy, w, dx);
}
void QueuedBackend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                           const void* dy, void* dw) {
  later(&Backend::conv2d_backward_weight, dtype, s, x, dy, dw);
}
void QueuedBackend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy,
                                         void* db) {
  later(&Backend::conv2d_backward_bias, dtype, s, dy, db);
}
void QueuedBackend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                       void* argmax) {
  later(&Backend::max_pool2d_forward, dtype, s, x, y, argmax);
}
void QueuedBackend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        const void* argmax, void* dx) {
  later(&Backend::max_pool2d_backward, dtype, s, dy, argmax, dx);
}
void QueuedBackend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  later(&Backend::avg_pool2d_forward, dtype, s, x, y);
}
void QueuedBackend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                        void* dx) {
  later(&Backend::avg_pool2d_backward, dtype, s, dy, dx);
}
void QueuedBackend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  later(&Backend::lrn_across_forward, dtype, s, x, y);
}
void QueuedBackend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x,
                                        const void* dy, void* dx) {
  later(&Backend::lrn_across_backward, dtype, s, x, dy, dx);
}
void QueuedBackend::lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s,
                                                  const Pool2dShape& pool, const void* x, void* y,
                                                  void* argmax) {
  later(&Backend::lrn_across_max_pool2d_forward, dtype, s, pool, x, y, argmax);
}
void QueuedBackend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  later(&Backend::lrn_within_forward, dtype, s, x, y);
}
void QueuedBackend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x,
                                        const void* dy, void* dx) {
  later(&Backend::lrn_within_backward, dtype, s, x, dy, dx);
}
void QueuedBackend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  later(&Backend::unary, dtype, op, n, x, y);
}
void QueuedBackend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x,
                                   const void* y, const void* dy, void* dx) {
  later(&Backend::unary_backward, dtype, op, n, x, y, dy, dx);
}
void QueuedBackend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                           const void* b, void* y) {
  later(&Backend::binary, dtype, op, s, a, b, y);
}
void QueuedBackend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                                    const void* a, const void* b, const void* dy, void* dx) {
  later(&Backend::select_backward, dtype, op, s, second, a, b, dy, dx);
}
void QueuedBackend::affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                           void* y) {
  later(&Backend::affine, dtype, n, scale, shift, x, y);
}
void QueuedBackend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  later(&Backend::accumulate, dtype, n, x, y);
}
void QueuedBackend::fill(DType dtype, std::int64_t n, double value, void* y) {
  later(&Backend::fill, dtype, n, value, y);
}
void QueuedBackend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  later(&Backend::copy_block, dtype, s, src, dst);
}
void QueuedBackend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                            void* y) {
  later(&Backend::dropout, dtype, n, p, key, x, y);
}
void QueuedBackend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                           std::int64_t inner, const void* x, void* y) {
  later(&Backend::reduce, dtype, op, outer, len, inner, x, y);
}
void QueuedBackend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                    const void* x, void* y) {
  later(&Backend::softmax_forward, dtype, rows, cols, x, y);
}
void QueuedBackend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* y, const void* dy, void* dx) {
  later(&Backend::softmax_backward, dtype, rows, cols, y, dy, dx);
}
void QueuedBackend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                          const void* x, const void* labels, void* probability,
                                          void* loss) {
  later(&Backend::cross_entropy_forward, dtype, rows, cols, x, labels, probability, loss);
}
void QueuedBackend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                           const void* probability, const void* labels,
                                           const void* dloss, void* dx) {
  later(&Backend::cross_entropy_backward, dtype, rows, cols, probability, labels, dloss, dx);
}
void QueuedBackend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  later(&Backend::sgd_step, dtype, s, w, g, v);
}

}  // namespace limulus
