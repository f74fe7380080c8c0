#include "tools/ranks.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

#include "backends/cpu/cpu_backend.h"
#include "tools/terminal.h"
#ifdef LIMULUS_MPI
#include "distributed/mpi_communicator.h"
#endif

namespace limulus::tools {

#ifdef LIMULUS_MPI

std::shared_ptr<Communicator> ranks_of_this_run() {
  if (launched_ranks() == 0) return nullptr;
  return std::make_shared<MpiCommunicator>();
}

int threads_of_a_rank(Communicator& ranks) {
  const int sharing = dynamic_cast<MpiCommunicator&>(ranks).sharing_processors();
  return std::max(1, cpu_default_threads() / sharing);
}

void with_ranks(Communicator* ranks, const std::function<void()>& train) {
  if (ranks == nullptr) return train();
  // What all ranks find (a folder that is missing, a loss that is no number) rank 0 says, and that
  // ends the others while they wait. What one of them has alone it says itself.
  constexpr unsigned kSeconds = 3;
  try {
    train();
    return;
  } catch (const std::exception& error) {
    if (ranks->rank() > 0) sleep(kSeconds);
    say_error(ranks->rank() == 0 ? error.what()
                                 : fmt::format("{}: {}", ranks->place(), error.what()).c_str());
  }
  std::fflush(nullptr);
  dynamic_cast<MpiCommunicator&>(*ranks).end_all(1);
}

#else

std::shared_ptr<Communicator> ranks_of_this_run() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (size == nullptr) size = std::getenv("PMI_SIZE");
  if (size == nullptr || std::atoi(size) <= 1) return nullptr;
  throw RankError(fmt::format(
      "train: mpirun has started {} of these, but this build has no MPI, so that each would train "
      "by itself; install (Debian's names) libopenmpi-dev and openmpi-bin, then build again",
      size));
}

int threads_of_a_rank(Communicator&) { return cpu_default_threads(); }

void with_ranks(Communicator*, const std::function<void()>& train) { train(); }

#endif

}  // namespace limulus::tools
