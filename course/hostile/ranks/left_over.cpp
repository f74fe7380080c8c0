// One message more than is received.
#include "machines.h"

namespace course {

void all_reduce_owners(Rank& me, Out values) {
  if (me.count() > 1) me.send((me.index() + 1) % me.count(), values);
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
