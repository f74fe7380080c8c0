#pragma once
// A graph as numbers: what the judge makes, the runner builds with the student's functions, and the
// judge builds again with the library's.
//
// Values are numbered: the leaves first, then one for each operation. An operation is three
// integers: what it does, and the numbers of its inputs (the second is 0 where there is none).
#include <cstdint>

namespace course::programs {

enum Scalar : std::int64_t { s_add, s_sub, s_mul, s_div, s_exp, s_log, s_tanh, s_relu };
enum Tensors : std::int64_t { t_add, t_mul, t_matmul, t_relu, t_sum };
// Of a test of saved values: save node i; change node i in place; read saved value i.
enum Saving : std::int64_t { v_save, v_change, v_read };

inline bool has_two_inputs(Scalar op) { return op <= s_div; }

}  // namespace course::programs
