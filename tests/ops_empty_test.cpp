// Sizes may be zero. Every primitive, with each of its sizes zero in turn, gives on every backend
// what its contract says of nothing: sums of 0, maxima of -infinity, a bias alone, or no output at
// all. Convolution, pooling and normalization are in ops_empty_windows_test.cpp.
#include "empty_sizes.h"

using namespace limulus;

namespace {

void add_matrices(std::vector<Family>& all) {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int beta : {0, 1})
        for (const Sizes& sizes : {Sizes{3, 4, 5}, Sizes{2, 40, 33}, Sizes{200, 3, 40}})
          all.push_back(
              {"gemm", sizes, [=](const Sizes& z) {
                 GemmShape s{z[0], z[1], z[2], ta, tb};
                 s.lda = ta ? s.m : s.k;
                 s.ldb = tb ? s.k : s.n;
                 s.ldc = s.n;
                 s.beta = beta;
                 Array c = beta == 0 ? out(s.m * s.n) : in_out(some_numbers(s.m * s.n, 3));
                 return PrimitiveCall{
                     "",
                     {in(some_numbers(s.m * s.k)), in(some_numbers(s.k * s.n, 2)), c},
                     [s](Backend& b, DType t, const auto& a) { b.gemm(t, s, a[0], a[1], a[2]); }};
               }});
  for (const Sizes& sizes : {Sizes{2, 7, 9}, Sizes{20, 7, 9}, Sizes{300, 7, 9}})
    all.push_back({"linear_forward", sizes, [](const Sizes& z) {
                     const LinearShape s{z[0], z[1], z[2], true};
                     return PrimitiveCall{
                         "",
                         {in(some_numbers(s.n * s.in)), in(some_numbers(s.out * s.in, 2)),
                          in(some_numbers(s.out, 3)), out(s.n * s.out)},
                         [s](Backend& b, DType t, const auto& a) {
                           b.linear_forward(t, s, a[0], a[1], a[2], a[3]);
                         }};
                   }});
}

void add_elementwise(std::vector<Family>& all) {
  for (const UnaryOp op :
       {UnaryOp::neg, UnaryOp::exp, UnaryOp::square, UnaryOp::relu, UnaryOp::tanh}) {
    all.push_back({name_of(op), {9}, [=](const Sizes& z) {
                     return PrimitiveCall{"",
                                          {in(some_numbers(z[0])), out(z[0])},
                                          [=](Backend& b, DType t, const auto& a) {
                                            b.unary(t, op, z[0], a[0], a[1]);
                                          }};
                   }});
    all.push_back({"unary_backward", {9}, [=](const Sizes& z) {
                     return PrimitiveCall{
                         "",
                         {in(some_numbers(z[0])), in(some_numbers(z[0], 2)), out(z[0])},
                         [=](Backend& b, DType t, const auto& a) {
                           b.unary_backward(t, op, z[0], a[0], a[0], a[1], a[2]);
                         }};
                   }});
  }
  const auto shape = [](const Sizes& z) {  // [a, b, c] op [1, b, 1]
    return BroadcastShape{3, {z[0], z[1], z[2]}, {z[1] * z[2], z[2], 1}, {0, 1, 0}};
  };
  for (const BinaryOp op : {BinaryOp::add, BinaryOp::div, BinaryOp::max})
    all.push_back({name_of(op), {2, 3, 5}, [=](const Sizes& z) {
                     const BroadcastShape s = shape(z);
                     const std::int64_t n = z[0] * z[1] * z[2];
                     return PrimitiveCall{"",
                                          {in(some_numbers(n)), in(some_numbers(z[1], 2)), out(n)},
                                          [=](Backend& b, DType t, const auto& a) {
                                            b.binary(t, op, s, a[0], a[1], a[2]);
                                          }};
                   }});
  all.push_back(
      {"select_backward", {2, 3, 5}, [=](const Sizes& z) {
         const BroadcastShape s = shape(z);
         const std::int64_t n = z[0] * z[1] * z[2];
         return PrimitiveCall{
             "",
             {in(some_numbers(n)), in(some_numbers(z[1], 2)), in(some_numbers(n, 3)), out(n)},
             [=](Backend& b, DType t, const auto& a) {
               b.select_backward(t, BinaryOp::max, s, true, a[0], a[1], a[2], a[3]);
             }};
       }});
  all.push_back({"affine, accumulate, fill, dropout, sgd_step", {9}, [](const Sizes& z) {
                   const std::int64_t n = z[0];
                   return PrimitiveCall{
                       "",
                       {in(some_numbers(n)), out(n), in_out(some_numbers(n, 2)), out(n), out(n),
                        in_out(some_numbers(n, 3)), in_out(some_numbers(n, 4))},
                       [n](Backend& b, DType t, const auto& a) {
                         b.affine(t, n, 2, 1, a[0], a[1]);
                         b.accumulate(t, n, a[0], a[2]);
                         b.fill(t, n, 3, a[3]);
                         b.dropout(t, n, 0.5, {7, 7}, a[0], a[4]);
                         SgdShape s;
                         s.n = n;
                         b.sgd_step(t, s, a[5], a[0], a[6]);
                       }};
                 }});
  all.push_back({"copy_block", {3, 4}, [](const Sizes& z) {
                   const BlockShape s{z[0], z[1], 1, 6, 2, 5};
                   return PrimitiveCall{
                       "",
                       {in(some_numbers(40)), in_out(some_numbers(40, 2))},
                       [s](Backend& b, DType t, const auto& a) { b.copy_block(t, s, a[0], a[1]); }};
                 }});
}

void add_rows(std::vector<Family>& all) {
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max})
    for (const Sizes& sizes : {Sizes{3, 7, 5}, Sizes{3, 7, 1}})
      all.push_back({name_of(op), sizes, [=](const Sizes& z) {
                       return PrimitiveCall{
                           "",
                           {in(some_numbers(z[0] * z[1] * z[2])), out(z[0] * z[2])},
                           [=](Backend& b, DType t, const auto& a) {
                             b.reduce(t, op, z[0], z[1], z[2], a[0], a[1]);
                           }};
                     }});
  all.push_back({"softmax", {3, 7}, [](const Sizes& z) {
                   const std::int64_t n = z[0] * z[1];
                   return PrimitiveCall{
                       "",
                       {in(some_numbers(n)), in(some_numbers(n, 2)), out(n), out(n)},
                       [=](Backend& b, DType t, const auto& a) {
                         b.softmax_forward(t, z[0], z[1], a[0], a[2]);
                         b.softmax_backward(t, z[0], z[1], a[0], a[1], a[3]);
                       }};
                 }});
  all.push_back({"cross_entropy", {3, 7}, [](const Sizes& z) {
                   const std::int64_t rows = z[1] == 0 ? 0 : z[0], n = rows * z[1];
                   return PrimitiveCall{
                       "",
                       {in(some_numbers(n)),
                        of_type(DType::i64, in(std::vector<double>(count_of(rows), 1))), out(n),
                        out(rows), out(n)},
                       [=](Backend& b, DType t, const auto& a) {
                         b.cross_entropy_forward(t, rows, z[1], a[0], a[1], a[2], a[3]);
                         b.cross_entropy_backward(t, rows, z[1], a[2], a[1], a[3], a[4]);
                       }};
                 }});
}

}  // namespace

TEST_CASE("each size of the primitives on matrices, elements and rows may be zero") {
  std::vector<Family> all;
  add_matrices(all);
  add_elementwise(all);
  add_rows(all);
  check_families(all);
}
