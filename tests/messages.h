#pragma once
// The message of the exception that f throws; doctest's own check compares whole messages only.
#include <doctest/doctest.h>

#include <string>

template <class Exception, class F>
std::string message(F f) {
  try {
    f();
  } catch (const Exception& e) {
    return e.what();
  }
  FAIL_CHECK("nothing was thrown");
  return "";
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
