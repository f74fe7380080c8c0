#pragma once
// What the cases of assignment 1 share: a window as the numbers N, F, S, P, D.
#include "core/window.h"
#include "judge.h"

namespace course {

limulus::Window1d window_of(const Integers& w, std::int64_t in, bool ceil);
std::string described(const Integers& w);
Record window_call(const std::string& function, const Integers& w);
// The answer, when the call is one that has an answer.
const Integers& result(const Record& out);

struct Limits {
  std::int64_t stride = 1, pad = 0, dilation = 1;
};

std::vector<Case> network_cases();  // 1.4 to 1.6

}  // namespace course
