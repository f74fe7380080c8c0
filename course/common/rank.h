#pragma once
// One of several machines that share no memory: what a rank knows of the others came in messages.
#include "course.h"

namespace course {

using In = std::span<const float>;
using Out = std::span<float>;  // results hold NaN before the call: write every value

class Rank {
 public:
  Rank(std::int64_t index, std::int64_t count) : index_(index), count_(count) {}

  std::int64_t index() const { return index_; }  // 0, 1, ..., count() - 1
  std::int64_t count() const { return count_; }

  // Puts a message on its way to another rank, and does not wait until it is received.
  void send(std::int64_t to, In values);
  // Waits for the next message of `from`, which must have as many values as there is room. Messages
  // of one rank arrive in the order in which it sent them.
  void receive(std::int64_t from, Out values);

 private:
  std::int64_t index_, count_;
};

}  // namespace course
