#pragma once
// `mpirun -n 4 limulus train ...`: this program is one of four ranks (distributed/communicator.h).
#include <functional>
#include <memory>

#include "distributed/communicator.h"

namespace limulus::tools {

// The other ranks, where mpirun has started several; null for a program that runs by itself.
// RankError, with what to install, where this build cannot talk to them.
std::shared_ptr<Communicator> ranks_of_this_run();

// How many threads each rank should compute with, where several share this machine's processors.
int threads_of_a_rank(Communicator& ranks);

// Runs `train`. An exception ends all ranks, and is printed once: by rank 0 if it has it, too.
void with_ranks(Communicator* ranks, const std::function<void()>& train);

}  // namespace limulus::tools
