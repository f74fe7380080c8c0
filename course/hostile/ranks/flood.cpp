// Messages without an end, which nobody receives.
#include "machines.h"

namespace course {

void all_reduce_owners(Rank& me, Out) {
  const std::vector<float> much(1 << 20);
  for (;;) me.send((me.index() + 1) % me.count(), much);
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
