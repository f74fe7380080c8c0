#include "tools/ranks.h"

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>

#include "backends/cpu/cpu_backend.h"
#include "core/environment.h"
#include "tools/terminal.h"
#ifdef LIMULUS_MPI
#include "distributed/mpi_communicator.h"
#endif

namespace limulus::tools {
namespace {

// How many processes mpirun says it has started together with this one; 0: this one is by itself.
int launched_ranks() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const int ranks = environment::number(environment::of_others(variable), 1'000'000);
        ranks > 0)
      return ranks;
  return 0;
}

}  // namespace

#ifdef LIMULUS_MPI

std::shared_ptr<Communicator> ranks_of_this_run() {
  if (launched_ranks() == 0) return nullptr;
  static MpiCommunicator* ranks = nullptr;
  const auto end = [](const std::string& message) {
    say_error(message.c_str());
    std::fflush(nullptr);
    ranks->end_all(1);
  };
  const int seconds = environment::number(environment::value("LIMULUS_RANK_SECONDS"), 3600);
  auto made = std::make_shared<MpiCommunicator>(seconds > 0 ? seconds : 15, end);
  ranks = made.get();
  return made;
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
  int status = 1;
  try {
    train();
    return;
  } catch (const std::exception& error) {
    if (dynamic_cast<const CLI::ParseError*>(&error) != nullptr) status = 2;
    if (ranks->rank() > 0) sleep(kSeconds);
    say_error(ranks->rank() == 0 ? error.what()
                                 : fmt::format("{}: {}", ranks->place(), error.what()).c_str());
  }
  std::fflush(nullptr);
  dynamic_cast<MpiCommunicator&>(*ranks).end_all(status);
}

#else

std::shared_ptr<Communicator> ranks_of_this_run() {
  const int ranks = launched_ranks();
  if (ranks <= 1) return nullptr;
  throw RankError(fmt::format(
      "train: mpirun has started {} of these, but this build has no MPI, so that each would train "
      "by itself; install (Debian's names) libopenmpi-dev and openmpi-bin, then build again",
      ranks));
}

int threads_of_a_rank(Communicator&) { return cpu_default_threads(); }

void with_ranks(Communicator*, const std::function<void()>& train) { train(); }

#endif

}  // namespace limulus::tools
