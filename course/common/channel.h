#pragma once
// What goes through the channel between a rank (rank.cpp) and the judge (judge_route.cpp).
#include <cstdint>

namespace course {

//   to a rank     'C' a call: `count` bytes of a record follow
//                 'M' a message of `peer`, which it has asked for: `count` floats follow
//   from a rank   'S' a message for `peer`: `count` floats follow
//                 'R' waits for a message of `peer`
//                 'D' the call is done: `count` bytes of a record follow
struct Parcel {
  std::int64_t kind = 0;
  std::int64_t peer = 0;
  std::uint64_t count = 0;
};

}  // namespace course
