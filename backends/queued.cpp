#include "backends/queued.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "core/buffer_pool.h"
#include "core/denormals.h"
#include "core/error.h"
#include "core/primitive_call.h"
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

void QueuedBackend::later(std::function<void(Backend&)> command) {
  push([this, command = std::move(command), flush = FlushDenormals::active()] {
    const FlushDenormals as_the_caller(flush);
    command(*inner_);
  });
}

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

void QueuedBackend::run_elsewhere(const PrimitiveCall& call) {
  later([call](Backend& inner) { call.run(inner); });
}

void QueuedBackend::linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                                   const void* b, void* y) {
  later([=](Backend& inner) { inner.linear_forward(dtype, s, x, w, b, y); });
}
std::size_t QueuedBackend::conv2d_packed_bytes(DType dtype, const Conv2dShape& s) {
  return inner_->conv2d_packed_bytes(dtype, s);
}
void QueuedBackend::conv2d_pack(DType dtype, const Conv2dShape& s, const void* w, void* packed) {
  later([=](Backend& inner) { inner.conv2d_pack(dtype, s, w, packed); });
}
void QueuedBackend::lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s,
                                                  const Pool2dShape& pool, const void* x, void* y,
                                                  void* argmax) {
  later([=](Backend& inner) { inner.lrn_across_max_pool2d_forward(dtype, s, pool, x, y, argmax); });
}

}  // namespace limulus
