#pragma once
// A clock, and the middle of what it showed.
#include <algorithm>
#include <chrono>
#include <vector>

namespace limulus {

// Seconds since some moment in the past; only differences mean something.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace limulus
