#pragma once
// The program under test: it reads calls, calls the student's functions, and returns what they
// wrote. It knows neither what is right nor how many points it is worth.
#include <map>
#include <span>
#include <string>
#include <vector>

#include "arrays.h"

namespace course {

// Room for a function's result: filled with NaN, so that a value which is never written cannot look
// right by luck, and with guards on both sides, so that writing outside of it is noticed.
class Output {
 public:
  explicit Output(std::int64_t size);
  std::span<double> span() { return std::span<double>(storage_).subspan(kGuard, size_); }
  // The values. std::runtime_error when a guard was overwritten.
  Doubles values() const;

 private:
  static constexpr std::size_t kGuard = 16;
  std::size_t size_;
  Doubles storage_;
};

using Call = void (*)(const Record& in, Record& out);

// What can be called, by name; each assignment's tests/runner.cpp defines it.
const std::map<std::string, Call>& calls();

// As one rank of several (rank.h): calls come from the judge through this file descriptor, as do
// the messages of other ranks. Ends where the judge does.
void serve_rank(int fd, Record (*answer)(const Record& in));

}  // namespace course
