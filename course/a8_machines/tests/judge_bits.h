#pragma once
// What is the same to the last bit, and how much was sent for it.
#include "judge.h"

namespace course {

using Floats = std::vector<float>;

// Sums whose bits depend on the order: numbers of very different sizes.
Doubles uneven(Rng& rng, std::int64_t count);
Floats floats(const Doubles& values);
Doubles doubles(const Floats& values);
std::string of_rank(const std::string& name, std::int64_t rank);  // "y@1", as routes name arrays

struct Other {  // what a usual mistake gives
  std::string name;
  Floats values;
};
// Wrong where a value is not equal (0 and -0 are), with both in full; and, where the values are
// those of one of the others, with its name.
void compare_bits(const std::string& name, const Shape& shape, const Floats& expected,
                  const Doubles& got, const std::vector<Other>& others = {});

// What went from rank r to rank s is at r*ranks + s.
struct Traffic {
  std::int64_t ranks;
  Integers values, messages;
  explicit Traffic(std::int64_t count);
  void add(std::int64_t from, std::int64_t to, std::int64_t length);  // one message
};
void compare_traffic(const Traffic& expected, const Record& out);

Record named(const char* call, const std::string& what);

// One device's order.
Floats tree(const std::vector<Floats>& rows);
Floats in_order(const std::vector<Floats>& rows);

// Parts of all cases (judge.cpp).
std::vector<Case> reduce_cases();
std::vector<Case> tower_cases();
std::vector<Case> step_cases();

}  // namespace course
