#pragma once
// The cases of assignment 2 on tensors: broadcasting, saved values, operations (2.4 to 2.6).
#include "judge.h"

namespace course {
std::vector<Case> tensor_cases();
}
