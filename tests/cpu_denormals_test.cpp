// Denormal numbers. No kernel meets one in memory that holds nothing; and in a FlushDenormals scope
// all threads take them for 0.
#include <doctest/doctest.h>
#include <xmmintrin.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/queued.h"
#include "core/algebra.h"
#include "core/denormals.h"
#include "gradcheck/cases/op_cases.h"
#include "primitive_calls.h"

using namespace limulus;

namespace {

constexpr unsigned denormal_operand = 2, invalid = 1;  // MXCSR's flags

// Fills what the backend's pool and arena would hand out next with one bit pattern. `bytes` of
// small buffers of each class, and one large piece.
void poison_memory(CpuBackend& backend, std::size_t large, std::uint32_t pattern) {
  std::vector<std::pair<void*, std::size_t>> taken;
  const auto take = [&](std::size_t bytes) {
    void* p = backend.pool().take(bytes);
    static_assert(sizeof(wchar_t) == sizeof pattern);
    std::wmemset(static_cast<wchar_t*>(p), static_cast<wchar_t>(pattern), bytes / 4);
    taken.emplace_back(p, bytes);
  };
  for (std::size_t bytes = 256; bytes < (1 << 20); bytes = Pool::size_class(bytes + 1))
    for (int i = 0; i < 2; ++i) take(bytes);
  take(large);
  for (const auto& [p, bytes] : taken) backend.pool().give(p, bytes);
}

// The flags that a row of the table raises in memory that holds `pattern`: forward and backward.
unsigned flags_of(const OpCase& c, DType dtype, CpuBackend& backend, std::uint32_t pattern) {
  std::vector<Tensor> in = make_inputs(c, dtype, backend);
  for (Tensor& t : in)
    if (t.dtype() == dtype) t.set_requires_grad();
  poison_memory(backend, std::size_t{c.large ? 48u : 3u} << 20, pattern);
  _mm_setcsr(_mm_getcsr() & ~0x3fu);
  const Tensor y = c.f(in);
  Tensor dy = Tensor::full(y.shape(), 1, dtype, backend);
  y.backward(dy);
  return _mm_getcsr() & (denormal_operand | invalid);
}

}  // namespace

TEST_CASE("no row of the table computes with memory that holds nothing") {
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(1, "cpu", isa);
    int looked_at = 0;
    for (const DType dtype : {DType::f32, DType::f64})
      for (const OpCase& c : op_cases()) {
        if (c.large && dtype == DType::f64) continue;  // the same kernels
        // In memory of zeros: some rows meet 0/0 in lanes beyond the end, which costs nothing.
        const unsigned usual = flags_of(c, dtype, backend, 0);
        // A denormal number of either type; and a signalling NaN of either, which arithmetic
        // reports.
        const unsigned denormals = flags_of(c, dtype, backend, 0x00000b0b);
        const unsigned signals = flags_of(c, dtype, backend, 0x7fa00000);
        CHECK_MESSAGE((denormals & ~usual & denormal_operand) == 0,
                      c.name << " in " << name_of(dtype) << ", " << isa << ": denormal operands");
        if ((usual & invalid) == 0 && dtype == DType::f32)
          CHECK_MESSAGE((signals & invalid) == 0, c.name << " in " << name_of(dtype) << ", " << isa
                                                         << ": an invalid operation");
        looked_at += (usual & denormal_operand) == 0;
      }
    CHECK(looked_at > 200);
  }
}

namespace {

// Products of denormal numbers with 1, enough of them for several threads: what is left of them.
double what_is_left(Backend& backend) {
  constexpr std::int64_t n = 1 << 20;
  Tensor x = Tensor::full({n}, 1e-40, DType::f32, backend);
  Tensor y = affine(x, 4, 0);
  double largest = 0;
  for (const double v : y.to_doubles()) largest = std::max(largest, v);
  return largest;
}

}  // namespace

TEST_CASE("FlushDenormals reaches every thread, ends with its scope, and nests") {
  CHECK(!FlushDenormals::active());
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) {
      std::printf("skipped: this processor has no %s\n", isa.c_str());
      continue;
    }
    CpuBackend backend(3, "cpu", isa);
    CHECK(what_is_left(backend) == doctest::Approx(4e-40).epsilon(1e-3));
    {
      const FlushDenormals flush;
      CHECK(FlushDenormals::active());
      CHECK(what_is_left(backend) == 0);
      {
        const FlushDenormals not_here(false);
        CHECK(what_is_left(backend) > 0);
      }
      CHECK(what_is_left(backend) == 0);
    }
    CHECK(what_is_left(backend) > 0);
    CHECK((_mm_getcsr() & 0x8040) == 0);

    QueuedBackend queued(std::make_unique<CpuBackend>(2, "cpu", isa));
    {
      const FlushDenormals flush;
      CHECK(what_is_left(queued) == 0);
    }
    CHECK(what_is_left(queued) > 0);
  }
}

TEST_CASE("with flushing, too, the threads do not change a bit") {
  for (const std::string& isa : cpu_instruction_sets()) {
    if (!cpu_supports(isa)) continue;
    CpuBackend backend(1, "cpu", isa);
    const FlushDenormals flush;
    const auto bits = [&](int threads) {
      backend.set_threads(threads);
      std::vector<double> values = some_numbers(600'000);
      for (std::size_t i = 0; i < values.size(); i += 3) values[i] *= 1e-38;
      Tensor x =
          Tensor::from(std::vector<float>(values.begin(), values.end()), {600, 1000}, backend);
      std::vector<double> all = (x * 1e-3).to_doubles();
      const std::vector<double> product = matmul(x, x, true, false).to_doubles();
      all.insert(all.end(), product.begin(), product.end());
      return all;
    };
    const auto alone = bits(1);
    for (const int threads : {2, 3, 5}) CHECK(bits(threads) == alone);
  }
}
