#pragma once
// How kernels share their work among threads, and how a loop over elements is laid over registers.
// The threads themselves are in backends/cpu/threads.h.
//
// Work is cut into tasks by the size of the problem, never by the number of threads, and a task's
// result does not depend on who computes it. So the bits are the same for any number of threads.
// Like simd.h, everything here belongs to one instruction set.
#include <cstdint>

#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/simd/simd.h"

namespace limulus::cpu::LIMULUS_ISA {

LIMULUS_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
LIMULUS_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
LIMULUS_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Below this much memory traffic, one thread does all the work. Sharing costs about a microsecond
// if the helpers are awake, and 5 to 50 if they must be woken; in 10 us a core moves about 100 KB.
constexpr std::int64_t small_bytes = 128 * 1024;

// For the length of a scope, a thread treats denormal numbers (core/denormals.h) as the thread for
// which it computes does. It nearly always does so already. So each task only reads the register,
// which costs a few cycles; writing it would cost 20 and more.
class DenormalsAs {
 public:
  LIMULUS_INLINE explicit DenormalsAs(bool flush)
      : before_(denormal_state()), wanted_(flush ? denormals_flushed : 0) {
    if (wanted_ != before_) set_denormal_state(wanted_);
  }
  LIMULUS_INLINE ~DenormalsAs() {
    if (wanted_ != before_) set_denormal_state(before_);
  }
  DenormalsAs(const DenormalsAs&) = delete;
  DenormalsAs& operator=(const DenormalsAs&) = delete;

 private:
  DenormalState before_, wanted_;
};

// A task of parallel_for as a plain function, for code that is compiled once for all instruction
// sets. Each call copies what fn holds, so that pointers stay in registers.
template <class F>
inline void one_task(const void* fn, std::int64_t task, int thread) {
  F own = *static_cast<const F*>(fn);
  own(task, thread);
  clear_upper_halves();
}

// fn(task, thread) for every task in [0, tasks). `bytes` is the traffic of all tasks together.
// Tasks are handed out as threads become free, since cores may be shared with other programs: tasks
// of 10 us to 1 ms are long enough to be worth handing out, and short enough to wait for. What a
// task throws is thrown here.
template <class F>
inline void parallel_for(const Context& ctx, std::int64_t tasks, std::int64_t bytes, F fn) {
  const int threads = static_cast<int>(smaller(ctx.threads, tasks));
  if (threads <= 1 || bytes < small_bytes) {
    for (std::int64_t i = 0; i < tasks; ++i) fn(i, 0);
    clear_upper_halves();
    return;
  }
  const auto like_caller = [fn, flush = ctx.flush_denormals](std::int64_t task, int thread) {
    const DenormalsAs caller(flush);
    fn(task, thread);
  };
  share_tasks(ctx, tasks, threads, one_task<decltype(like_caller)>, &like_caller);
}

// fn(plane, thread) for planes of `plane_bytes` traffic each, several in a task, so that a task is
// about 64 KiB. Handing out small planes one by one would cost more than the work itself, and
// threads would write side by side, in the same cache lines.
template <class F>
inline void for_planes(const Context& ctx, std::int64_t planes, std::int64_t plane_bytes, F fn) {
  const std::int64_t group = larger(1, 64 * 1024 / larger(1, plane_bytes));
  parallel_for(ctx, ceil_div(planes, group), planes * plane_bytes,
               [=](std::int64_t task, int thread) {
                 const std::int64_t end = smaller(planes, (task + 1) * group);
                 for (std::int64_t p = task * group; p < end; ++p) fn(p, thread);
               });
}

// n elements, rounded up so that what follows begins in another cache line (and in another pair of
// lines, since the processor fetches pairs). For a workspace in which each thread has a part.
template <class T>
LIMULUS_INLINE std::int64_t lines_apart(std::int64_t n) {
  constexpr std::int64_t pair = 128 / sizeof(T);
  return ceil_div(n, pair) * pair;
}

// Elements [i, i + width) or, at the end of a row, [i, i + n) of the arrays at hand.
struct Full {
  std::int64_t i;
  template <class T>
  LIMULUS_INLINE auto load(const T* p) const {
    return widen(p + i);
  }
  template <class T>
  LIMULUS_INLINE void store(T* p, Vec<T> v) const {
    v.store(p + i);
  }
};
struct Stream : Full {  // writes around the caches
  template <class T>
  LIMULUS_INLINE void store(T* p, Vec<T> v) const {
    v.stream(p + i);
  }
};
struct Part {
  std::int64_t i;
  int n;
  template <class T>
  LIMULUS_INLINE auto load(const T* p) const {
    return widen_n(p + i, n);
  }
  template <class T>
  LIMULUS_INLINE void store(T* p, Vec<T> v) const {
    v.store_n(p + i, n);
  }
};

// f(at) for the elements [begin, end) of some arrays; `at` loads and stores, a register at a time:
// at.store(y, at.load(x) * a). Kernels capture by value, which lets pointers stay in registers.
template <class T, class F>
LIMULUS_INLINE void for_lanes(std::int64_t begin, std::int64_t end, F f) {
  std::int64_t i = begin;
  for (; i + Vec<T>::width <= end; i += Vec<T>::width) f(Full{i});
  if (i < end) f(Part{i, static_cast<int>(end - i)});
}

// The same where the array y is only written. An ordinary store first reads the cache line it is
// about to overwrite; a streaming store does not, but leaves nothing in the caches for whoever
// reads y next. So it pays only for outputs that would not stay there anyway. It needs addresses
// that are whole registers, hence the first, partial step. Measured (2 cores of an AMD EPYC, Zen 5,
// AVX-512, 2 threads): a copy of 128 MiB runs at 43 GB/s with ordinary stores, 55 with streaming.
constexpr std::int64_t stream_bytes = 16 << 20;

template <class T, class F>
LIMULUS_INLINE void for_lanes_to(T* y, std::int64_t begin, std::int64_t end, bool stream, F f) {
  if (!stream) return for_lanes<T>(begin, end, f);
  constexpr std::int64_t register_bytes = Vec<T>::width * sizeof(T);
  std::int64_t i = begin;
  const std::int64_t past = reinterpret_cast<std::uintptr_t>(y + begin) % register_bytes;
  if (past != 0) {
    i = smaller(end, begin + (register_bytes - past) / static_cast<std::int64_t>(sizeof(T)));
    f(Part{begin, static_cast<int>(i - begin)});
  }
  for (; i + Vec<T>::width <= end; i += Vec<T>::width) f(Stream{{i}});
  if (i < end) f(Part{i, static_cast<int>(end - i)});
}
// Ends a task that streamed: its writes are in memory before the team's barrier is passed.
LIMULUS_INLINE void stream_done(bool stream) {
  if (stream) stream_fence();
}

// f(at) for n elements of `arrays` arrays, in chunks that are shared among threads. y is the array
// that is only written, or null where the output is also read (or may be an input: in place).
constexpr std::int64_t chunk_elements = 32 * 1024;

template <class T, class F>
inline void for_elements(const Context& ctx, std::int64_t n, int arrays, T* y, F f) {
  const std::int64_t bytes = n * static_cast<std::int64_t>(sizeof(T));
  const bool stream = y != nullptr && bytes >= stream_bytes;
  parallel_for(ctx, ceil_div(n, chunk_elements), bytes * arrays, [=](std::int64_t task, int) {
    const std::int64_t begin = task * chunk_elements;
    for_lanes_to(y, begin, smaller(n, begin + chunk_elements), stream, f);
    stream_done(stream);
  });
}

// term(0) + ... + term(n - 1), each a register. Errors grow with the longest chain of additions, so
// more than 64 terms are added in pieces, and the pieces with compensated summation.
template <class T, class F>
LIMULUS_INLINE Vec<T> sum_of_terms(std::int64_t n, F term) {
  constexpr std::int64_t piece = 64;
  Vec<T> total = Vec<T>::zero(), lost = Vec<T>::zero();
  for (std::int64_t begin = 0; begin < n; begin += piece) {
    const std::int64_t end = smaller(n, begin + piece);
    Vec<T> sum = term(begin);
    for (std::int64_t i = begin + 1; i < end; ++i) sum = sum + term(i);
    if (n <= piece) return sum;
    total = add_compensated(total, sum, &lost);
  }
  return total;
}

// A workspace for the length of a scope, taken before threads start.
class Scratch {
 public:
  LIMULUS_INLINE Scratch(const Context& ctx, std::int64_t bytes)
      : ctx_(ctx), bytes_(static_cast<std::size_t>(bytes)), data_(scratch_take(ctx, bytes_)) {}
  LIMULUS_INLINE ~Scratch() { scratch_give(ctx_, data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  LIMULUS_INLINE T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  const Context& ctx_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace limulus::cpu::LIMULUS_ISA
