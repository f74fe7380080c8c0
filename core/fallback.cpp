// What a primitive does on a backend that has not overridden it: it runs on the reference backend.
//
// Where the backend's buffers are host memory, the reference simply works on them. Elsewhere the
// inputs are downloaded, the reference runs on the copies, and the outputs are uploaded: slow, but
// right, and so a new backend begins with an empty class and gains its kernels one by one.
#include <atomic>
#include <initializer_list>
#include <list>
#include <string>

#include "core/backend.h"
#include "core/buffer_pool.h"
#include "core/describe.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/shape.h"
#include "core/trace.h"

namespace limulus {
namespace {

std::atomic<Backend*> fallback_backend = nullptr;

std::atomic<bool>& strict_mode() {
  static std::atomic<bool> value = environment::is_on("LIMULUS_STRICT", false);
  return value;
}

// One array of a primitive: the parameter that holds its address, and how the primitive uses it.
struct Array {
  const void** input;  // either this
  void** output;       // or this
  std::size_t bytes;
  bool is_read;
};
Array read(const void*& x, std::size_t bytes) { return {&x, nullptr, bytes, true}; }
Array write(void*& y, std::size_t bytes) { return {nullptr, &y, bytes, false}; }
Array update(void*& y, std::size_t bytes) { return {nullptr, &y, bytes, true}; }

// Calls run(reference) after it has replaced the address in every array by one on the host, and
// brings the outputs back. A null address stays null.
template <class S, class Run>
void on_host(Backend& backend, const char* primitive, const S& shape,
             std::initializer_list<Array> arrays, Run run) {
  Backend* reference = fallback_backend;
  if (reference == nullptr || reference == &backend) {
    throw DeviceError(std::string(primitive) + ": backend " + backend.name() +
                      " has no such kernel, and there is no reference backend to run it: call "
                      "device(\"reference\") or set_fallback_backend first");
  }
  if (strict_mode()) {
    throw DeviceError(std::string(primitive) + ": backend " + backend.name() +
                      " has no such kernel, and strict mode forbids the reference to run in its "
                      "place: write the kernel, or unset LIMULUS_STRICT");
  }
  const auto shapes = [&shape] { return describe(shape); };
  const Trace trace(backend, primitive, "reference", shapes, /*fallback=*/true);
  if (backend.host_memory()) {
    run(*reference);
    return;
  }
  struct Upload {
    void* to;
    const void* from;
    std::size_t bytes;
  };
  std::list<Workspace> copies;
  std::list<Upload> uploads;
  for (const Array& array : arrays) {
    const void* there = array.input != nullptr ? *array.input : *array.output;
    if (there == nullptr) continue;
    void* here = copies.emplace_back(reference->pool(), array.bytes).data();
    if (array.is_read && array.bytes != 0) backend.download(here, there, array.bytes);
    if (array.input != nullptr) {
      *array.input = here;
    } else {
      uploads.push_back({*array.output, here, array.bytes});
      *array.output = here;
    }
  }
  run(*reference);
  reference->synchronize();
  for (const Upload& upload : uploads) {
    if (upload.bytes != 0) backend.upload(upload.to, upload.from, upload.bytes);
  }
}

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

// ---- the primitives -------------------------------------------------------------------------

void Backend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) {
  const std::int64_t na = s.trans_a ? extent(s.k, s.m, s.lda) : extent(s.m, s.k, s.lda);
  const std::int64_t nb = s.trans_b ? extent(s.n, s.k, s.ldb) : extent(s.k, s.n, s.ldb);
  // C is read for beta = 1, and also where rows have gaps: what stands there must come back.
  const bool whole = s.beta == 0 && s.ldc == s.n;
  const std::size_t nc = bytes_of(dtype, extent(s.m, s.n, s.ldc));
  on_host(*this, "gemm", s,
          {read(a, bytes_of(dtype, na)), read(b, bytes_of(dtype, nb)),
           whole ? write(c, nc) : update(c, nc)},
          [&](Backend& r) { r.gemm(dtype, s, a, b, c); });
}

void Backend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                             const void* b, void* y) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "conv2d_forward", s, {read(x, n.x), read(w, n.w), read(b, n.b), write(y, n.y)},
          [&](Backend& r) { r.conv2d_forward(dtype, s, x, w, b, y); });
}

void Backend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                    const void* w, void* dx) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "conv2d_backward_input", s, {read(dy, n.y), read(w, n.w), write(dx, n.x)},
          [&](Backend& r) { r.conv2d_backward_input(dtype, s, dy, w, dx); });
}

void Backend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                     const void* dy, void* dw) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "conv2d_backward_weight", s, {read(x, n.x), read(dy, n.y), write(dw, n.w)},
          [&](Backend& r) { r.conv2d_backward_weight(dtype, s, x, dy, dw); });
}

void Backend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "conv2d_backward_bias", s, {read(dy, n.y), write(db, n.b)},
          [&](Backend& r) { r.conv2d_backward_bias(dtype, s, dy, db); });
}

void Backend::max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                                 void* argmax) {
  const ImageBytes n = bytes_of(dtype, s), index = bytes_of(DType::i32, s);
  on_host(*this, "max_pool2d_forward", s, {read(x, n.x), write(y, n.y), write(argmax, index.y)},
          [&](Backend& r) { r.max_pool2d_forward(dtype, s, x, y, argmax); });
}

void Backend::max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy,
                                  const void* argmax, void* dx) {
  const ImageBytes n = bytes_of(dtype, s), index = bytes_of(DType::i32, s);
  on_host(*this, "max_pool2d_backward", s, {read(dy, n.y), read(argmax, index.y), write(dx, n.x)},
          [&](Backend& r) { r.max_pool2d_backward(dtype, s, dy, argmax, dx); });
}

void Backend::avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "avg_pool2d_forward", s, {read(x, n.x), write(y, n.y)},
          [&](Backend& r) { r.avg_pool2d_forward(dtype, s, x, y); });
}

void Backend::avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) {
  const ImageBytes n = bytes_of(dtype, s);
  on_host(*this, "avg_pool2d_backward", s, {read(dy, n.y), write(dx, n.x)},
          [&](Backend& r) { r.avg_pool2d_backward(dtype, s, dy, dx); });
}

void Backend::lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  const std::size_t n = bytes_of(dtype, s);
  on_host(*this, "lrn_across_forward", s, {read(x, n), write(y, n)},
          [&](Backend& r) { r.lrn_across_forward(dtype, s, x, y); });
}

void Backend::lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                  void* dx) {
  const std::size_t n = bytes_of(dtype, s);
  on_host(*this, "lrn_across_backward", s, {read(x, n), read(dy, n), write(dx, n)},
          [&](Backend& r) { r.lrn_across_backward(dtype, s, x, dy, dx); });
}

void Backend::lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) {
  const std::size_t n = bytes_of(dtype, s);
  on_host(*this, "lrn_within_forward", s, {read(x, n), write(y, n)},
          [&](Backend& r) { r.lrn_within_forward(dtype, s, x, y); });
}

void Backend::lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                                  void* dx) {
  const std::size_t n = bytes_of(dtype, s);
  on_host(*this, "lrn_within_backward", s, {read(x, n), read(dy, n), write(dx, n)},
          [&](Backend& r) { r.lrn_within_backward(dtype, s, x, dy, dx); });
}

void Backend::unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  on_host(*this, name_of(op), Shape{n}, {read(x, bytes), write(y, bytes)},
          [&](Backend& r) { r.unary(dtype, op, n, x, y); });
}

void Backend::unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                             const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, n);
  on_host(*this, "unary_backward", Shape{n},
          {read(x, bytes), read(y, bytes), read(dy, bytes), write(dx, bytes)},
          [&](Backend& r) { r.unary_backward(dtype, op, n, x, y, dy, dx); });
}

void Backend::binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a,
                     const void* b, void* y) {
  on_host(*this, name_of(op), s,
          {read(a, bytes_of(dtype, extent(s, s.stride_a))),
           read(b, bytes_of(dtype, extent(s, s.stride_b))), write(y, bytes_of(dtype, numel(s)))},
          [&](Backend& r) { r.binary(dtype, op, s, a, b, y); });
}

void Backend::select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                              const void* a, const void* b, const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, numel(s));
  on_host(*this, "select_backward", s,
          {read(a, bytes_of(dtype, extent(s, s.stride_a))),
           read(b, bytes_of(dtype, extent(s, s.stride_b))), read(dy, bytes), write(dx, bytes)},
          [&](Backend& r) { r.select_backward(dtype, op, s, second, a, b, dy, dx); });
}

void Backend::affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
                     void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  on_host(*this, "affine", Shape{n}, {read(x, bytes), write(y, bytes)},
          [&](Backend& r) { r.affine(dtype, n, scale, shift, x, y); });
}

void Backend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  on_host(*this, "accumulate", Shape{n}, {read(x, bytes), update(y, bytes)},
          [&](Backend& r) { r.accumulate(dtype, n, x, y); });
}

void Backend::fill(DType dtype, std::int64_t n, double value, void* y) {
  on_host(*this, "fill", Shape{n}, {write(y, bytes_of(dtype, n))},
          [&](Backend& r) { r.fill(dtype, n, value, y); });
}

void Backend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  if (s.rows == 0 || s.cols == 0) return;
  const std::int64_t from = s.src_offset + extent(s.rows, s.cols, s.src_stride);
  const std::int64_t to = s.dst_offset + extent(s.rows, s.cols, s.dst_stride);
  on_host(*this, "copy_block", s,
          {read(src, bytes_of(dtype, from)), update(dst, bytes_of(dtype, to))},
          [&](Backend& r) { r.copy_block(dtype, s, src, dst); });
}

void Backend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                      void* y) {
  const std::size_t bytes = bytes_of(dtype, n);
  on_host(*this, "dropout", Shape{n}, {read(x, bytes), write(y, bytes)},
          [&](Backend& r) { r.dropout(dtype, n, p, key, x, y); });
}

void Backend::reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len,
                     std::int64_t inner, const void* x, void* y) {
  on_host(*this, "reduce", Shape{outer, len, inner},
          {read(x, bytes_of(dtype, outer * len * inner)), write(y, bytes_of(dtype, outer * inner))},
          [&](Backend& r) { r.reduce(dtype, op, outer, len, inner, x, y); });
}

void Backend::softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                              void* y) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  on_host(*this, "softmax_forward", Shape{rows, cols}, {read(x, bytes), write(y, bytes)},
          [&](Backend& r) { r.softmax_forward(dtype, rows, cols, x, y); });
}

void Backend::softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                               const void* dy, void* dx) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  on_host(*this, "softmax_backward", Shape{rows, cols},
          {read(y, bytes), read(dy, bytes), write(dx, bytes)},
          [&](Backend& r) { r.softmax_backward(dtype, rows, cols, y, dy, dx); });
}

void Backend::cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols,
                                    const void* x, const void* labels, void* probability,
                                    void* loss) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  on_host(*this, "cross_entropy_forward", Shape{rows, cols},
          {read(x, bytes), read(labels, bytes_of(DType::i64, rows)), write(probability, bytes),
           write(loss, bytes_of(dtype, rows))},
          [&](Backend& r) {
            r.cross_entropy_forward(dtype, rows, cols, x, labels, probability, loss);
          });
}

void Backend::cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                                     const void* probability, const void* labels, const void* dloss,
                                     void* dx) {
  const std::size_t bytes = bytes_of(dtype, rows * cols);
  on_host(*this, "cross_entropy_backward", Shape{rows, cols},
          {read(probability, bytes), read(labels, bytes_of(DType::i64, rows)),
           read(dloss, bytes_of(dtype, rows)), write(dx, bytes)},
          [&](Backend& r) {
            r.cross_entropy_backward(dtype, rows, cols, probability, labels, dloss, dx);
          });
}

void Backend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  const std::size_t bytes = bytes_of(dtype, s.n);
  on_host(*this, "sgd_step", Shape{s.n}, {update(w, bytes), read(g, bytes), update(v, bytes)},
          [&](Backend& r) { r.sgd_step(dtype, s, w, g, v); });
}

}  // namespace limulus
