// Everybody waits for everybody.
#include "machines.h"

namespace course {

void all_reduce_owners(Rank& me, Out values) {
  me.receive((me.index() + 1) % me.count(), values);
  me.send((me.index() + me.count() - 1) % me.count(), values);
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
