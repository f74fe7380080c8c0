// Fills, copies, dropout and the update of weights on the device (kernels/copy.cl, dropout.cl,
// sgd.cl).
#include <cstring>

#include "backends/opencl/run.h"

namespace limulus {
namespace opencl {
namespace {

Items runs(const Runtime& r, std::int64_t n) { return {ceil_div(n, r.tuning().run), 1, 1}; }

// The bits of `value` as an element of that type.
std::uint64_t bits_of(DType dtype, double value) {
  const auto bits = [](auto element) {
    std::uint64_t word = 0;
    std::memcpy(&word, &element, sizeof(element));
    return word;
  };
  switch (dtype) {
    case DType::f32:
      return bits(static_cast<float>(value));
    case DType::f64:
      return bits(value);
    case DType::i64:
      return bits(static_cast<std::int64_t>(value));
    case DType::i32:
      return bits(static_cast<std::int32_t>(value));
    case DType::bf16:
      return bits(round_to_bf16(static_cast<float>(value)));
  }
  return 0;
}

}  // namespace
}  // namespace opencl

// Both move bytes of any type. So each is built only once, as for floats.
void OpenClBackend::fill(DType dtype, std::int64_t n, double value, void* y) {
  using namespace opencl;
  run(DType::f32, "fill", Shape{n}, [&](Runtime& r) {
    const std::uint64_t bits = bits_of(dtype, value);
    if (size_of(dtype) == 2)
      r.launch("copy", DType::f32, "fill_2", runs(r, n), static_cast<std::uint16_t>(bits), y, n);
    else if (size_of(dtype) == 4)
      r.launch("copy", DType::f32, "fill_4", runs(r, n), static_cast<std::uint32_t>(bits), y, n);
    else
      r.launch("copy", DType::f32, "fill_8", runs(r, n), bits, y, n);
  });
}

void OpenClBackend::copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) {
  using namespace opencl;
  run(DType::f32, "copy_block", s, [&](Runtime& r) {
    const Items items = {ceil_div(s.cols, r.tuning().run), s.rows, 1};
    const std::size_t size = size_of(dtype);
    r.launch("copy", DType::f32,
             size == 2   ? "copy_block_2"
             : size == 4 ? "copy_block_4"
                         : "copy_block_8",
             items, src, s.src_offset, s.src_stride, dst, s.dst_offset, s.dst_stride, s.cols);
  });
}

void OpenClBackend::dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
                            void* y) {
  using namespace opencl;
  run(dtype, "dropout", Shape{n}, [&](Runtime& r) {
    r.launch("dropout", dtype, "dropout", runs(r, ceil_div(n, 4)), x, y, n, Real{1 - p},
             dropout_threshold(p), key.seed, key.stream);
  });
}

void OpenClBackend::sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) {
  using namespace opencl;
  run(dtype, "sgd_step", Shape{s.n}, [&](Runtime& r) {
    r.launch("sgd", dtype, s.rule == SgdRule::paper ? "sgd_paper" : "sgd_pytorch", runs(r, s.n), w,
             g, v, s.n, Real{s.lr}, Real{s.momentum}, Real{s.weight_decay});
  });
}

}  // namespace limulus
