#pragma once
// The one table of cases. Each row is a function with inputs of definite shapes; the gradient
// check, the comparison of backends, the test for determinism and the benchmarks run the same rows.
// README.md in this folder says how to add one.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace limulus {

enum class Fill {
  normal,    // mean 0, deviation 1
  positive,  // uniform in [0.3, 2]
  nonzero,   // like positive, with a random sign
  distinct,  // all values different by at least 1/numel: no two can tie for a maximum
  coarse,    // normal, in steps of 1/16: some are 0, and some tie
  labels     // i64, uniform in [0, classes)
};

struct CaseInput {
  std::string name;
  Shape shape;
  Fill fill = Fill::normal;
  std::int64_t classes = 0;
};

struct OpCase {
  std::string op;    // "conv2d"
  std::string name;  // "conv2d x[2, 3, 7, 5] w[4, 3, 3, 3] stride 2": unique
  std::vector<CaseInput> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> f;
  // Rows that reach the blocked paths of kernels: too much work for differences, entry by entry.
  bool large = false;
  // How much its formula magnifies rounding: softmax's gradient y (dy - sum dy y) subtracts nearly
  // equal numbers where one y is close to 1.
  double condition = 1;
};

// For a convolution: 8 if Winograd's method can be used (backends/convolution.h). Its transforms
// add large terms that cancel: up to 320 roundings of a result's typical size were measured on
// AlexNet's layers, and 32 for the plain sum (benchmarks/conv_error).
double conv_condition(const Conv2dShape& s);

const std::vector<OpCase>& op_cases();

// The inputs of a row: the same values for every backend, and for both types (f64 values are the
// f32 values, widened).
std::vector<Tensor> make_inputs(const OpCase& c, DType dtype, Backend& backend);

struct CaseResult {
  std::vector<std::string> names;  // "y", then "dx" for each floating-point input x
  std::vector<Tensor> values;
};

// Forward and backward with a random cotangent, in memory poisoned with NaN.
CaseResult run_case(const OpCase& c, DType dtype, Backend& backend);

// The parts of the table, one file each.
std::vector<OpCase> algebra_cases();
std::vector<OpCase> layer_cases();
std::vector<OpCase> fused_cases();
std::vector<OpCase> large_cases();

}  // namespace limulus
