// Rank 1 ends, and the others wait for it.
#include <cstdlib>

#include "machines.h"

namespace course {

void all_reduce_owners(Rank& me, Out values) {
  if (me.index() == 1) std::_Exit(0);
  if (me.count() > 1) me.receive(1, values);
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
