// A rank's end of its channel: a socket, whose other end the judge holds. It passes messages on and
// counts them (judge_route.cpp).
#include "rank.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "channel.h"
#include "runner.h"

namespace course {
namespace {

int channel = -1;

void write_all(const void* bytes, std::size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t n = write(channel, at, count);
    if (n <= 0) std::_Exit(0);  // the judge has ended: there is nobody left to tell
    at += n, count -= static_cast<std::size_t>(n);
  }
}
// False at the end of what comes.
bool read_all(void* bytes, std::size_t count) {
  char* at = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t n = read(channel, at, count);
    if (n <= 0) return false;
    at += n, count -= static_cast<std::size_t>(n);
  }
  return true;
}

void tell(char kind, std::int64_t peer, std::uint64_t count) {
  const Parcel parcel = {kind, peer, count};
  write_all(&parcel, sizeof parcel);
}
Parcel heard() {
  Parcel parcel;
  if (!read_all(&parcel, sizeof parcel)) std::_Exit(0);
  return parcel;
}

void check_peer(const Rank& me, const char* what, std::int64_t peer) {
  if (peer >= 0 && peer < me.count() && peer != me.index()) return;
  throw std::invalid_argument(std::string(what) + "(" + std::to_string(peer) + "): rank " +
                              std::to_string(me.index()) + " of " + std::to_string(me.count()) +
                              " has no such partner");
}

}  // namespace

void Rank::send(std::int64_t to, In values) {
  check_peer(*this, "send", to);
  tell('S', to, values.size());
  write_all(values.data(), values.size_bytes());
}

void Rank::receive(std::int64_t from, Out values) {
  check_peer(*this, "receive", from);
  tell('R', from, values.size());
  std::vector<float> message(heard().count);
  if (!read_all(message.data(), message.size() * sizeof(float))) std::_Exit(0);
  if (message.size() != values.size())
    throw std::invalid_argument("receive(" + std::to_string(from) + "): the message has " +
                                std::to_string(message.size()) + " values, and there is room for " +
                                std::to_string(values.size()));
  std::copy(message.begin(), message.end(), values.begin());
}

void serve_rank(int fd, Record (*answer)(const Record& in)) {
  channel = fd;
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    std::string bytes(heard().count, '\0');
    if (!read_all(bytes.data(), bytes.size())) return;
    std::istringstream text(bytes);
    Record in;
    in.read(text);
    std::ostringstream out;
    answer(in).write(out);
    tell('D', 0, out.str().size());
    write_all(out.str().data(), out.str().size());
  }
}

}  // namespace course
