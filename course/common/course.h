#pragma once
// What every assignment's sources have at hand besides the standard library.
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace course {

// Thrown where a task has not been solved yet. The grader reports it for this task's tests alone.
struct NotWritten : std::logic_error {
  explicit NotWritten(const std::string& id)
      : std::logic_error("task " + id + " is yet to be written"), task(id) {}
  std::string task;
};

}  // namespace course
