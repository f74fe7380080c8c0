// 8.5 The border between two towers
// BEGIN SOLUTION 8.5 removed
#include <algorithm>

// END SOLUTION
#include "machines.h"

namespace course {

void exchange(Rank& me, std::int64_t reach, std::int64_t plane, In x, Out seen) {
  // BEGIN SOLUTION 8.5
  const auto shared = static_cast<std::size_t>(reach * plane);
  const bool first = me.index() == 0;
  std::copy(x.begin(), x.end(), seen.begin() + (first ? 0 : reach * plane));
  if (reach == 0) return;
  me.send(1 - me.index(), first ? x.last(shared) : x.first(shared));
  me.receive(1 - me.index(), first ? seen.last(shared) : seen.first(shared));
  // END SOLUTION
}

void exchange_backward(Rank& me, std::int64_t reach, std::int64_t plane, In dseen, Out dx) {
  // BEGIN SOLUTION 8.5
  const auto shared = static_cast<std::size_t>(reach * plane);
  const bool first = me.index() == 0;
  const In mine = first ? dseen.first(dx.size()) : dseen.last(dx.size());
  std::copy(mine.begin(), mine.end(), dx.begin());
  if (reach == 0) return;
  // What was received is sent, and what was sent is received: it was read twice, so two gradients
  // are added.
  me.send(1 - me.index(), first ? dseen.last(shared) : dseen.first(shared));
  std::vector<float> theirs(shared);
  me.receive(1 - me.index(), theirs);
  const Out border = first ? dx.last(shared) : dx.first(shared);
  for (std::size_t i = 0; i < shared; ++i) border[i] += theirs[i];
  // END SOLUTION
}

}  // namespace course
