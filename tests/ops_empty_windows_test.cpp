// Sizes may be zero. Every primitive, with each of its sizes zero in turn, gives on every backend
// what its contract says of nothing: sums of 0, maxima of -infinity, a bias alone, or no output at
// all. Here convolution, pooling and normalization; the others in ops_empty_test.cpp.
#include "empty_sizes.h"

using namespace limulus;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

// sizes: n, channels of a group, filters of a group, h, w, output rows and columns (0: none)
Conv2dShape conv(const Sizes& s, std::int64_t kernel, std::int64_t stride, std::int64_t groups) {
  Conv2dShape shape{s[0], s[1] * groups, s[2] * groups, groups};
  shape.window = {axis(s[3], kernel, stride, kernel - 1, s[5]),
                  axis(s[4], kernel, stride, kernel - 1, s[6])};
  return shape;
}

void add_convolutions(std::vector<Family>& all) {
  struct Form {
    Sizes sizes;
    std::int64_t kernel, stride, groups;
  };
  const Form forms[] = {{{2, 3, 5, 6, 4, 1, 1}, 2, 1, 2},       // direct
                        {{2, 3, 5, 6, 4, 1, 1}, 3, 2, 1},       // by columns
                        {{2, 32, 32, 13, 13, 1, 1}, 3, 1, 1},   // Winograd's
                        {{1, 3, 32, 35, 35, 1, 1}, 11, 4, 1}};  // space-to-depth
  for (const Form& f : forms) {
    const auto shape = [f](const Sizes& s) { return conv(s, f.kernel, f.stride, f.groups); };
    const auto x_count = [](const Conv2dShape& s) {
      return s.n * s.c * s.window.h.in * s.window.w.in;
    };
    const auto y_count = [](const Conv2dShape& s) {
      return s.n * s.k * s.window.h.out * s.window.w.out;
    };
    const auto w_count = [](const Conv2dShape& s) {
      return s.k * (s.c / s.groups) * s.window.h.kernel * s.window.w.kernel;
    };
    all.push_back({"conv2d_forward", f.sizes, [=](const Sizes& sizes) {
                     Conv2dShape s = shape(sizes);
                     s.relu = true;
                     return PrimitiveCall{
                         "",
                         {in(some_numbers(x_count(s))), in(some_numbers(w_count(s))),
                          in(some_numbers(s.k, 3)), out(y_count(s))},
                         [s](Backend& b, DType t, const auto& a) {
                           b.conv2d_forward(t, s, a[0], a[1], a[2], a[3]);
                         }};
                   }});
    all.push_back({"conv2d_backward_input", f.sizes, [=](const Sizes& sizes) {
                     const Conv2dShape s = shape(sizes);
                     return PrimitiveCall{"",
                                          {in(some_numbers(y_count(s))),
                                           in(some_numbers(w_count(s))), out(x_count(s))},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.conv2d_backward_input(t, s, a[0], a[1], a[2]);
                                          }};
                   }});
    all.push_back({"conv2d_backward_weight", f.sizes, [=](const Sizes& sizes) {
                     const Conv2dShape s = shape(sizes);
                     return PrimitiveCall{"",
                                          {in(some_numbers(x_count(s))),
                                           in(some_numbers(y_count(s))), out(w_count(s))},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.conv2d_backward_weight(t, s, a[0], a[1], a[2]);
                                          }};
                   }});
    all.push_back({"conv2d_backward_bias", f.sizes, [=](const Sizes& sizes) {
                     const Conv2dShape s = shape(sizes);
                     return PrimitiveCall{"",
                                          {in(some_numbers(y_count(s))), out(s.k)},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.conv2d_backward_bias(t, s, a[0], a[1]);
                                          }};
                   }});
  }
}

void add_pools(std::vector<Family>& all) {
  for (const bool include : {false, true}) {
    const auto shape = [=](const Sizes& s) {  // n, c, h, w, output rows and columns
      return Pool2dShape{
          s[0], s[1], {axis(s[2], 3, 2, 2, s[4]), axis(s[3], 3, 2, 2, s[5])}, include};
    };
    const auto ins = [](const Pool2dShape& s) { return s.n * s.c * s.window.h.in * s.window.w.in; };
    const auto outs = [](const Pool2dShape& s) {
      return s.n * s.c * s.window.h.out * s.window.w.out;
    };
    const Sizes sizes = {2, 3, 7, 5, 1, 1};
    all.push_back({"max_pool2d_forward", sizes, [=](const Sizes& z) {
                     const Pool2dShape s = shape(z);
                     return PrimitiveCall{"",
                                          {in(some_numbers(ins(s))), out(outs(s)),
                                           of_type(DType::i32, out(outs(s)))},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.max_pool2d_forward(t, s, a[0], a[1], a[2]);
                                          }};
                   }});
    all.push_back({"max_pool2d_backward", sizes, [=](const Sizes& z) {
                     const Pool2dShape s = shape(z);  // the first window holds the first element
                     std::vector<double> argmax(count_of(outs(s)), -1);
                     const std::int64_t windows = s.window.h.out * s.window.w.out;
                     if (ins(s) > 0)
                       for (std::int64_t i = 0; i < outs(s); i += windows) argmax[count_of(i)] = 0;
                     return PrimitiveCall{
                         "",
                         {in(some_numbers(outs(s))), of_type(DType::i32, in(argmax)), out(ins(s))},
                         [s](Backend& b, DType t, const auto& a) {
                           b.max_pool2d_backward(t, s, a[0], a[1], a[2]);
                         }};
                   }});
    all.push_back({"avg_pool2d_forward", sizes, [=](const Sizes& z) {
                     const Pool2dShape s = shape(z);
                     return PrimitiveCall{"",
                                          {in(some_numbers(ins(s))), out(outs(s))},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.avg_pool2d_forward(t, s, a[0], a[1]);
                                          }};
                   }});
    all.push_back({"avg_pool2d_backward", sizes, [=](const Sizes& z) {
                     const Pool2dShape s = shape(z);
                     return PrimitiveCall{"",
                                          {in(some_numbers(outs(s))), out(ins(s))},
                                          [s](Backend& b, DType t, const auto& a) {
                                            b.avg_pool2d_backward(t, s, a[0], a[1]);
                                          }};
                   }});
  }
}

void add_lrn(std::vector<Family>& all) {
  for (const std::int64_t size : {3, 5}) {
    const auto shape = [=](const Sizes& s) { return LrnShape{s[0], s[1], s[2], s[3], size}; };
    const auto count = [](const LrnShape& s) { return s.n * s.c * s.h * s.w; };
    using Forward = void (Backend::*)(DType, const LrnShape&, const void*, void*);
    using Backward = void (Backend::*)(DType, const LrnShape&, const void*, const void*, void*);
    for (const Forward forward : {&Backend::lrn_across_forward, &Backend::lrn_within_forward})
      all.push_back({"lrn_forward", {2, 6, 5, 3}, [=](const Sizes& z) {
                       const LrnShape s = shape(z);
                       return PrimitiveCall{"",
                                            {in(some_numbers(count(s))), out(count(s))},
                                            [=](Backend& b, DType t, const auto& a) {
                                              (b.*forward)(t, s, a[0], a[1]);
                                            }};
                     }});
    for (const Backward backward : {&Backend::lrn_across_backward, &Backend::lrn_within_backward})
      all.push_back({"lrn_backward", {2, 6, 5, 3}, [=](const Sizes& z) {
                       const LrnShape s = shape(z);
                       return PrimitiveCall{"",
                                            {in(some_numbers(count(s))),
                                             in(some_numbers(count(s), 2)), out(count(s))},
                                            [=](Backend& b, DType t, const auto& a) {
                                              (b.*backward)(t, s, a[0], a[1], a[2]);
                                            }};
                     }});
    all.push_back(
        {"lrn_across_max_pool2d_forward", {2, 6, 5, 4}, [=](const Sizes& z) {
           const LrnShape s = shape(z);
           const Pool2dShape p = {s.n, s.c, {axis(s.h, 3, 2, 2, 1), axis(s.w, 3, 2, 2, 1)}};
           const std::int64_t outs = p.n * p.c * p.window.h.out * p.window.w.out;
           return PrimitiveCall{
               "",
               {in(some_numbers(count(s))), out(outs), of_type(DType::i32, out(outs))},
               [=](Backend& b, DType t, const auto& a) {
                 b.lrn_across_max_pool2d_forward(t, s, p, a[0], a[1], a[2]);
               }};
         }});
  }
}

}  // namespace

TEST_CASE("each size of convolution, pooling and normalization may be zero") {
  std::vector<Family> all;
  add_convolutions(all);
  add_pools(all);
  add_lrn(all);
  check_families(all);
}

TEST_CASE("what nothing is: a bias, 0, -infinity nowhere, or the mean 0 / 0") {
  for (const auto& backend : all_backends(true)) {
    const auto run = [&](const PrimitiveCall& call) { return results(call, DType::f32, *backend); };
    const auto check = [&](const char* what, const PrimitiveCall& call,
                           const std::vector<std::vector<double>>& wanted) {
      check_close(std::string(what) + " on " + backend->name(), run(call), wanted, 0);
    };
    Conv2dShape s{1, 0, 2, 1, {axis(1, 1, 1, 0, 1), axis(1, 1, 1, 0, 1)}};
    const auto forward = [&](Backend& b, DType t, const auto& a) {
      b.conv2d_forward(t, s, a[0], a[1], a[2], a[3]);
    };
    check("no channels", {"", {in({}), in({}), in({3, -4}), out(2)}, forward}, {{3, -4}});
    s.relu = true;
    check("no channels, relu", {"", {in({}), in({}), in({3, -4}), out(2)}, forward}, {{3, 0}});
    s = {1, 2, 0, 1, s.window};
    check("no filters",
          {"",
           {in({}), in({}), out(2)},
           [&](Backend& b, DType t, const auto& a) {
             b.conv2d_backward_input(t, s, a[0], a[1], a[2]);
           }},
          {{0, 0}});
    s = {0, 1, 2, 1, s.window};
    check("no images",
          {"",
           {in({}), in({}), out(2), out(2)},
           [&](Backend& b, DType t, const auto& a) {
             b.conv2d_backward_weight(t, s, a[0], a[1], a[2]);
             b.conv2d_backward_bias(t, s, a[1], a[3]);
           }},
          {{0, 0}, {0, 0}});
    const Pool2dShape p{1, 1, {axis(0, 2, 1, 1, 1), axis(0, 2, 1, 1, 1)}};
    check("no pixels",
          {"",
           {in({}), out(1), of_type(DType::i32, out(1)), out(1)},
           [&](Backend& b, DType t, const auto& a) {
             b.max_pool2d_forward(t, p, a[0], a[1], a[2]);
             b.avg_pool2d_forward(t, p, a[0], a[3]);
           }},
          {{-inf}, {-1}, {std::nan("")}});
    check("no terms",
          {"",
           {in({}), out(2), out(2)},
           [&](Backend& b, DType t, const auto& a) {
             b.reduce(t, ReduceOp::sum, 2, 0, 1, a[0], a[1]);
             b.reduce(t, ReduceOp::max, 2, 0, 1, a[0], a[2]);
           }},
          {{0, 0}, {-inf, -inf}});
  }
}
