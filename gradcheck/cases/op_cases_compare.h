#pragma once
// A row of the table on one device, element by element beside textbook loops in double.
//
// The bound: a result may differ from the exact one by 64 roundings of the result's typical size,
//     |value - exact| <= 64 eps max(|exact|, rms of the tensor),    eps = 2^-23 or 2^-52,
// that is 7.6e-6 in f32 and 1.4e-14 in f64, times the condition that a row states (8 where
// Winograd's method can be chosen). Sums of K terms round about sqrt(K)/2 times, so that the bound
// holds to several thousand terms; a wrong index or a missing term misses it by far.
#include <cstdint>
#include <string>
#include <vector>

#include "gradcheck/cases/op_cases.h"
#include "gradcheck/gradcheck.h"

namespace limulus {

// One result, or one gradient.
struct TensorDifference {
  std::string name;  // "y", "dx"
  Shape shape;
  std::int64_t wrong = 0;           // elements that differ by more than the bound, or are NaN
  double worst = 0;                 // the largest error, in units of the bound
  std::vector<std::int64_t> first;  // where the first wrong element is, in row-major order
  double got = 0, expected = 0, bound = 0;  // there
  std::vector<GradcheckMap> maps;           // of the wrong elements; empty where there is none
};

struct CaseDifference {
  std::vector<TensorDifference> tensors;
  bool same() const;
  double worst() const;
};

// `exact` is run_case(c, DType::f64, device("reference")).
CaseDifference compare_case(const OpCase& c, DType dtype, Backend& backend,
                            const CaseResult& exact);

}  // namespace limulus
