#pragma once
// Ranks that MPI started: `mpirun -n 4 limulus train ...` runs the program four times, and tells
// each of them its number. The library does not need MPI; the program has this file where MPI is
// installed (distributed/sources.cmake).
#include <functional>
#include <memory>
#include <string>

#include "distributed/communicator.h"

namespace limulus {

// A rank that dies ends all of them: mpirun sees to that. One that hangs, or whose machine cannot
// be reached any more, would make the others wait for ever. So a thread of each rank says every
// second that it lives, to rank 0, and rank 0 to all; who is silent too long is lost. The same
// thread looks whether the others of its process still do something.
class MpiCommunicator : public Communicator {
 public:
  // Begins MPI, once in a process; RankError where that fails. `on_lost` is called, on that thread,
  // with a message that names a rank which has been silent for `silence` seconds, or this one if it
  // has done nothing for twice as long (rank 0, which writes to a disk: twenty times).
  MpiCommunicator(int silence, std::function<void(const std::string&)> on_lost);
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

  class Watch;
  int rank_ = 0, size_ = 1;
  std::string machine_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace limulus
