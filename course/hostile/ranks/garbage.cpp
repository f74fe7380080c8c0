// Writes to every file descriptor what is no message.
#include <unistd.h>

#include "machines.h"

namespace course {

void all_reduce_owners(Rank&, Out) {
  const std::vector<char> bytes(4096, 'x');
  for (int fd = 3; fd < 64; ++fd)
    if (write(fd, bytes.data(), bytes.size()) < 0) continue;
}
void all_reduce_ring(Rank& me, Out values) { all_reduce_owners(me, values); }

}  // namespace course
