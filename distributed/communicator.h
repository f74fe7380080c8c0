#pragma once
// Processes that train one network together, and what they say to each other.
//
// A *rank* is one of these processes; it is also that process's number, from 0. Usually one rank
// runs on each machine. Ranks share no memory: all that one knows of the others has been sent.
// Every function here is *collective*: all ranks call it, in the same order, and it returns when
// this rank's part is done. A rank that leaves one out makes the others wait.
//
// The bytes are carried by MPI (mpi_communicator.h) or, in tests, between threads. Alone is the one
// rank of an ordinary run.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace limulus {

// Ranks that do not fit together, or one that does not answer. The message names the rank.
struct RankError : Error {
  using Error::Error;
};

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string place() const = 0;  // "rank 2 of 4 on node7", for messages

  // `data` of rank `root` becomes that of all.
  void broadcast(MutableBytes data, int root);
  // `all` is what the ranks give as `mine`, one after the other: sizes[r] bytes of rank r. It may
  // contain `mine` at its place.
  void all_gather(Bytes mine, MutableBytes all, const std::vector<std::size_t>& sizes);
  // Rank r gets the r-th part of `to`, of to_sizes[r] bytes; `from` is what the ranks have for this
  // one, one after the other.
  void all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes, MutableBytes from,
                  const std::vector<std::size_t>& from_sizes);
  void barrier() { do_barrier(); }  // returns when all ranks have come here

  // The bytes that this rank had for other ranks so far: n of them for each of three ranks are 3 n,
  // on whatever way MPI carries them.
  std::uint64_t bytes_sent() const { return sent_; }

 private:
  virtual void do_broadcast(MutableBytes data, int root) = 0;
  virtual void do_all_gather(Bytes mine, MutableBytes all,
                             const std::vector<std::size_t>& sizes) = 0;
  virtual void do_all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes, MutableBytes from,
                             const std::vector<std::size_t>& from_sizes) = 0;
  virtual void do_barrier() = 0;

  std::uint64_t sent_ = 0;
};

// One rank that has nobody to talk to.
class Alone : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string place() const override { return "rank 0 of 1"; }

 private:
  void do_broadcast(MutableBytes, int) override {}
  void do_all_gather(Bytes mine, MutableBytes all, const std::vector<std::size_t>&) override {
    if (!mine.empty()) std::memmove(all.data(), mine.data(), mine.size());
  }
  void do_all_to_all(Bytes to, const std::vector<std::size_t>&, MutableBytes from,
                     const std::vector<std::size_t>&) override {
    if (!to.empty()) std::memmove(from.data(), to.data(), to.size());
  }
  void do_barrier() override {}
};

// What all ranks give as `mine`, in rank order: numbers, or rows of as many of them.
template <class T>
std::vector<T> gather(Communicator& ranks, const std::vector<T>& mine) {
  const std::size_t bytes = mine.size() * sizeof(T), n = static_cast<std::size_t>(ranks.size());
  std::vector<T> all(mine.size() * n);
  ranks.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)),
                   std::vector<std::size_t>(n, bytes));
  return all;
}

// The same of rows whose length differs: counts[r] numbers of rank r.
template <class T>
std::vector<T> gather(Communicator& ranks, const std::vector<T>& mine,
                      const std::vector<std::int64_t>& counts) {
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  for (const std::int64_t n : counts) {
    total += static_cast<std::size_t>(n);
    sizes.push_back(static_cast<std::size_t>(n) * sizeof(T));
  }
  std::vector<T> all(total);
  ranks.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)), sizes);
  return all;
}

std::vector<std::string> gather_texts(Communicator& ranks, const std::string& mine);

// A text of rank 0 for all of them.
std::string broadcast_text(Communicator& ranks, const std::string& text);

// Something that all ranks must have in common, and what this rank has.
struct Common {
  std::string what;   // "the data set's training images"
  std::string value;  // "fingerprint 93f1..."
};

// RankError, on all ranks, where one of them has another value than rank 0: it names the rank, the
// term and both values. The ranks have to give as many terms, in the same order.
void agree(Communicator& ranks, const std::vector<Common>& terms);

}  // namespace limulus
