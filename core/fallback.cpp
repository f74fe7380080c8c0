// What a primitive does on a backend that has not overridden it: it runs on the reference backend.
//
// Where the backend's buffers are host memory, the reference simply works on them. Elsewhere the
// inputs are downloaded, the reference runs on the copies, and the outputs are uploaded: slow, but
// right, and so a new backend begins with an empty class and gains its kernels one by one.
#include <atomic>
#include <list>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/buffer_pool.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/primitive_call.h"
#include "core/shape.h"
#include "core/trace.h"

namespace limulus {
namespace {

std::atomic<Backend*> fallback_backend = nullptr;

std::atomic<bool>& strict_mode() {
  static std::atomic<bool> value = environment::is_on("LIMULUS_STRICT", false);
  return value;
}

// An array of a primitive, by what becomes of it. (An address that is only read is never written
// through: PrimitiveCall hands it to the same parameter again.)
DeviceArray read(const void* x, std::size_t bytes) {
  return {const_cast<void*>(x), bytes, true, false};
}
DeviceArray write(void* y, std::size_t bytes) { return {y, bytes, false, true}; }
DeviceArray update(void* y, std::size_t bytes) { return {y, bytes, true, true}; }

// ---- how many bytes the arrays of a primitive have ------------------------------------------

// From the first to the last element of `rows` rows of `cols`, `stride` apart.
std::int64_t extent(std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  return rows == 0 || cols == 0 ? 0 : (rows - 1) * stride + cols;
}

// From the first to the last element that a broadcast operand touches.
std::int64_t extent(const BroadcastShape& s, const std::int64_t* stride) {
  std::int64_t last = 0;
  for (int axis = 0; axis < s.rank; ++axis) {
    if (s.size[axis] == 0) return 0;
    last += (s.size[axis] - 1) * stride[axis];
  }
  return last + 1;
}

std::int64_t numel(const BroadcastShape& s) {
  std::int64_t product = 1;
  for (int axis = 0; axis < s.rank; ++axis) product *= s.size[axis];
  return product;
}

struct ImageBytes {  // of the arrays of a convolution, a pooling or a normalization
  std::size_t x = 0, w = 0, b = 0, y = 0;
};

ImageBytes bytes_of(DType dtype, const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  return {bytes_of(dtype, s.n * s.c * h.in * w.in),
          bytes_of(dtype, s.k * (s.c / s.groups) * h.kernel * w.kernel), bytes_of(dtype, s.k),
          bytes_of(dtype, s.n * s.k * h.out * w.out)};
}

ImageBytes bytes_of(DType dtype, const Pool2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  return {.x = bytes_of(dtype, s.n * s.c * h.in * w.in),
          .y = bytes_of(dtype, s.n * s.c * h.out * w.out)};
}

std::size_t bytes_of(DType dtype, const LrnShape& s) {
  return bytes_of(dtype, s.n * s.c * s.h * s.w);
}

}  // namespace

void set_fallback_backend(Backend* reference) { fallback_backend = reference; }
void set_strict(bool strict) { strict_mode() = strict; }

void Backend::run_elsewhere(const PrimitiveCall& call) {
  Backend* reference = fallback_backend;
  if (reference == nullptr || reference == this) {
    throw DeviceError(std::string(call.name()) + ": backend " + name() +
                      " has no such kernel, and there is no reference backend to run it: call "
                      "device(\"reference\") or set_fallback_backend first");
  }
  if (strict_mode()) {
    throw DeviceError(std::string(call.name()) + ": backend " + name() +
                      " has no such kernel, and strict mode forbids the reference to run in its "
                      "place: write the kernel, or unset LIMULUS_STRICT");
  }
  const auto shapes = [&call] { return call.shapes(); };
  const Trace trace(*this, call.name(), "reference", shapes, /*fallback=*/true);
  if (host_memory()) return call.run(*reference);

  std::list<Workspace> copies;
  std::vector<DeviceArray> here = call.arrays();
  for (DeviceArray& array : here) {
    if (array.address == nullptr) continue;  // null stays null
    void* copy = copies.emplace_back(reference->pool(), array.bytes).data();
    if (array.is_read && array.bytes != 0) download(copy, array.address, array.bytes);
    array.address = copy;
  }
  call.run(*reference, here);
  reference->synchronize();
  for (std::size_t i = 0; i < here.size(); ++i) {
    const DeviceArray& there = call.arrays()[i];
    if (there.is_written && there.address != nullptr && there.bytes != 0)
      upload(there.address, here[i].address, there.bytes);
  }
}

// ---- the primitives -------------------------------------------------------------------------

void Backend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  const std::int64_t na = s.trans_a ? extent(s.k, s.m, s.lda) : extent(s.m, s.k, s.lda);
  const std::int64_t nb = s.trans_b ? extent(s.n, s.k, s.ldb) : extent(s.k, s.n, s.ldb);
  // C is read for beta = 1, and also where rows have gaps: what stands there must come back.
  const bool whole = s.beta == 0 && s.ldc == s.n;
  const std::size_t nc = bytes_of(dtype, extent(s.m, s.n, s.ldc));
  run_elsewhere({"gemm", &Backend::gemm, s, dtype, s, read(a, bytes_of(dtype, na)),
                 read(b, bytes_of(dtype, nb)), whole ? write(c, nc) : update(c, nc)});
}

void Backend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                             const void* b, void* y) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"conv2d_forward", &Backend::conv2d_forward, s, dtype, s, read(x, n.x),
                 read(w, n.w), read(b, n.b), write(y, n.y)});
}

void Backend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                    const void* w, void* dx) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"conv2d_backward_input", &Backend::conv2d_backward_input, s, dtype, s,
                 read(dy, n.y), read(w, n.w), write(dx, n.x)});
}

void Backend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                     const void* dy, void* dw) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"conv2d_backward_weight", &Backend::conv2d_backward_weight, s, dtype, s,
                 read(x, n.x), read(dy, n.y), write(dw, n.w)});
}

void Backend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"conv2d_backward_bias", &Backend::conv2d_backward_bias, s, dtype, s, read(dy, n.y),
                 write(db, n.b)});
}

void Backend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                 void* argmax) {
  const ImageBytes n = bytes_of(dtype, s), index = bytes_of(DType::i32, s);
  run_elsewhere({"max_pool2d_forward", &Backend::max_pool2d_forward, s, dtype, s, read(x, n.x),
                 write(y, n.y), write(argmax, index.y)});
}

void Backend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                  const void* argmax, void* dx) {
  const ImageBytes n = bytes_of(dtype, s), index = bytes_of(DType::i32, s);
  run_elsewhere({"max_pool2d_backward", &Backend::max_pool2d_backward, s, dtype, s, read(dy, n.y),
                 read(argmax, index.y), write(dx, n.x)});
}

void Backend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"avg_pool2d_forward", &Backend::avg_pool2d_forward, s, dtype, s, read(x, n.x),
                 write(y, n.y)});
}

void Backend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) {
  const ImageBytes n = bytes_of(dtype, s);
  run_elsewhere({"avg_pool2d_backward", &Backend::avg_pool2d_backward, s, dtype, s, read(dy, n.y),
                 write(dx, n.x)});
}

void Backend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  const std::size_t n = bytes_of(dtype, s);
  run_elsewhere(
      {"lrn_across_forward", &Backend::lrn_across_forward, s, dtype, s, read(x, n), write(y, n)});
}

void Backend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                  void* dx) {
  const std::size_t n = bytes_of(dtype, s);
  run_elsewhere({"lrn_across_backward", &Backend::lrn_across_backward, s, dtype, s, read(x, n),
                 read(dy, n), write(dx, n)});
}

void Backend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  const std::size_t n = bytes_of(dtype, s);
  run_elsewhere(
      {"lrn_within_forward", &Backend::lrn_within_forward, s, dtype, s, read(x, n), write(y, n)});
}

void Backend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                  void* dx) {
  const std::size_t n = bytes_of(dtype, s);
  run_elsewhere({"lrn_within_backward", &Backend::lrn_within_backward, s, dtype, s, read(x, n),
                 read(dy, n), write(dx, n)});
}

void Backend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  run_elsewhere(
      {name_of(op), &Backend::unary, Shape{n}, dtype, op, n, read(x, bytes), write(y, bytes)});
}

void Backend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                             const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, n);
  run_elsewhere({"unary_backward", &Backend::unary_backward, Shape{n}, dtype, op, n, read(x, bytes),
                 read(y, bytes), read(dy, bytes), write(dx, bytes)});
}

void Backend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                     const void* b, void* y) {
  run_elsewhere({name_of(op), &Backend::binary, s, dtype, op, s,
                 read(a, bytes_of(dtype, extent(s, s.stride_a))),
                 read(b, bytes_of(dtype, extent(s, s.stride_b))),
                 write(y, bytes_of(dtype, numel(s)))});
}

void Backend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                              const void* a, const void* b, const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, numel(s));
  run_elsewhere({"select_backward", &Backend::select_backward, s, dtype, op, s, second,
                 read(a, bytes_of(dtype, extent(s, s.stride_a))),
                 read(b, bytes_of(dtype, extent(s, s.stride_b))), read(dy, bytes),
                 write(dx, bytes)});
}

void Backend::affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                     void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  run_elsewhere({"affine", &Backend::affine, Shape{n}, dtype, n, scale, shift, read(x, bytes),
                 write(y, bytes)});
}

void Backend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  run_elsewhere(
      {"accumulate", &Backend::accumulate, Shape{n}, dtype, n, read(x, bytes), update(y, bytes)});
}

void Backend::fill(DType dtype, std::int64_t n, double value, void* y) {
  run_elsewhere({"fill", &Backend::fill, Shape{n}, dtype, n, value, write(y, bytes_of(dtype, n))});
}

void Backend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  if (s.rows == 0 || s.cols == 0) return;
  const std::int64_t from = s.src_offset + extent(s.rows, s.cols, s.src_stride);
  const std::int64_t to = s.dst_offset + extent(s.rows, s.cols, s.dst_stride);
  run_elsewhere({"copy_block", &Backend::copy_block, s, dtype, s, read(src, bytes_of(dtype, from)),
                 update(dst, bytes_of(dtype, to))});
}

void Backend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                      void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  run_elsewhere(
      {"dropout", &Backend::dropout, Shape{n}, dtype, n, p, key, read(x, bytes), write(y, bytes)});
}

void Backend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                     std::int64_t inner, const void* x, void* y) {
  run_elsewhere({"reduce", &Backend::reduce, Shape{outer, len, inner}, dtype, op, outer, len, inner,
                 read(x, bytes_of(dtype, outer * len * inner)),
                 write(y, bytes_of(dtype, outer * inner))});
}

void Backend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                              void* y) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  run_elsewhere({"softmax_forward", &Backend::softmax_forward, Shape{rows, cols}, dtype, rows, cols,
                 read(x, bytes), write(y, bytes)});
}

void Backend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                               const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  run_elsewhere({"softmax_backward", &Backend::softmax_backward, Shape{rows, cols}, dtype, rows,
                 cols, read(y, bytes), read(dy, bytes), write(dx, bytes)});
}

void Backend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                    const void* x, const void* labels, void* probability,
                                    void* loss) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  run_elsewhere({"cross_entropy_forward", &Backend::cross_entropy_forward, Shape{rows, cols}, dtype,
                 rows, cols, read(x, bytes), read(labels, bytes_of(DType::i64, rows)),
                 write(probability, bytes), write(loss, bytes_of(dtype, rows))});
}

void Backend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* probability, const void* labels, const void* dloss,
                                     void* dx) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  run_elsewhere({"cross_entropy_backward", &Backend::cross_entropy_backward, Shape{rows, cols},
                 dtype, rows, cols, read(probability, bytes),
                 read(labels, bytes_of(DType::i64, rows)), read(dloss, bytes_of(dtype, rows)),
                 write(dx, bytes)});
}

void Backend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  const std::size_t bytes = bytes_of(dtype, s.n);
  run_elsewhere({"sgd_step", &Backend::sgd_step, Shape{s.n}, dtype, s, update(w, bytes),
                 read(g, bytes), update(v, bytes)});
}

}  // namespace limulus
