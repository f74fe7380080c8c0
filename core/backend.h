#pragma once
// The Backend interface: all that Limulus asks of a device.
//
// A backend owns memory and implements a compact set of primitives on raw buffers. No primitive
// knows about gradients, modules or training; no op above knows which backend it runs on. Every
// primitive's contract is written here, once: the formula, the shapes, what may alias.
//
// Rules that hold for all primitives
//   * Arrays are dense, row-major (images are NCHW); sizes are std::int64_t and may be zero (except
//     groups, and a window's kernel, stride and dilation). A sum of nothing is 0: a convolution
//     without input channels gives its bias, a gradient over no images 0. A maximum of nothing is
//     -infinity, and a mean of nothing (a pooling window with padding alone) 0 / 0, NaN.
//   * `dtype` is f32 or f64 and is the type of every array that is not said to be something else.
//   * An output never aliases an input, unless the contract says "in place allowed".
//   * Outputs are overwritten, never accumulated into, unless the contract says so.
//   * Results are the same bits for any number of threads: sizes alone decide how a sum is cut, and
//     sums have a fixed order.
//   * Sizes were checked by the caller (core and layers); a primitive trusts them.
//   * Values that the formula does not name have no influence, NaN and infinity included: pixels
//     that no window reads, and memory between and after the arrays. (Padding may be multiplied as
//     the zeros that it is: with a weight or a dy of infinity or NaN, that is NaN.)
//   * A sum of positive numbers, however many, is right to 64 units of the last place: long sums
//     are formed in pieces. (By Winograd's method a convolution is right to 512, for pixels of
//     about the same size: backends/convolution.h.)
//   * Where x is NaN, so are y and dx of the functions of one number, relu and abs included. What
//     chooses among numbers (max, min, max pooling) chooses a NaN over all of them, and sends dy
//     there as to a number.
//
// A primitive that a backend does not override falls back to the reference backend through host
// memory (fallback.cpp), so that a new backend works with no kernel at all and gains them one by
// one. LIMULUS_TRACE=1 shows each fallback; LIMULUS_STRICT=1 makes it a DeviceError.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/dtype.h"
#include "core/philox.h"
#include "core/window.h"

namespace limulus {

class Pool;
class PrimitiveCall;

// ---- the shapes of primitives ---------------------------------------------------------------

// C[m, n] = op(A) op(B) + beta C, op(X) = X or its transpose. Row i of a matrix begins ld elements
// after row i - 1: A is stored [m, k] with lda >= k, or [k, m] with lda >= m when trans_a.
// beta is 0 (C is not read, and may hold NaN) or 1.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  int beta = 0;
};

// x [n, in], w [out, in], b [out], y [n, out].
struct LinearShape {
  std::int64_t n = 0, in = 0, out = 0;
  bool relu = false;           // y = max(0, y) before it is stored (where linear_fuses_relu())
  DType weights = DType::f32;  // bf16: w is stored so, and all else is f32; else w is of dtype
};

// x [n, c, h, w], w [k, c/groups, fh, fw], b [k], y [n, k, oh, ow].
// Output channels of group g read only the input channels of group g.
struct Conv2dShape {
  std::int64_t n = 0, c = 0, k = 0, groups = 1;
  Window2d window;      // h = window.h.in, fh = window.h.kernel, oh = window.h.out ...
  bool relu = false;    // forward: y = max(0, y) before it is stored (where conv2d_fuses_relu())
  bool packed = false;  // forward: w is what conv2d_pack made of the weights

  bool operator==(const Conv2dShape&) const = default;
};

// x [n, c, h, w], y [n, c, oh, ow]. Windows are clipped to the image; padding is never a maximum.
struct Pool2dShape {
  std::int64_t n = 0, c = 0;
  Window2d window;
  // Average pooling divides by the taps inside the padded image (true: F*F, but for a window that
  // hangs over its end in ceil mode), or inside the image.
  bool count_include_pad = false;
};

// Local response normalization (Krizhevsky et al. 2012, section 3.3), x and y [n, c, h, w]:
//     y = x * s^-beta,    s = k + alpha * sum of x^2 over the window       (s > 0).
// `alpha` is the factor as used here: a caller that follows the "divide by size" convention has
// divided already. The window of element i covers [i - size/2, i - size/2 + size - 1] (integer
// division), clipped: over channels (across), or over rows and columns of one channel (within).
// In f32, y and dx are right to 1e-6 of their size for |x| up to 1e12 on every backend, and up to
// the largest float on "cpu" and "reference", which compute in double where s leaves a float's
// range.
struct LrnShape {
  std::int64_t n = 0, c = 0, h = 0, w = 0, size = 5;
  double alpha = 1e-4, beta = 0.75, k = 2;
};

// y[i...] = a[i * stride_a ...] op b[i * stride_b ...]; a stride of 0 repeats a value along its
// axis.
struct BroadcastShape {
  static constexpr int max_rank = 8;
  int rank = 0;
  std::int64_t size[max_rank] = {}, stride_a[max_rank] = {}, stride_b[max_rank] = {};
};

// A block of `rows` rows of `cols` elements, row r at offset + r * stride.
struct BlockShape {
  std::int64_t rows = 0, cols = 0;
  std::int64_t src_offset = 0, src_stride = 0, dst_offset = 0, dst_stride = 0;
};

enum class UnaryOp { neg, exp, log, sqrt, square, abs, relu, sigmoid, tanh };
enum class BinaryOp { add, sub, mul, div, max, min };
enum class ReduceOp { sum, max };

const char* name_of(UnaryOp op);
const char* name_of(BinaryOp op);
const char* name_of(ReduceOp op);

// Stochastic gradient descent with momentum m, weight decay d, learning rate lr.
//   paper   (Krizhevsky et al. 2012, section 5):  v <- m v - d lr w - lr g;   w <- w + v
//   pytorch:                                      v <- m v + (g + d w);       w <- w - lr v
enum class SgdRule { paper, pytorch };
struct SgdShape {
  std::int64_t n = 0;
  double lr = 0.01, momentum = 0.9, weight_decay = 0.0005;
  SgdRule rule = SgdRule::paper;
};

// ---- the interface --------------------------------------------------------------------------

class Backend {
 public:
  Backend();
  virtual ~Backend();  // a derived destructor calls pool().trim(): here deallocate() is gone
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  virtual std::string name() const = 0;         // as devices are named: "cpu", "opencl:0"
  virtual std::string description() const = 0;  // for people: processor, instruction set, threads

  // -- memory ------------------------------------------------------------------------------------
  // Buffers are opaque: a host address (aligned to 64 bytes) where host_memory() is true.
  // allocate throws DeviceError, with the sizes, when memory is short. Programs take buffers from
  // pool(), which keeps freed ones and calls allocate only when it has none of the size.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void deallocate(void* buffer, std::size_t bytes) noexcept = 0;
  // Whether a freed buffer of this size should go back to deallocate() at once, because allocate()
  // and deallocate() are quick and reuse memory better than the pool's list of one size would.
  virtual bool reuses(std::size_t /*bytes*/) const { return false; }
  virtual bool host_memory() const = 0;
  virtual bool has_double() const { return true; }  // or computes in f32 alone
  virtual void upload(void* dst, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* src, std::size_t bytes) = 0;  // waits for kernels
  virtual void synchronize() {}
  Pool& pool() { return *pool_; }

  // -- matrices ----------------------------------------------------------------------------------
  virtual void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c);

  // y[n, out] = sum over in of x[n, in] w[out, in] + b[out]. b may be null. (core/backend.cpp does
  // it in steps; a backend that overrides this adds b and clamps at 0 in its last write.)
  virtual void linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                              const void* b, void* y);
  // Whether linear_forward, and conv2d_forward below, support `relu` of their shapes. Layers ask
  // before they set it; if the answer is no, they call ReLU separately, and a kernel need not
  // know of it.
  virtual bool linear_fuses_relu() const { return false; }
  virtual bool conv2d_fuses_relu() const { return false; }

  // -- convolution (cross-correlation, as in all frameworks) -------------------------------------
  //   y[n,k,oh,ow] = b[k] + sum over c,fh,fw of x[n, c, oh*S + fh*D - P, ow*S + fw*D - P]
  //   w[k,c,fh,fw]
  // with x = 0 outside the image. b may be null.
  virtual void conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                              const void* b, void* y);
  // Weights that stay the same for many calls can be laid out once as this shape's kernel reads
  // them. How many bytes that takes, or 0 where the kernel reads w as it is; and the laying out.
  virtual std::size_t conv2d_packed_bytes(DType, const Conv2dShape&) { return 0; }
  virtual void conv2d_pack(DType, const Conv2dShape&, const void* /*w*/, void* /*packed*/) {}
  virtual void conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                     const void* w, void* dx);
  virtual void conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                      const void* dy, void* dw);
  // db[k] = sum over n,oh,ow of dy
  virtual void conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db);

  // -- pooling -----------------------------------------------------------------------------------
  // argmax (i32) [n, c, oh, ow]: where in its plane (row * w + column) the first maximum in
  // row-major order stands; may be null where no backward follows. A NaN in the window is the
  // maximum, as in PyTorch.
  virtual void max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                  void* argmax);
  virtual void max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                   const void* argmax, void* dx);
  virtual void avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y);
  virtual void avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx);

  // -- local response normalization --------------------------------------------------------------
  //   dx_i = dy_i s_i^-beta - 2 alpha beta x_i * sum over j whose window holds i of
  //          dy_j s_j^-beta (x_j / s_j)
  // s is computed again from x: cheaper than storing it.
  virtual void lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y);
  virtual void lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                   void* dx);
  // lrn_across_forward, then max_pool2d_forward of its result, which is not stored. (Where a
  // backend does not override it, core/backend.cpp does it in two steps.)
  virtual void lrn_across_max_pool2d_forward(DType dtype, const LrnShape& s,
                                             const Pool2dShape& pool, const void* x, void* y,
                                             void* argmax);
  virtual void lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y);
  virtual void lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                   void* dx);

  // -- elementwise -------------------------------------------------------------------------------
  // In place allowed in all of these (y may be x, dx may be dy).
  virtual void unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y);
  // dx = dy * op'(x). Ops whose derivative is simplest in y read y and not x (x may be null):
  // exp, sqrt, relu, sigmoid, tanh; the others read x and not y. relu'(0) = abs'(0) = 0.
  virtual void unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                              const void* dy, void* dx);
  virtual void binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                      const void* b, void* y);
  // dx = dy where the op chose this operand (a, or b with `second`), else 0: for max and min. Ties
  // go to a; a NaN is chosen, and a where both are.
  virtual void select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                               const void* a, const void* b, const void* dy, void* dx);
  virtual void affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                      void* y);  // y = scale x + shift
  virtual void accumulate(DType dtype, std::int64_t n, const void* x, void* y);  // y += x
  virtual void fill(DType dtype, std::int64_t n, double value, void* y);
  // Any dtype: moves bytes.
  virtual void copy_block(DType dtype, const BlockShape& s, const void* src, void* dst);
  // y_i = x_i / (1 - p) where word i of `key`'s Philox sequence (word i % 4 of block i / 4) is at
  // or above dropout_threshold(p), else 0. Its own transpose: the gradient is dropout of dy, same
  // key.
  virtual void dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                       void* y);

  // -- reductions --------------------------------------------------------------------------------
  // x [outer, len, inner] -> y [outer, inner]
  virtual void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                      std::int64_t inner, const void* x, void* y);

  // -- softmax and cross-entropy over rows: x [rows, cols] ----------------------------------------
  virtual void softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                               void* y);
  // dx = y (dy - sum over the row of dy y)
  virtual void softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                                const void* dy, void* dx);
  // loss[r] = log(sum exp x[r]) - x[r, label[r]], computed with the maximum taken out; labels i64
  // in [0, cols) (checked by the caller, so that cols is 0 only where rows is); probability [rows,
  // cols] = softmax(x).
  virtual void cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* x, const void* labels, void* probability,
                                     void* loss);
  // dx[r, c] = dloss[r] (probability[r, c] - [c = label[r]])
  virtual void cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                      const void* probability, const void* labels,
                                      const void* dloss, void* dx);

  // -- learning ----------------------------------------------------------------------------------
  virtual void sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v);

 protected:
  // What happens with a primitive that the backend does not override: see the top of this file. A
  // backend that does the same with every primitive (a queue, a counter) overrides this function
  // alone (primitive_call.h).
  virtual void run_elsewhere(const PrimitiveCall& call);

 private:
  std::unique_ptr<Pool> pool_;
};

// The backend that fallbacks run on; the registry sets it to a reference backend once.
void set_fallback_backend(Backend* reference);

// In strict mode a fallback is a DeviceError that names the primitive and the backend. Without a
// call of this, LIMULUS_STRICT=1 in the environment turns it on.
void set_strict(bool strict);

}  // namespace limulus
