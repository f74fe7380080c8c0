#pragma once
// Ranks that MPI started: `mpirun -n 4 limulus train ...` runs the program four times, and tells
// each of them its number. The library does not need MPI; the program has this file where MPI is
// installed (distributed/sources.cmake).
#include <memory>

#include "distributed/communicator.h"

namespace limulus {

// The number of processes that mpirun says it has started together with this one, from the
// environment; 0 where this program was started by itself.
int launched_ranks();

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator();            // begins MPI; once in a process. RankError where that fails
  ~MpiCommunicator() override;  // ends it, when all ranks have come so far

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string place() const override;

  // How many ranks, this one included, run on this machine and may use the same processors.
  int sharing_processors();

  // Ends all ranks at once: this one cannot go on, and the others would wait for it.
  [[noreturn]] void end_all(int status);

 private:
  void do_broadcast(MutableBytes data, int root) override;
  void do_all_gather(Bytes mine, MutableBytes all, const std::vector<std::size_t>& sizes) override;
  void do_all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes, MutableBytes from,
                     const std::vector<std::size_t>& from_sizes) override;
  void do_barrier() override;

  int rank_ = 0, size_ = 1;
  std::string machine_;
};

}  // namespace limulus
