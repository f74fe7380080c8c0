#pragma once
// A bank of mistakes: wrong gradients, each with the tensor whose gradient it spoils and the name
// that the gradient checker should give it (docs/gradcheck.md lists the names). Who checks the
// checker? These do: it must catch every one (tests/gradcheck_mutations_test.cpp).
//
// A mistake in a primitive is a backend like the reference, except for that primitive. A mistake in
// the derivative of a whole layer is an Op of its own.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "gradcheck/cases/op_cases.h"
#include "gradcheck/gradcheck.h"

namespace limulus {

// The wrong primitives of a backend, in double; empty: as in the reference.
struct WrongPrimitives {
  std::function<void(const Conv2dShape&, const double* dy, const double* w, double* dx)> conv_input;
  std::function<void(const Conv2dShape&, const double* x, const double* dy, double* dw)>
      conv_weight;
  std::function<void(const Conv2dShape&, const double* dy, double* db)> conv_bias;
  std::function<void(const GemmShape&, const double* a, const double* b, double* c)> gemm;
  std::function<void(std::int64_t len, std::int64_t inner, const double* x, double* y)> reduce;
  std::function<void(const Pool2dShape&, const double* dy, const std::int32_t* argmax, double* dx)>
      max_pool;
  std::function<void(const Pool2dShape&, const double* dy, double* dx)> avg_pool;
  std::function<void(const LrnShape&, const double*x, const double*dy, double*dx)> lrn_across,
      lrn_within;
  std::function<double(double x, double y)> derivative;  // of the unary operation
  std::function<void(std::int64_t cols, const double* y, const double* dy, double* dx)> softmax_row;
  std::function<double(double p, bool label)> cross_entropy;  // dx / dloss
};

struct Mutation {
  std::string name;     // "conv2d-w-transposed"
  std::string what;     // the mistake in a line
  std::string tensor;   // whose gradient is wrong, or "all"
  std::string mistake;  // the diagnosis that fits; empty where the checker knows none
  OpCase layer;
  WrongPrimitives primitives = {};
};

const std::vector<Mutation>& mutations();

// The report on the layer with the mistake in it. `curves` as in GradcheckOptions.
GradcheckReport check_mutation(const Mutation& m, bool curves = false);

struct MutationResult {
  bool caught = false;  // WRONG
  bool tensor = false;  // that tensor, and no other; or each, where all are wrong
  bool diagnosed = false;
  std::string mistake;  // what the checker called it
};
MutationResult judge(const Mutation& m, const GradcheckReport& report);

// The whole bank with its results, as a table in Markdown.
std::string mutation_table();

// The parts of the bank.
std::vector<Mutation> conv_mutations();
std::vector<Mutation> pool_mutations();
std::vector<Mutation> lrn_mutations();
std::vector<Mutation> row_mutations();
std::vector<Mutation> op_mutations();
std::vector<Mutation> place_mutations();

}  // namespace limulus
