// What the judge can call of assignment 4.
#include "runner.h"

#include "layers.h"

namespace course {
namespace {

PoolShape pool_of(const Record& in) {
  const Integers& v = in.integers("shape");
  return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]};
}
LrnShape lrn_of(const Record& in) {
  const Integers& v = in.integers("shape");
  return {v[0], v[1], v[2], v[3], v[4], in.number("alpha"), in.number("beta"), in.number("k")};
}

void call_max_pool_forward(const Record& in, Record& out) {
  const PoolShape s = pool_of(in);
  Output y(s.n * s.c * s.oh * s.ow);
  Integers argmax(y.span().size(), -1);
  max_pool_forward(s, in.doubles("x"), y.span(), argmax);
  out.put("y", {s.n, s.c, s.oh, s.ow}, y.values());
  out.put("argmax", argmax);
}
void call_max_pool_backward(const Record& in, Record& out) {
  const PoolShape s = pool_of(in);
  Output dx(s.n * s.c * s.h * s.w);
  max_pool_backward(s, in.doubles("dy"), in.integers("argmax"), dx.span());
  out.put("dx", {s.n, s.c, s.h, s.w}, dx.values());
}

template <void (*f)(const LrnShape&, In, Out)>
void call_forward(const Record& in, Record& out) {
  Output y(product(in.shape("x")));
  f(lrn_of(in), in.doubles("x"), y.span());
  out.put("y", in.shape("x"), y.values());
}
template <void (*f)(const LrnShape&, In, In, Out)>
void call_backward(const Record& in, Record& out) {
  Output dx(product(in.shape("x")));
  f(lrn_of(in), in.doubles("x"), in.doubles("dy"), dx.span());
  out.put("dx", in.shape("x"), dx.values());
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {
      {"max_pool_forward", call_max_pool_forward},
      {"max_pool_backward", call_max_pool_backward},
      {"lrn_forward", call_forward<lrn_forward>},
      {"lrn_backward", call_backward<lrn_backward>},
      {"lrn_within_forward", call_forward<lrn_within_forward>},
      {"lrn_within_backward", call_backward<lrn_within_backward>}};
  return table;
}

}  // namespace course
