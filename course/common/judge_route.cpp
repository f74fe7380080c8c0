// Between ranks. Each is a process of its own that nobody trusts, and knows the others only by what
// comes through its socket. So what is counted here is all that went from one to another.
#include "judge_route.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <map>
#include <sstream>

#include "channel.h"

namespace course {
namespace {

constexpr std::uint64_t kLongest = std::uint64_t{1} << 20;    // values of a message
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 26;  // of results, and of all that waits

struct Ended {};  // the process at the other end of a socket has

// Why a call came to nothing; `kind` as the record of results has it.
struct Trouble {
  std::string kind, text;
};

std::string rank_name(std::size_t r) { return "rank " + std::to_string(r); }

struct Member {
  int socket = -1;
  bool returned = false;
  std::int64_t waits_for = -1;  // the rank whose message it waits for
  std::map<std::int64_t, std::deque<std::vector<float>>> inbox;  // by the rank that sent it
};

void write_all(int fd, const void* bytes, std::size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t n = write(fd, at, count);
    if (n <= 0) throw Ended();
    at += n, count -= static_cast<std::size_t>(n);
  }
}
void read_all(int fd, void* bytes, std::size_t count) {
  char* at = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t n = read(fd, at, count);
    if (n <= 0) throw Ended();
    at += n, count -= static_cast<std::size_t>(n);
  }
}

class Round {  // one call
 public:
  Round(const Record& call, const std::vector<int>& sockets)
      : ranks_(static_cast<std::size_t>(call.integer("ranks"))),
        members_(ranks_),
        values_(ranks_ * ranks_),
        messages_(ranks_ * ranks_) {
    if (ranks_ > sockets.size())
      throw std::runtime_error("judge: a call wants " + std::to_string(ranks_) + " ranks");
    for (std::size_t r = 0; r < ranks_; ++r) {
      members_[r].socket = sockets[r];
      begin(r, call);
    }
  }

  Record results() {
    Record out;
    try {
      while (!all_returned()) {
        if (const std::string why = stuck(); !why.empty()) throw Trouble{"stuck", why};
        listen(out);
      }
      for (std::size_t r = 0; r < ranks_; ++r)
        for (const auto& [from, messages] : members_[r].inbox)
          if (!messages.empty())
            throw Trouble{"stuck", "a message of rank " + std::to_string(from) + " to " +
                                       rank_name(r) + ", of " +
                                       std::to_string(messages.front().size()) +
                                       " values, was never received"};
    } catch (const Trouble& trouble) {
      out = {};
      out.put(trouble.kind, trouble.text);
      return out;
    }
    out.put("values", values_);
    out.put("messages", messages_);
    return out;
  }

 private:
  void begin(std::size_t r, const Record& call) {
    Record mine;
    for (const std::string& name : call.names()) {
      const std::size_t at = name.find('@');
      if (at == std::string::npos)
        mine.copy(name, call, name);
      else if (name.substr(at + 1) == std::to_string(r))
        mine.copy(name.substr(0, at), call, name);
    }
    mine.put("rank", static_cast<std::int64_t>(r));
    std::ostringstream text;
    mine.write(text);
    const Parcel parcel = {'C', 0, text.str().size()};
    tell(r, parcel, text.str().data(), text.str().size());
  }
  // A rank that has ended is noticed where it is listened to.
  void tell(std::size_t r, const Parcel& parcel, const void* bytes, std::size_t count) {
    try {
      write_all(members_[r].socket, &parcel, sizeof parcel);
      write_all(members_[r].socket, bytes, count);
    } catch (const Ended&) {
    }
  }

  bool all_returned() const {
    return std::all_of(members_.begin(), members_.end(),
                       [](const Member& m) { return m.returned; });
  }

  // Who waits for whom, where nobody computes any more; or "".
  std::string stuck() const {
    std::string why;
    for (std::size_t r = 0; r < ranks_; ++r) {
      const Member& m = members_[r];
      if (m.returned) continue;
      if (m.waits_for < 0) return "";
      const bool over = members_[static_cast<std::size_t>(m.waits_for)].returned;
      why += (why.empty() ? "" : "; ") + rank_name(r) + " waits for a message of rank " +
             std::to_string(m.waits_for) + (over ? ", which has returned" : "");
    }
    return why.empty() ? "" : "nobody can go on: " + why;
  }

  // Waits until one or more ranks have something to say, and serves these.
  void listen(Record& out) {
    std::vector<pollfd> polled;
    for (const Member& m : members_) polled.push_back({m.socket, POLLIN, 0});
    if (poll(polled.data(), polled.size(), -1) < 0) throw std::runtime_error("judge: poll failed");
    for (std::size_t r = 0; r < ranks_; ++r)
      if (polled[r].revents != 0) listen_to(r, out);
  }
  void listen_to(std::size_t r, Record& out) {
    try {
      serve(r, out);
    } catch (const Ended&) {
      throw Trouble{"ended", rank_name(r) + ": "};
    }
  }

  void serve(std::size_t r, Record& out) {
    Member& m = members_[r];
    Parcel parcel;
    read_all(m.socket, &parcel, sizeof parcel);
    const bool partner = parcel.peer >= 0 && parcel.peer < static_cast<std::int64_t>(ranks_) &&
                         parcel.peer != static_cast<std::int64_t>(r);
    if (m.returned || m.waits_for >= 0) refuse(r);
    if (parcel.kind == 'S' && partner && parcel.count <= kLongest)
      pass(r, static_cast<std::size_t>(parcel.peer), parcel.count);
    else if (parcel.kind == 'R' && partner)
      m.waits_for = parcel.peer, deliver(r);
    else if (parcel.kind == 'D' && parcel.count <= kMostBytes)
      finish(r, parcel.count, out);
    else if (parcel.kind == 'S' && partner)
      throw Trouble{"error", rank_name(r) + " sent a message of " + std::to_string(parcel.count) +
                                 " values; " + std::to_string(kLongest) + " is the most"};
    else
      refuse(r);
  }
  [[noreturn]] static void refuse(std::size_t r) {
    throw Trouble{"error", rank_name(r) + " wrote to its channel what is not a message"};
  }

  void pass(std::size_t from, std::size_t to, std::uint64_t count) {
    std::vector<float> message(count);
    read_all(members_[from].socket, message.data(), count * sizeof(float));
    waiting_ += (count + 1) * sizeof(float);
    if (waiting_ > kMostBytes)
      throw Trouble{"error", "too many messages wait to be received, the last of them of " +
                                 rank_name(from) + " to " + rank_name(to)};
    values_[from * ranks_ + to] += static_cast<std::int64_t>(count);
    ++messages_[from * ranks_ + to];
    members_[to].inbox[static_cast<std::int64_t>(from)].push_back(std::move(message));
    deliver(to);
  }

  // To a rank that waits, what it waits for, if that is here.
  void deliver(std::size_t r) {
    Member& m = members_[r];
    if (m.waits_for < 0 || m.inbox[m.waits_for].empty()) return;
    auto& messages = m.inbox[m.waits_for];
    const std::vector<float> message = std::move(messages.front());
    messages.pop_front();
    waiting_ -= (message.size() + 1) * sizeof(float);
    const Parcel parcel = {'M', m.waits_for, message.size()};
    m.waits_for = -1;
    tell(r, parcel, message.data(), message.size() * sizeof(float));
  }

  void finish(std::size_t r, std::uint64_t count, Record& out) {
    std::string bytes(count, '\0');
    read_all(members_[r].socket, bytes.data(), count);
    std::istringstream text(bytes);
    Record mine;
    try {
      if (!mine.read(text)) refuse(r);
    } catch (const std::runtime_error&) {
      refuse(r);
    }
    if (mine.has("not written")) throw Trouble{"not written", mine.text("not written")};
    if (mine.has("error")) throw Trouble{"error", rank_name(r) + " " + mine.text("error")};
    for (const std::string& name : mine.names())
      out.copy(name + "@" + std::to_string(r), mine, name);
    members_[r].returned = true;
  }

  std::size_t ranks_;
  std::vector<Member> members_;
  Integers values_, messages_;
  std::uint64_t waiting_ = 0;
};

}  // namespace

void route(const std::string& inputs, const std::string& results,
           const std::vector<int>& channels) {
  std::ifstream in(inputs, std::ios::binary);
  std::ofstream out(results, std::ios::binary);
  if (!in || !out) throw std::runtime_error("judge: the files cannot be opened");
  signal(SIGPIPE, SIG_IGN);  // a rank that has ended is told of by what write() returns
  for (Record call; call.read(in);) {
    const Record answer = Round(call, channels).results();
    answer.write(out);
    if (!answer.has("values")) break;  // some ranks wait for ever: nothing can be asked of them
  }
}

}  // namespace course
