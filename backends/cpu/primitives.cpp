// The primitives of the CPU backend: each finds its kernel in the table of float or of double.
// The kernels themselves, and the comments that explain them, are in kernels/.
#include <algorithm>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/kernels/kernels.h"
#include "core/denormals.h"
#include "core/describe.h"
#include "core/error.h"
#include "core/trace.h"

namespace limulus {
namespace {

// A buffer as an array of T: `in` to read, `out` to write.
template <class T>
const T* in(const void* buffer) {
  return static_cast<const T*>(buffer);
}
template <class T>
T* out(void* buffer) {
  return static_cast<T*>(buffer);
}

}  // namespace

template <class S, class F>
void CpuBackend::run(DType dtype, const char* primitive, const S& shape, F kernel) {
  Trace trace(*this, primitive, instruction_set_.c_str(), [&] { return describe(shape); });
  const char* method = "";
  cpu::Context context = *context_;
  context.method = &method;
  context.flush_denormals = FlushDenormals::active();
  if (dtype == DType::f32)
    kernel(*f32_, context);
  else if (dtype == DType::f64)
    kernel(*f64_, context);
  else
    throw DTypeError(std::string(primitive) + ": arithmetic is done in f32 or f64, not in " +
                     name_of(dtype));
  trace.used(method);
}

void CpuBackend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  run(dtype, "gemm", s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.gemm(ctx, s, in<T>(a), in<T>(b), out<T>(c));
  });
}

void CpuBackend::linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                                const void* b, void* y) {
  if (s.weights == DType::bf16 && dtype != DType::f32)
    throw DTypeError(std::string("linear: weights stored as bf16 multiply inputs in f32, not in ") +
                     name_of(dtype));
  if (own().gemm && s.weights != DType::bf16)  // only the kernel below can read bf16
    return Backend::linear_forward(dtype, s, x, w, b, y);
  run(dtype, "linear_forward", s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.linear_forward(ctx, s, in<T>(x), w, in<T>(b), out<T>(y));
  });
}

// ---- passes that do several primitives' work, and kernels of a derived class -------------------

// A class that was never registered is treated as if it overrode every kernel.
CpuBackend::Own CpuBackend::own() const {
  const std::type_info& type = typeid(*this);
  if (type == typeid(CpuBackend)) return {false, false, false, false, false, false};
  return own_of_ != nullptr && *own_of_ == type ? own_ : Own();
}

bool CpuBackend::linear_fuses_relu() const {
  const Own o = own();
  return !o.linear && !o.gemm && !o.unary;
}

bool CpuBackend::conv2d_fuses_relu() const {
  const Own o = own();
  return !o.conv2d && !o.unary;
}

// A kernel that overrides ours could not read weights in our kernel's order.
std::size_t CpuBackend::conv2d_packed_bytes(DType dtype, const Conv2dShape& s) {
  if (own().conv2d) return 0;
  return dtype == DType::f32 ? f32_->conv2d_packed_bytes(s) : f64_->conv2d_packed_bytes(s);
}

void CpuBackend::conv2d_pack(DType dtype, const Conv2dShape& s, const void* w, void* packed) {
  run(dtype, "conv2d_pack", s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.conv2d_pack(ctx, s, in<T>(w), out<T>(packed));
  });
}

void CpuBackend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                                const void* b, void* y) {
  run(dtype, "conv2d_forward", s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.conv2d_forward(ctx, s, in<T>(x), in<T>(w), in<T>(b), out<T>(y));
  });
}

void CpuBackend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                       const void* w, void* dx) {
  run(dtype, "conv2d_backward_input", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.conv2d_backward_input(ctx, s, in<T>(dy), in<T>(w), out<T>(dx));
      });
}

void CpuBackend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                        const void* dy, void* dw) {
  run(dtype, "conv2d_backward_weight", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.conv2d_backward_weight(ctx, s, in<T>(x), in<T>(dy), out<T>(dw));
      });
}

void CpuBackend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) {
  run(dtype, "conv2d_backward_bias", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.conv2d_backward_bias(ctx, s, in<T>(dy), out<T>(db));
      });
}

void CpuBackend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                    void* argmax) {
  run(dtype, "max_pool2d_forward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.max_pool2d_forward(ctx, s, in<T>(x), out<T>(y), out<std::int32_t>(argmax));
      });
}

void CpuBackend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                     const void* argmax, void* dx) {
  run(dtype, "max_pool2d_backward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.max_pool2d_backward(ctx, s, in<T>(dy), in<std::int32_t>(argmax), out<T>(dx));
      });
}

void CpuBackend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  run(dtype, "avg_pool2d_forward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.avg_pool2d_forward(ctx, s, in<T>(x), out<T>(y));
      });
}

void CpuBackend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) {
  run(dtype, "avg_pool2d_backward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.avg_pool2d_backward(ctx, s, in<T>(dy), out<T>(dx));
      });
}

void CpuBackend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  run(dtype, "lrn_across_forward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.lrn_across_forward(ctx, s, in<T>(x), out<T>(y));
      });
}

void CpuBackend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                     void* dx) {
  run(dtype, "lrn_across_backward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.lrn_across_backward(ctx, s, in<T>(x), in<T>(dy), out<T>(dx));
      });
}

void CpuBackend::lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s,
                                               const Pool2dShape& pool, const void* x, void* y,
                                               void* argmax) {
  const Own o = own();
  if (o.lrn || o.max_pool)
    return Backend::lrn_across_max_pool2d_forward(dtype, s, pool, x, y, argmax);
  run(dtype, "lrn_across_max_pool2d_forward", pool,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.lrn_across_max_pool2d_forward(ctx, s, pool, in<T>(x), out<T>(y),
                                        out<std::int32_t>(argmax));
      });
}

void CpuBackend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  run(dtype, "lrn_within_forward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.lrn_within_forward(ctx, s, in<T>(x), out<T>(y));
      });
}

void CpuBackend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                     void* dx) {
  run(dtype, "lrn_within_backward", s,
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.lrn_within_backward(ctx, s, in<T>(x), in<T>(dy), out<T>(dx));
      });
}

void CpuBackend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  run(dtype, name_of(op), Shape{n},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.unary(ctx, op, n, in<T>(x), out<T>(y));
      });
}

void CpuBackend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x,
                                const void* y, const void* dy, void* dx) {
  run(dtype, "unary_backward", Shape{n},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.unary_backward(ctx, op, n, in<T>(x), in<T>(y), in<T>(dy), out<T>(dx));
      });
}

void CpuBackend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                        const void* b, void* y) {
  run(dtype, name_of(op), s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.binary(ctx, op, s, in<T>(a), in<T>(b), out<T>(y));
  });
}

void CpuBackend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                                 const void* a, const void* b, const void* dy, void* dx) {
  run(dtype, "select_backward", s, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.select_backward(ctx, op, s, second, in<T>(a), in<T>(b), in<T>(dy), out<T>(dx));
  });
}

void CpuBackend::affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                        void* y) {
  run(dtype, "affine", Shape{n}, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.affine(ctx, n, scale, shift, in<T>(x), out<T>(y));
  });
}

void CpuBackend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  run(dtype, "accumulate", Shape{n},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.accumulate(ctx, n, in<T>(x), out<T>(y));
      });
}

void CpuBackend::fill(DType dtype, std::int64_t n, double value, void* y) {
  run(dtype, "fill", Shape{n}, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.fill(ctx, n, value, out<T>(y));
  });
}

void CpuBackend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  const Trace trace(*this, "copy_block", instruction_set_.c_str(), [&] { return describe(s); });
  const auto item = static_cast<std::int64_t>(size_of(dtype));
  const char* from = in<char>(src) + s.src_offset * item;
  char* to = out<char>(dst) + s.dst_offset * item;
  const std::int64_t row = s.cols * item;
  if (s.rows * row == 0) return;
  // A task copies 256 KiB: a part of a long row, or some short ones.
  constexpr std::int64_t piece = 1 << 18, worth_threads = 1 << 20;
  const std::int64_t pieces = (row + piece - 1) / piece,
                     group = std::max<std::int64_t>(1, piece / row);
  const auto copy = [&](std::int64_t task) {
    const std::int64_t begin = task % pieces * piece, bytes = std::min(piece, row - begin);
    const std::int64_t end = std::min(s.rows, (task / pieces + 1) * group);
    for (std::int64_t r = task / pieces * group; r < end; ++r)
      std::memcpy(to + r * s.dst_stride * item + begin, from + r * s.src_stride * item + begin,
                  static_cast<std::size_t>(bytes));
  };
  team_.share((s.rows + group - 1) / group * pieces, s.rows * row < worth_threads ? 1 : threads(),
              [](const void* body, std::int64_t task, int) {
                (*static_cast<const decltype(copy)*>(body))(task);
              },
              &copy);
}

void CpuBackend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                         void* y) {
  run(dtype, "dropout", Shape{n}, [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
    k.dropout(ctx, n, p, key, in<T>(x), out<T>(y));
  });
}

void CpuBackend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                        std::int64_t inner, const void* x, void* y) {
  run(dtype, "reduce", Shape{outer, len, inner},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.reduce(ctx, op, outer, len, inner, in<T>(x), out<T>(y));
      });
}

void CpuBackend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                                 void* y) {
  run(dtype, "softmax_forward", Shape{rows, cols},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.softmax_forward(ctx, rows, cols, in<T>(x), out<T>(y));
      });
}

void CpuBackend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                                  const void* dy, void* dx) {
  run(dtype, "softmax_backward", Shape{rows, cols},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.softmax_backward(ctx, rows, cols, in<T>(y), in<T>(dy), out<T>(dx));
      });
}

void CpuBackend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                       const void* x, const void* labels, void* probability,
                                       void* loss) {
  run(dtype, "cross_entropy_forward", Shape{rows, cols},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.cross_entropy_forward(ctx, rows, cols, in<T>(x), in<std::int64_t>(labels),
                                out<T>(probability), out<T>(loss));
      });
}

void CpuBackend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                        const void* probability, const void* labels,
                                        const void* dloss, void* dx) {
  run(dtype, "cross_entropy_backward", Shape{rows, cols},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.cross_entropy_backward(ctx, rows, cols, in<T>(probability), in<std::int64_t>(labels),
                                 in<T>(dloss), out<T>(dx));
      });
}

void CpuBackend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  run(dtype, "sgd_step", Shape{s.n},
      [&]<class T>(const cpu::Kernels<T>& k, const cpu::Context& ctx) {
        k.sgd_step(ctx, s, out<T>(w), in<T>(g), out<T>(v));
      });
}

}  // namespace limulus
