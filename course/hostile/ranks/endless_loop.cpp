// Rank 1 computes for ever, and the others wait for it.
#include "machines.h"

namespace course {

void all_reduce_owners(Rank& me, Out values) {
  volatile bool forever = true;
  while (me.index() == 1 && forever) continue;
  if (me.count() > 1) me.receive(1, values);
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
