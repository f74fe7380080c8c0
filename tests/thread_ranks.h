#pragma once
// Ranks that are threads of one process, for tests.
#include <doctest/doctest.h>

#include <barrier>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "distributed/communicator.h"

namespace limulus {

// Each rank shows the others where its bytes are, and takes what is for it while all wait.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size) : meet_(size), parts_(static_cast<std::size_t>(size)) {}

  // Runs f(communicator) in a thread for each rank; the texts of what they threw, in rank order.
  template <class F>
  std::vector<std::string> run(F f) {
    std::vector<std::string> errors(parts_.size());
    std::vector<std::jthread> threads;
    for (std::size_t r = 0; r < parts_.size(); ++r)
      threads.emplace_back([&, r] {
        try {
          f(std::make_shared<One>(*this, static_cast<int>(r)));
        } catch (const std::exception& error) {
          errors[r] = error.what();
        }
      });
    threads.clear();
    return errors;
  }

 private:
  struct Part {
    Bytes bytes;
    std::vector<std::size_t> sizes;
  };

  class One : public Communicator {
   public:
    One(ThreadRanks& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(all_.parts_.size()); }
    std::string place() const override { return "rank " + std::to_string(rank_); }

   private:
    void do_barrier() override { all_.meet_.arrive_and_wait(); }
    void do_broadcast(MutableBytes data, int root) override {
      show(data, {});
      const Bytes from = all_.parts_[static_cast<std::size_t>(root)].bytes;
      if (rank_ != root && !data.empty()) std::memcpy(data.data(), from.data(), data.size());
      do_barrier();
    }
    void do_all_gather(Bytes mine, MutableBytes all, const std::vector<std::size_t>&) override {
      const std::vector<std::byte> copy(mine.begin(), mine.end());
      show(copy, {});
      std::size_t at = 0;
      for (const Part& part : all_.parts_) take(part.bytes, all, at);
      do_barrier();
    }
    void do_all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes, MutableBytes from,
                       const std::vector<std::size_t>& from_sizes) override {
      show(to, to_sizes);
      std::size_t at = 0;
      for (std::size_t r = 0; r < all_.parts_.size(); ++r) {
        const Part& part = all_.parts_[r];
        std::size_t begin = 0;
        for (int before = 0; before < rank_; ++before)
          begin += part.sizes[static_cast<std::size_t>(before)];
        REQUIRE(from_sizes[r] == part.sizes[static_cast<std::size_t>(rank_)]);
        take(part.bytes.subspan(begin, from_sizes[r]), from, at);
      }
      do_barrier();
    }
    void show(Bytes bytes, const std::vector<std::size_t>& sizes) {
      all_.parts_[static_cast<std::size_t>(rank_)] = {bytes, sizes};
      do_barrier();
    }
    static void take(Bytes bytes, MutableBytes to, std::size_t& at) {
      if (!bytes.empty()) std::memcpy(to.data() + at, bytes.data(), bytes.size());
      at += bytes.size();
    }
    ThreadRanks& all_;
    int rank_;
  };

  std::barrier<> meet_;
  std::vector<Part> parts_;
};

}  // namespace limulus
