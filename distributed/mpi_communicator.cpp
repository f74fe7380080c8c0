#include "distributed/mpi_communicator.h"

#include <fmt/core.h>
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace limulus {
namespace {

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
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) return;
    if (asked >= kSpins) usleep(kSleep);
  }
}

}  // namespace

int launched_ranks() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"})
    if (const char* ranks = std::getenv(variable); ranks != nullptr) return std::atoi(ranks);
  return 0;
}

MpiCommunicator::MpiCommunicator() {
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
}

MpiCommunicator::~MpiCommunicator() { MPI_Finalize(); }

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
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void MpiCommunicator::do_broadcast(MutableBytes data, int root) {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibcast(data.data(), count_of(data.size()), MPI_BYTE, root, MPI_COMM_WORLD, &request),
        "MPI_Ibcast");
  wait(request);
}

void MpiCommunicator::do_all_gather(Bytes mine, MutableBytes all,
                                    const std::vector<std::size_t>& sizes) {
  const Parts parts = parts_of(sizes);
  MPI_Request request = MPI_REQUEST_NULL;
  check(
      MPI_Iallgatherv(mine.data(), count_of(mine.size()), MPI_BYTE, all.data(), parts.counts.data(),
                      parts.begins.data(), MPI_BYTE, MPI_COMM_WORLD, &request),
      "MPI_Iallgatherv");
  wait(request);
}

void MpiCommunicator::do_all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes,
                                    MutableBytes from, const std::vector<std::size_t>& from_sizes) {
  const Parts there = parts_of(to_sizes), here = parts_of(from_sizes);
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ialltoallv(to.data(), there.counts.data(), there.begins.data(), MPI_BYTE, from.data(),
                       here.counts.data(), here.begins.data(), MPI_BYTE, MPI_COMM_WORLD, &request),
        "MPI_Ialltoallv");
  wait(request);
}

void MpiCommunicator::do_barrier() {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
  wait(request);
}

}  // namespace limulus
