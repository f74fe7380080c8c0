#include "distributed/mpi_communicator.h"

#include <fmt/core.h>
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>

namespace limulus {
namespace {

// Two threads of a rank talk to MPI, one at a time (MPI_THREAD_SERIALIZED).
std::mutex one_at_a_time;

void check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  throw RankError(fmt::format("{}: {}", what, std::string(text.data(), length)));
}

// MPI counts in int.
int count_of(std::size_t bytes) {
  if (bytes > INT_MAX)
    throw RankError(fmt::format(
        "MPI: {} bytes in one message, and its counts end at {}: the layer is too large for "
        "ranks; a smaller --batch makes factors smaller",
        bytes, INT_MAX));
  return static_cast<int>(bytes);
}

struct Parts {  // as MPI has them: how many bytes of each rank, and where they begin
  std::vector<int> counts, begins;
};

Parts parts_of(const std::vector<std::size_t>& sizes) {
  Parts parts;
  std::size_t begin = 0;
  for (const std::size_t n : sizes) {
    parts.counts.push_back(count_of(n));
    parts.begins.push_back(count_of(begin));
    begin += n;
  }
  return parts;
}

// MPI waits by asking again and again, which takes a whole core from a rank beside it that
// computes. So this asks for a while, since an answer usually comes soon, then sleeps in between.
void wait(MPI_Request& request) {
  constexpr int kSpins = 2000;
  constexpr useconds_t kSleep = 50;
  for (int asked = 0;; ++asked) {
    int done = 0;
    {
      const std::lock_guard lock(one_at_a_time);
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    }
    if (done != 0) return;
    if (asked >= kSpins) usleep(kSleep);
  }
}

// Begins something that does not wait, and waits for it.
template <class Begin>
void finish(const char* what, Begin begin) {
  MPI_Request request = MPI_REQUEST_NULL;
  {
    const std::lock_guard lock(one_at_a_time);
    check(begin(&request), what);
  }
  wait(request);
}

}  // namespace

// ---- who is still there? ----------------------------------------------------------------------

class MpiCommunicator::Watch {
 public:
  Watch(int rank, std::vector<std::string> places, int silence,
        std::function<void(const std::string&)> on_lost)
      : rank_(rank),
        places_(std::move(places)),
        on_lost_(std::move(on_lost)),
        // Rank 0 speaks first; if it is the lost one, the others one after the other.
        limit_(silence + std::min(rank, 5)),
        idle_limit_(silence * (rank == 0 ? 20 : 2)),
        heard_(places_.size(), 0),
        sends_(places_.size(), MPI_REQUEST_NULL) {
    MPI_Comm_dup(MPI_COMM_WORLD, &beats_);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

 private:
  // Time is counted in seconds of this thread, not of a clock: a computer that sleeps, or a run
  // that was stopped with Ctrl-Z, has lost nobody when it goes on.
  void run(const std::stop_token& stop) {
    std::mutex sleeping;
    std::condition_variable_any wake;
    for (int now = 0; !stop.stop_requested(); ++now) {
      if (const int lost = beat(now); lost >= 0) {
        on_lost_(fmt::format(
            "{} has not answered for {} s: it hangs, or its machine cannot be reached. All ranks "
            "end. The checkpoint was not touched; the same command with --resume goes on, with "
            "fewer ranks, too",
            places_[static_cast<std::size_t>(lost)], limit_));
        return;
      }
      if (idle() > idle_limit_) {
        on_lost_(fmt::format(
            "{} has computed nothing for {} s, and does not wait for the others either: it hangs, "
            "perhaps as a disk does not answer. All ranks end. The same command with --resume goes "
            "on from the last checkpoint, with fewer ranks, too",
            places_[static_cast<std::size_t>(rank_)], idle_));
        return;
      }
      std::unique_lock lock(sleeping);
      wake.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    }
  }

  // For how many seconds this process has done nothing: all its threads but this one together used
  // less than a millisecond of a processor in each. Who computes uses more, and so does who waits
  // for other ranks, which is asking again and again.
  int idle() {
    constexpr double kNothing = 1e-3;
    const double used = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - seconds_of(CLOCK_THREAD_CPUTIME_ID);
    idle_ = used - used_ < kNothing ? idle_ + 1 : 0;
    used_ = used;
    return idle_;
  }

  static double seconds_of(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

  // Tells the others, hears them; a rank that was silent too long, or -1.
  int beat(int now) {
    const std::lock_guard lock(one_at_a_time);
    const int last = rank_ == 0 ? static_cast<int>(heard_.size()) - 1 : 0;
    for (int other = rank_ == 0 ? 1 : 0; other <= last; ++other) {
      MPI_Request& send = sends_[static_cast<std::size_t>(other)];
      int sent = 1;
      MPI_Test(&send, &sent, MPI_STATUS_IGNORE);
      if (sent != 0) MPI_Isend(&beat_, 1, MPI_BYTE, other, 0, beats_, &send);
    }
    for (;;) {
      int there = 0;
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, 0, beats_, &there, &status);
      if (there == 0) break;
      char heard = 0;
      MPI_Recv(&heard, 1, MPI_BYTE, status.MPI_SOURCE, 0, beats_, MPI_STATUS_IGNORE);
      heard_[static_cast<std::size_t>(status.MPI_SOURCE)] = now;
    }
    for (int other = rank_ == 0 ? 1 : 0; other <= last; ++other)
      if (now - heard_[static_cast<std::size_t>(other)] > limit_) return other;
    return -1;
  }

  const int rank_;
  const std::vector<std::string> places_;
  const std::function<void(const std::string&)> on_lost_;
  const int limit_;
  const int idle_limit_;  // longer: a disk may be slow, and rank 0 writes checkpoints to its own
  int idle_ = 0;
  double used_ = 0;         // seconds of processors
  std::vector<int> heard_;  // when, of each rank
  std::vector<MPI_Request> sends_;
  MPI_Comm beats_ = MPI_COMM_NULL;  // so that beats do not meet other messages
  const char beat_ = 1;
  std::jthread thread_;
};

// ---- the communicator -------------------------------------------------------------------------

MpiCommunicator::MpiCommunicator(int silence, std::function<void(const std::string&)> on_lost) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS)
    throw RankError("MPI could not be started");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int length = 0;
  MPI_Get_processor_name(name.data(), &length);
  machine_.assign(name.data(), static_cast<std::size_t>(length));
  watch_ =
      std::make_unique<Watch>(rank_, gather_texts(*this, place()), silence, std::move(on_lost));
}

MpiCommunicator::~MpiCommunicator() {
  try {
    do_barrier();  // rank 0 may have work of its own, and is watched meanwhile
  } catch (const RankError&) {
  }
  watch_.reset();
  MPI_Finalize();
}

std::string MpiCommunicator::place() const {
  return fmt::format("rank {} of {} (process {} on {})", rank_, size_, getpid(), machine_);
}

int MpiCommunicator::sharing_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);
  std::string mine = machine_ + '\n';
  mine.append(reinterpret_cast<const char*>(&mask), sizeof mask);
  const auto all = gather_texts(*this, mine);
  return static_cast<int>(std::count(all.begin(), all.end(), mine));
}

void MpiCommunicator::end_all(int status) {
  const std::lock_guard lock(one_at_a_time);
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void MpiCommunicator::do_broadcast(MutableBytes data, int root) {
  finish("MPI_Ibcast", [&](MPI_Request* request) {
    return MPI_Ibcast(data.data(), count_of(data.size()), MPI_BYTE, root, MPI_COMM_WORLD, request);
  });
}

void MpiCommunicator::do_all_gather(Bytes mine, MutableBytes all,
                                    const std::vector<std::size_t>& sizes) {
  const Parts parts = parts_of(sizes);
  finish("MPI_Iallgatherv", [&](MPI_Request* request) {
    return MPI_Iallgatherv(mine.data(), count_of(mine.size()), MPI_BYTE, all.data(),
                           parts.counts.data(), parts.begins.data(), MPI_BYTE, MPI_COMM_WORLD,
                           request);
  });
}

void MpiCommunicator::do_all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes,
                                    MutableBytes from, const std::vector<std::size_t>& from_sizes) {
  const Parts there = parts_of(to_sizes), here = parts_of(from_sizes);
  finish("MPI_Ialltoallv", [&](MPI_Request* request) {
    return MPI_Ialltoallv(to.data(), there.counts.data(), there.begins.data(), MPI_BYTE,
                          from.data(), here.counts.data(), here.begins.data(), MPI_BYTE,
                          MPI_COMM_WORLD, request);
  });
}

void MpiCommunicator::do_barrier() {
  finish("MPI_Ibarrier",
         [](MPI_Request* request) { return MPI_Ibarrier(MPI_COMM_WORLD, request); });
}

}  // namespace limulus
