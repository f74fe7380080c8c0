#include "benchmarks/memory_passes.h"

#include <algorithm>
#include <bit>

namespace limulus {

using cpu::Role;

float* Arrays::input(std::int64_t n) {
  Tensor t = Tensor::empty({n}, DType::f32, backend_);
  fill_uniform(t, -1, 1, rng_);
  return keep(t);
}
float* Arrays::output(std::int64_t n) { return keep(Tensor::zeros({n}, DType::f32, backend_)); }
float* Arrays::keep(const Tensor& t) {
  kept_.push_back(t);
  return static_cast<float*>(kept_.back().mutable_data());
}

namespace {

// f(inputs) -> output, all arrays of n values
Entry elementwise(const std::string& name, std::int64_t n, int inputs,
                  const std::function<void(Backend&, const std::vector<float*>&, float*)>& f) {
  return {name, [=](Backend& cpu, Arrays& arrays) {
            Pass p;
            std::vector<float*> in;
            for (int i = 0; i < inputs; ++i) {
              in.push_back(arrays.input(n));
              p.arrays.push_back({in.back(), n, Role::read});
            }
            float* out = arrays.output(n);
            p.arrays.push_back({out, n, Role::write});
            if (f) p.run = [=, &cpu] { f(cpu, in, out); };
            return p;
          }};
}

void add_lrn(std::vector<Entry>& all, const std::string& layer, const LrnShape& s) {
  const std::int64_t n = s.n * s.c * s.h * s.w;
  all.push_back(elementwise(layer + " forward", n, 1, [=](Backend& b, const auto& in, float* out) {
    b.lrn_across_forward(DType::f32, s, in[0], out);
  }));
  all.push_back(elementwise(layer + " backward", n, 2, [=](Backend& b, const auto& in, float* out) {
    b.lrn_across_backward(DType::f32, s, in[0], in[1], out);
  }));
  all.push_back(
      elementwise(layer + " within forward", n, 1, [=](Backend& b, const auto& in, float* out) {
        b.lrn_within_forward(DType::f32, s, in[0], out);
      }));
  all.push_back(
      elementwise(layer + " within backward", n, 2, [=](Backend& b, const auto& in, float* out) {
        b.lrn_within_backward(DType::f32, s, in[0], in[1], out);
      }));
}

// One array shaped like the image, one like the windows, and perhaps one of positions.
void add_pool(std::vector<Entry>& all, const std::string& layer, const Pool2dShape& s) {
  const std::int64_t in = s.n * s.c * s.window.h.in * s.window.w.in;
  const std::int64_t out = s.n * s.c * s.window.h.out * s.window.w.out;
  for (const bool with_argmax : {true, false})
    all.push_back({layer + (with_argmax ? " forward" : " forward, no argmax"),
                   [=](Backend& b, Arrays& arrays) {
                     float *x = arrays.input(in), *y = arrays.output(out);
                     float* where = with_argmax ? arrays.output(out) : nullptr;
                     Pass p;
                     p.arrays = {{x, in, Role::read}, {y, out, Role::write}};
                     if (with_argmax) p.arrays.push_back({where, out, Role::write});
                     p.run = [=, &b] { b.max_pool2d_forward(DType::f32, s, x, y, where); };
                     return p;
                   }});
  all.push_back({layer + " backward", [=](Backend& b, Arrays& arrays) {
                   float *x = arrays.input(in), *y = arrays.output(out);
                   float *dy = arrays.input(out), *where = arrays.output(out);
                   float* dx = arrays.output(in);
                   b.max_pool2d_forward(DType::f32, s, x, y, where);
                   return Pass{
                       {{dy, out, Role::read}, {where, out, Role::read}, {dx, in, Role::write}},
                       [=, &b] { b.max_pool2d_backward(DType::f32, s, dy, where, dx); }};
                 }});
  all.push_back({"average " + layer + " forward", [=](Backend& b, Arrays& arrays) {
                   float *x = arrays.input(in), *y = arrays.output(out);
                   return Pass{{{x, in, Role::read}, {y, out, Role::write}},
                               [=, &b] { b.avg_pool2d_forward(DType::f32, s, x, y); }};
                 }});
  all.push_back({"average " + layer + " backward", [=](Backend& b, Arrays& arrays) {
                   float *dy = arrays.input(out), *dx = arrays.output(in);
                   return Pass{{{dy, out, Role::read}, {dx, in, Role::write}},
                               [=, &b] { b.avg_pool2d_backward(DType::f32, s, dy, dx); }};
                 }});
}

// LRN and the pool behind it in one primitive.
void add_lrn_pool(std::vector<Entry>& all, const std::string& name, const LrnShape& lrn,
                  const Pool2dShape& s) {
  const std::int64_t in = s.n * s.c * s.window.h.in * s.window.w.in;
  const std::int64_t out = s.n * s.c * s.window.h.out * s.window.w.out;
  all.push_back({name, [=](Backend& b, Arrays& arrays) {
                   float *x = arrays.input(in), *y = arrays.output(out);
                   return Pass{{{x, in, Role::read}, {y, out, Role::write}}, [=, &b] {
                                 b.lrn_across_max_pool2d_forward(DType::f32, lrn, s, x, y, nullptr);
                               }};
                 }});
}

// A fully connected layer for one image reads each weight once, and computes little: the limit is
// how fast a loop reads as many bytes. What else it touches is less than a thousandth of them.
void add_fully_connected(std::vector<Entry>& all, const std::string& layer, std::int64_t in,
                         std::int64_t out) {
  for (const DType stored : {DType::f32, DType::bf16}) {
    const bool half = stored == DType::bf16;
    const std::int64_t floats = in * out / (half ? 2 : 1);
    all.push_back({layer + ", one image" + (half ? ", bf16" : ""), [=](Backend& b, Arrays& arrays) {
                     float *x = arrays.input(in), *bias = arrays.input(out);
                     float *w = arrays.input(floats), *y = arrays.output(out);
                     // Two bf16 in each float: of random bits, some would be too small to be
                     // normal, which is slow to compute with.
                     if (half) std::fill_n(w, floats, std::bit_cast<float>(0x3f803f80u));
                     const LinearShape s{.n = 1, .in = in, .out = out, .weights = stored};
                     return Pass{{{w, floats, Role::read}},
                                 [=, &b] { b.linear_forward(DType::f32, s, x, w, bias, y); }};
                   }});
  }
}

}  // namespace

std::vector<Entry> alexnet_passes(std::int64_t batch) {
  const LrnShape lrn1{batch, 96, 55, 55}, lrn2{batch, 256, 27, 27};
  const WindowOptions three{.kernel = 3, .stride = 2};
  const Pool2dShape pool1{batch, 96, make_window(55, 55, three, "memory_bench")};
  const Pool2dShape pool2{batch, 256, make_window(27, 27, three, "memory_bench")};
  const Pool2dShape pool5{batch, 256, make_window(13, 13, three, "memory_bench")};
  const std::int64_t conv1 = batch * 96 * 55 * 55, fc6 = batch * 4096, fc6_weight = 4096 * 9216;

  std::vector<Entry> all;
  // References: nothing but streams.
  all.push_back({"stream: read", [=](Backend&, Arrays& arrays) {
                   return Pass{{{arrays.input(conv1), conv1, Role::read}}, nullptr};
                 }});
  all.push_back(elementwise("stream: copy", conv1, 1, nullptr));
  all.push_back(elementwise("stream: triad", conv1, 2, nullptr));

  all.push_back(elementwise("relu1 forward", conv1, 1, [=](Backend& b, const auto& in, float* out) {
    b.unary(DType::f32, UnaryOp::relu, conv1, in[0], out);
  }));
  all.push_back(
      elementwise("relu1 backward", conv1, 2, [=](Backend& b, const auto& in, float* out) {
        b.unary_backward(DType::f32, UnaryOp::relu, conv1, nullptr, in[0], in[1], out);
      }));
  all.push_back(elementwise("bias1 forward", conv1, 1, [=](Backend& b, const auto& in, float* out) {
    BroadcastShape s{.rank = 3, .size = {batch, 96, 55 * 55}};
    s.stride_a[0] = 96 * 55 * 55, s.stride_a[1] = 55 * 55, s.stride_a[2] = 1;
    s.stride_b[1] = 1;
    b.binary(DType::f32, BinaryOp::add, s, in[0], in[0], out);  // any 96 values
  }));
  all.push_back({"bias1 backward", [=](Backend& b, Arrays& arrays) {
                   float *dy = arrays.input(conv1), *db = arrays.output(96);
                   Conv2dShape s{.n = batch, .c = 3, .k = 96};
                   s.window = make_window(227, 227, {.kernel = 11, .stride = 4}, "memory_bench");
                   return Pass{{{dy, conv1, Role::read}},
                               [=, &b] { b.conv2d_backward_bias(DType::f32, s, dy, db); }};
                 }});
  add_lrn(all, "lrn1", lrn1);
  add_lrn(all, "lrn2", lrn2);
  add_pool(all, "pool1", pool1);
  add_pool(all, "pool2", pool2);
  add_pool(all, "pool5", pool5);
  add_lrn_pool(all, "lrn1 and pool1 in one", lrn1, pool1);
  add_lrn_pool(all, "lrn2 and pool2 in one", lrn2, pool2);
  all.push_back(elementwise("dropout6", fc6, 1, [=](Backend& b, const auto& in, float* out) {
    b.dropout(DType::f32, fc6, 0.5, {1, 2}, in[0], out);
  }));
  all.push_back(
      elementwise("softmax forward", batch * 1000, 1, [=](Backend& b, const auto& in, float* out) {
        b.softmax_forward(DType::f32, batch, 1000, in[0], out);
      }));
  all.push_back(
      elementwise("softmax backward", batch * 1000, 2, [=](Backend& b, const auto& in, float* out) {
        b.softmax_backward(DType::f32, batch, 1000, in[0], in[1], out);
      }));
  all.push_back({"sgd fc6", [=](Backend& b, Arrays& arrays) {
                   float* w = arrays.input(fc6_weight);
                   float *g = arrays.input(fc6_weight), *v = arrays.output(fc6_weight);
                   return Pass{{{g, fc6_weight, Role::read},
                                {w, fc6_weight, Role::update},
                                {v, fc6_weight, Role::update}},
                               [=, &b] { b.sgd_step(DType::f32, {.n = fc6_weight}, w, g, v); }};
                 }});
  add_fully_connected(all, "fc6", 9216, 4096);
  add_fully_connected(all, "fc7", 4096, 4096);
  add_fully_connected(all, "fc8", 4096, 1000);
  return all;
}

}  // namespace limulus
