#pragma once
#include <cstdlib>
#include <string>
#include <utility>

namespace limulus {

// An environment variable for the length of a scope, in a test that has no other threads then.
struct Environment {
  std::string name, before;
  bool was_set;
  Environment(std::string variable, const std::string& value) : name(std::move(variable)) {
    const char* old = std::getenv(name.c_str());
    was_set = old != nullptr;
    if (was_set) before = old;
    setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() { was_set ? setenv(name.c_str(), before.c_str(), 1) : unsetenv(name.c_str()); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
};

}  // namespace limulus
