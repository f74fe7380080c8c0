// runner FD: reads records from its standard input; each names a function ("call") and holds its
// arguments. Writes one record of results for each to the file descriptor FD.
// runner FD rank: the same as one rank of several. Records come and go through FD, as do messages.
#include "runner.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <limits>
#include <new>
#include <sstream>

#include "course.h"

namespace course {
namespace {

constexpr double kGuardValue = 5.30924e-301;  // nobody computes this one

void write_all(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n <= 0) throw std::runtime_error("the results could not be written");
    done += static_cast<std::size_t>(n);
  }
}

Record answer(const Record& in) {
  Record out;
  try {
    calls().at(in.text("call"))(in, out);
  } catch (const NotWritten& e) {
    out = {};
    out.put("not written", e.task);
  } catch (const std::bad_alloc&) {
    out = {};
    out.put("error", std::string("out of memory (std::bad_alloc)"));
  } catch (const std::exception& e) {
    out = {};
    out.put("error", std::string("threw an exception: ") + e.what());
  } catch (...) {
    out = {};
    out.put("error", std::string("threw something that is not a std::exception"));
  }
  return out;
}

}  // namespace

Output::Output(std::int64_t size)
    : size_(static_cast<std::size_t>(size)),
      storage_(size_ + 2 * kGuard, std::numeric_limits<double>::quiet_NaN()) {
  for (std::size_t i = 0; i < kGuard; ++i) storage_[i] = storage_[kGuard + size_ + i] = kGuardValue;
}

Doubles Output::values() const {
  for (std::size_t i = 0; i < kGuard; ++i)
    if (storage_[i] != kGuardValue || storage_[kGuard + size_ + i] != kGuardValue)
      throw std::runtime_error(storage_[i] != kGuardValue
                                   ? "wrote in front of the beginning of an output"
                                   : "wrote beyond the end of an output");
  return {storage_.begin() + kGuard,
          storage_.begin() + static_cast<std::ptrdiff_t>(kGuard + size_)};
}

}  // namespace course

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "runner FD: reads calls from its standard input, writes results to FD\n"
                 "runner FD rank: calls, messages and results go through FD\n";
    return 2;
  }
  const int fd = std::atoi(argv[1]);
  if (argc == 3) {
    course::serve_rank(fd, course::answer);
    return 0;
  }
  course::Record in;
  while (in.read(std::cin)) {
    std::ostringstream out;
    course::answer(in).write(out);
    course::write_all(fd, out.str());  // at once: what was answered before a crash counts
  }
}
