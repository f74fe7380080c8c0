// Small operations on whole arrays: scale and shift, add into, fill, copy, drop out.
#include <cstring>
#include <type_traits>

#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {

// y = scale x + shift
void ReferenceBackend::affine(DType dtype, std::int64_t n, double scale, double shift,
                              const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("affine", Shape{n});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) as<T>(y)[i] = static_cast<T>(scale * as<T>(x)[i] + shift);
  });
}

// y += x
void ReferenceBackend::accumulate(DType dtype, std::int64_t n, const void* x, void* y) {
  using namespace reference;
  const auto trace = traced("accumulate", Shape{n});
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) as<T>(y)[i] += as<T>(x)[i];
  });
}

// Any type: a tensor of labels may be zeroed, too.
void ReferenceBackend::fill(DType dtype, std::int64_t n, double value, void* y) {
  using namespace reference;
  const auto trace = traced("fill", Shape{n});
  dispatch_any(dtype, [&]<class T>() {
    T v;
    if constexpr (std::is_same_v<T, Bf16>)
      v = round_to_bf16(static_cast<float>(value));
    else
      v = static_cast<T>(value);
    for (std::int64_t i = 0; i < n; ++i) as<T>(y)[i] = v;
  });
}

// Row r of a block stands at offset + r * stride, in the source as in the destination.
void ReferenceBackend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  using namespace reference;
  const auto trace = traced("copy_block", s);
  if (s.cols == 0) return;
  const auto bytes = static_cast<std::int64_t>(size_of(dtype));
  for (std::int64_t r = 0; r < s.rows; ++r) {
    std::memcpy(as<char>(dst) + (s.dst_offset + r * s.dst_stride) * bytes,
                as<char>(src) + (s.src_offset + r * s.src_stride) * bytes,
                static_cast<std::size_t>(s.cols * bytes));
  }
}

// Dropout (Krizhevsky et al. 2012, section 4.2), in the inverted form: what is kept is divided by
// the chance 1 - p of being kept, so that the expected sum stays, and testing needs no correction
// (the paper instead halves all outputs at test time).
//
//     y_i = x_i / (1 - p)   if word i of the key's sequence is at or above p 2^32,   else 0
//
// Word i depends on i and the key alone: every backend drops the same elements.
void ReferenceBackend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                               void* y) {
  using namespace reference;
  const auto trace = traced("dropout", Shape{n});
  const std::uint32_t threshold = dropout_threshold(p);
  dispatch(dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint32_t word = philox_block(key, static_cast<std::uint64_t>(i / 4)).v[i % 4];
      as<T>(y)[i] = word >= threshold ? static_cast<T>(as<T>(x)[i] / (1 - p)) : T{0};
    }
  });
}

}  // namespace limulus
