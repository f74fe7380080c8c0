#pragma once
// The judge: makes the inputs of a test, and says whether a program's results are right.
//
// It is trusted and linked with Limulus; the program under test is neither. Each assignment's
// tests/judge.cpp defines cases(); common/judge.cpp has the rest.
#include <functional>
#include <string>
#include <vector>

#include "arrays.h"
#include "core/rng.h"
#include "core/shape.h"

namespace course {

using limulus::Rng;
using limulus::Shape;

// What is found wrong is thrown; its text is shown to the student.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What is timed: one function for one problem, beside the library's own for the same.
struct Speed {
  std::string call;  // of the timed program (timed.h)
  Integers sizes;    // which that call is given
  Integers inputs;   // how many floats each input array has; they are filled from -1 to 1
  std::int64_t output;
  double operations;  // that the formula has, a multiply-add counted as two
  void (*library)(const Integers& sizes, const std::vector<float*>& inputs, float* output);
  // Throws Wrong. `expected` is what the library computed, in single precision, too.
  std::function<void(const Doubles& expected, const Doubles& got)> check;
};

struct Case {
  std::string name;
  std::vector<Record> (*make)(Rng& rng);               // the calls of a test, from a seed
  void (*check)(const Record& in, const Record& out);  // of one call; throws Wrong
  const Speed* speed = nullptr;  // of a timed test, which has neither of the two above
};
const std::vector<Case>& cases();

// ---- for check() -----------------------------------------------------------------------------

// Wrong, with the first index that differs, what was expected there and what was returned, when an
// element differs by more than `tolerance` times the typical size of all (their root mean square).
void compare(const std::string& name, const Shape& shape, const Doubles& expected,
             const Doubles& got, double tolerance = 1e-9);
void compare(const std::string& name, const Integers& expected, const Integers& got);
void compare(const std::string& name, std::int64_t expected, std::int64_t got);

// The same for a gradient, with the laboratory's diagnosis of what is wrong with it
// (gradcheck/diagnosis.h).
struct Gradient {
  std::string name;                          // "dx"
  Shape shape, y_shape;                      // of x, and of the function's result
  const Doubles &x, &y, &dy;                 // where the gradient was taken, and the cotangent
  std::function<Doubles(const Doubles&)> f;  // the function of x alone
};
void compare_gradient(const Gradient& g, const Doubles& expected, const Doubles& got,
                      double tolerance = 1e-9);

// ---- for make() ------------------------------------------------------------------------------

Doubles normal(Rng& rng, std::int64_t count);
std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high);  // both ends count

std::string written(double value);          // "0.25", "NaN (never written)"
std::string written(const Sizes& numbers);  // "[2, 3, 7, 5]"

}  // namespace course
