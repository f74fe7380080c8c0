// timed CALL IN OUT MEMORY SIZES COUNTS: three file descriptors, and numbers with commas between.
// For each 'g' that it reads from IN it makes the call once and writes a line to OUT: "done", "not
// written TASK", or "error" and the exception's text.
#include "timed.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "course.h"

namespace course {
namespace {

Integers numbers(const std::string& text) {
  Integers found;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');) found.push_back(std::stoll(word));
  return found;
}

std::string answer(TimedCall call, const Integers& sizes, const SharedArrays& arrays) {
  try {
    call(sizes, arrays);
    return "done";
  } catch (const NotWritten& e) {
    return "not written " + e.task;
  } catch (const std::exception& e) {
    return std::string("error it threw an exception: ") + e.what();
  } catch (...) {
    return "error it threw something that is not a std::exception";
  }
}

}  // namespace

}  // namespace course

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "timed CALL IN OUT MEMORY SIZES COUNTS\n";
    return 2;
  }
  const int in = std::atoi(argv[2]), out = std::atoi(argv[3]);
  const course::TimedCall call = course::timed_calls().at(argv[1]);
  const course::Integers sizes = course::numbers(argv[5]);
  const course::SharedArrays arrays(std::atoi(argv[4]), course::numbers(argv[6]));
  for (char letter = 0; read(in, &letter, 1) == 1;) {
    const std::string line = course::answer(call, sizes, arrays) + "\n";
    if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 3;
  }
}
