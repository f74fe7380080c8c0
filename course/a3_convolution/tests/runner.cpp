// What the judge can call of assignment 3.
#include "runner.h"

#include "convolution.h"

namespace course {
namespace {

ConvShape shape_of(const Record& in) {
  const Integers& v = in.integers("shape");
  return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12]};
}

// Gives the function room for its result of this shape, and notes what it wrote there.
template <class F>
void answer(Record& out, const std::string& name, const Sizes& shape, F compute) {
  Output room(product(shape));
  compute(room.span());
  out.put(name, shape, room.values());
}

Sizes y_shape(const ConvShape& s) { return {s.n, s.k, s.oh, s.ow}; }
Sizes column_shape(const ConvShape& s) { return {s.c * s.fh * s.fw, s.oh * s.ow}; }

void call_forward(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "y", y_shape(s),
         [&](Out y) { conv2d_forward(s, in.doubles("x"), in.doubles("w"), in.doubles("b"), y); });
}
void call_by_product(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "y", y_shape(s), [&](Out y) {
    conv2d_by_product(s, in.doubles("x"), in.doubles("w"), in.doubles("b"), y);
  });
}
void call_backward_weight(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "dw", {s.k, s.c / s.groups, s.fh, s.fw},
         [&](Out dw) { conv2d_backward_weight(s, in.doubles("x"), in.doubles("dy"), dw); });
}
void call_backward_bias(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "db", {s.k}, [&](Out db) { conv2d_backward_bias(s, in.doubles("dy"), db); });
}
void call_backward_input(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "dx", {s.n, s.c, s.h, s.w},
         [&](Out dx) { conv2d_backward_input(s, in.doubles("dy"), in.doubles("w"), dx); });
}
void call_im2col(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "columns", column_shape(s),
         [&](Out columns) { im2col(s, in.doubles("x"), columns); });
}
void call_col2im(const Record& in, Record& out) {
  const ConvShape s = shape_of(in);
  answer(out, "dx", {s.c, s.h, s.w}, [&](Out dx) { col2im(s, in.doubles("columns"), dx); });
}
void call_matmul(const Record& in, Record& out) {
  const Sizes &a = in.shape("a"), &b = in.shape("b");
  answer(out, "c", {a[0], b[1]},
         [&](Out c) { matmul(a[0], b[1], a[1], in.doubles("a"), in.doubles("b"), c); });
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {
      {"conv2d_forward", call_forward},
      {"conv2d_by_product", call_by_product},
      {"conv2d_backward_weight", call_backward_weight},
      {"conv2d_backward_bias", call_backward_bias},
      {"conv2d_backward_input", call_backward_input},
      {"im2col", call_im2col},
      {"col2im", call_col2im},
      {"matmul", call_matmul}};
  return table;
}

}  // namespace course
