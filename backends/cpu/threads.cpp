#include "backends/cpu/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace limulus::cpu {
namespace {

// ---- waiting -----------------------------------------------------------------------------------

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// How long a helper spins for the next region, and a caller for the last tasks of its helpers. A
// training step of LeNet-5 has some fifteen regions, a few microseconds apart; a sleeping thread is
// running again 5 to 50 us after it was woken.
constexpr microseconds next_region{50}, last_task{100};
// A round of pauses takes a microsecond. If it took this long, the thread had no core meanwhile ...
constexpr microseconds lost_core{100};
// ... and for this long nobody spins, since another program has a use for the cores.
constexpr microseconds busy_time{200'000};
std::atomic<Clock::rep> busy_until{0};  // on the clock

// Tells the processor that this thread waits in a loop: the other one of the core may have more.
void pause() {
#if defined(__aarch64__)
  __asm__ volatile("yield");
#else
  __builtin_ia32_pause();
#endif
}

// Polls ready() until it is true, for at most `limit`, and keeps the core. Returns the last answer.
template <class Ready>
bool spin(microseconds limit, Ready ready) {
  if (ready()) return true;
  const Clock::time_point begin = Clock::now();
  if (begin.time_since_epoch().count() < busy_until.load(std::memory_order_relaxed)) return false;
  for (Clock::time_point last = begin; last - begin < limit;) {
    for (int i = 0; i < 16; ++i) {
      pause();
      if (ready()) return true;
    }
    const Clock::time_point now = Clock::now();
    if (now - last > lost_core) {
      busy_until.store((now + busy_time).time_since_epoch().count(), std::memory_order_relaxed);
      break;
    }
    last = now;
  }
  return ready();
}

// ---- a region ----------------------------------------------------------------------------------

// What different threads write lies in different cache lines; processors fetch pairs of lines.
constexpr std::size_t apart = 128;

// Who may work on a region, in one number that is changed at once: whether it is open, whether its
// caller sleeps until all have left, how many helpers have ever entered, how many are inside.
class Gate {
 public:
  void open() { word_.store(is_open, std::memory_order_release); }

  // The thread number of a helper that enters; 0 if the region is closed or has enough helpers.
  int enter(int helpers) {
    std::uint32_t w = word_.load(std::memory_order_acquire);
    do {
      if ((w & is_open) == 0 || entered(w) >= helpers) return 0;
    } while (!word_.compare_exchange_weak(w, w + one_entered + 1, std::memory_order_acq_rel));
    return entered(w) + 1;
  }
  // Returns whether the caller must be woken.
  bool leave() {
    const std::uint32_t w = word_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    return (w & is_open) == 0 && (w & caller_sleeps) != 0 && inside(w) == 0;
  }
  void close() { word_.fetch_and(~is_open, std::memory_order_acq_rel); }
  void caller_will_sleep() { word_.fetch_or(caller_sleeps, std::memory_order_acq_rel); }
  bool deserted() const { return inside(word_.load(std::memory_order_acquire)) == 0; }

 private:
  static constexpr std::uint32_t is_open = 1u << 31, caller_sleeps = 1u << 30;
  static constexpr std::uint32_t one_entered = 1u << 12, count = one_entered - 1;
  static int entered(std::uint32_t w) { return static_cast<int>(w / one_entered & count); }
  static int inside(std::uint32_t w) { return static_cast<int>(w & count); }
  std::atomic<std::uint32_t> word_{0};
};

struct alignas(apart) Region {
  // Written by the caller before the gate opens, and read by the helpers that have entered.
  Task run = nullptr;
  const void* body = nullptr;
  std::int64_t tasks = 0;
  std::exception_ptr error;  // guarded by the team's mutex

  std::atomic<int> helpers{0};                       // how many are wanted
  std::atomic<bool> taken{false};                    // by a caller
  alignas(apart) std::atomic<std::int64_t> next{0};  // the first task that nobody has taken
  alignas(apart) Gate gate;
};

thread_local bool in_task = false;  // of any team

}  // namespace

// ---- the team ----------------------------------------------------------------------------------

struct Team::State {
  static constexpr int most_regions = 8;  // at a time; callers beyond work alone
  static constexpr int most_threads = 1024;

  // A bit for each open region, and above them how many were ever opened. Helpers look at nothing
  // else while they wait.
  static constexpr std::uint64_t one_more = 1u << most_regions;
  alignas(apart) std::atomic<std::uint64_t> board{0};

  alignas(apart) Region regions[most_regions];
  std::atomic<int> started{0}, spinning{0}, sleeping{0};
  std::atomic<std::uint64_t> shared{0};

  std::mutex mutex;  // for sleeping and waking, starting and stopping; not needed in each region
  std::condition_variable wanted, deserted;
  bool leaving = false;
  std::vector<std::thread> helpers;
  State* before_fork = nullptr;  // whose threads are in another process: kept, never touched

  Region* take_region() {
    for (Region& r : regions)
      if (!r.taken.exchange(true, std::memory_order_acquire)) return &r;
    return nullptr;
  }
  std::uint64_t bit_of(const Region& r) const { return std::uint64_t{1} << (&r - regions); }

  void work(Region& r, int thread) {
    in_task = true;
    try {
      for (;;) {
        const std::int64_t i = r.next.fetch_add(1, std::memory_order_relaxed);
        if (i >= r.tasks) break;
        r.run(r.body, i, thread);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!r.error) r.error = std::current_exception();
      r.next.store(r.tasks, std::memory_order_relaxed);
    }
    in_task = false;
  }

  bool help(Region& r) {
    const int thread = r.gate.enter(r.helpers.load(std::memory_order_relaxed));
    if (thread == 0) return false;
    work(r, thread);
    if (r.gate.leave()) {
      {
        const std::lock_guard lock(mutex);
      }  // the caller sleeps by now, or sees that all have left
      deserted.notify_all();
    }
    return true;
  }

  // A helper's life.
  void serve() {
    for (;;) {
      const std::uint64_t seen = board.load();
      bool helped = false;
      for (Region& r : regions)
        if ((seen & bit_of(r)) != 0) helped |= help(r);
      if (helped) continue;
      const auto news = [&] { return board.load() / one_more != seen / one_more; };
      spinning.fetch_add(1);
      const bool soon = spin(next_region, news);
      spinning.fetch_sub(1);
      if (soon) continue;
      std::unique_lock lock(mutex);
      sleeping.fetch_add(1);
      wanted.wait(lock, [&] { return leaving || news(); });
      sleeping.fetch_sub(1);
      if (leaving) return;
    }
  }

  // Starts the missing helpers. If the system refuses a thread, the others do its work.
  void start(int count) {
    const std::lock_guard lock(mutex);
    try {
      while (!leaving && std::cmp_less(helpers.size(), count))
        helpers.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
    }
    started.store(count);
  }

  // A helper that no longer counts as spinning and does not sleep yet looks at the board once more
  // before it sleeps, so it need not be woken. (All threads see all reads and writes here in the
  // same order.)
  void invite(int count) {
    const int sleepers = std::min(count - spinning.load(), sleeping.load());
    if (sleepers <= 0) return;
    { const std::lock_guard lock(mutex); }
    for (int i = 0; i < sleepers; ++i) wanted.notify_one();
  }

  void wait_for_helpers(Region& r) {
    const auto all_left = [&] { return r.gate.deserted(); };
    if (spin(last_task, all_left)) return;
    std::unique_lock lock(mutex);
    r.gate.caller_will_sleep();
    deserted.wait(lock, all_left);
  }
};

Team::Team()
    : state_(std::make_unique<State>()),
      at_fork_(AtFork::Stage::work, {.before = [] {},
                                     .parent = [] {},
                                     .child =
                                         [this] {
                                           auto fresh = std::make_unique<State>();
                                           fresh->before_fork = state_.release();
                                           state_ = std::move(fresh);
                                         }}),
      finish_at_exit_([this] { stop(); }) {}

Team::~Team() { stop(); }

void Team::stop() noexcept {
  std::vector<std::thread> all;
  {
    const std::lock_guard lock(state_->mutex);
    state_->leaving = true;
    all.swap(state_->helpers);
  }
  state_->board.fetch_add(State::one_more);
  state_->wanted.notify_all();
  for (std::thread& helper : all) helper.join();
}

std::uint64_t Team::regions() const { return state_->shared.load(); }

void Team::share(std::int64_t tasks, int threads, Task run, const void* body) {
  State& s = *state_;
  const auto wanted = static_cast<int>(
      std::min<std::int64_t>({threads, tasks, std::int64_t{State::most_threads}}) - 1);
  Region* r = wanted > 0 && !in_task ? s.take_region() : nullptr;
  if (r == nullptr) {
    for (std::int64_t i = 0; i < tasks; ++i) run(body, i, 0);
    return;
  }
  if (s.started.load(std::memory_order_relaxed) < wanted) s.start(wanted);
  s.shared.fetch_add(1, std::memory_order_relaxed);

  r->run = run;
  r->body = body;
  r->tasks = tasks;
  r->helpers.store(wanted, std::memory_order_relaxed);
  r->next.store(0, std::memory_order_relaxed);
  r->gate.open();
  s.board.fetch_add(State::one_more + s.bit_of(*r));
  s.invite(wanted);

  s.work(*r, 0);

  s.board.fetch_sub(s.bit_of(*r));
  r->gate.close();  // a helper that comes now is too late
  s.wait_for_helpers(*r);
  const std::exception_ptr error = std::exchange(r->error, nullptr);
  r->taken.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

}  // namespace limulus::cpu
