// 12 A new backend with one kernel
//
// A backend is a device that Limulus runs on: about thirty primitives and some
// memory (`core/backend.h`). A new one need not have them all. What it lacks
// runs on the reference backend in its place, so it works from the first day
// and gains its kernels one by one. This one has one: the product of matrices.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/describe.h"
#include "core/error.h"
#include "core/rng.h"
#include "core/trace.h"
#include "gradcheck/layer.h"
#include "layers/activation.h"
#include "layers/cross_entropy.h"
#include "layers/init.h"
#include "layers/linear.h"
#include "models/initialize.h"

using namespace limulus;

// ---- The kernel ----
//
// C = op(A) op(B) + beta C, where op may transpose. The innermost loop runs
// along a row of C, so that (but for a transposed B) it reads and writes
// neighbours. `beta` is 0 or 1; with 0, C may hold anything before, even NaN,
// and is not read. It is a template, for f32 learns and f64 checks gradients.
template <class T>
void gemm_by_rows(const GemmShape& s, const T* A, const T* B, T* C) {
  for (std::int64_t i = 0; i < s.m; ++i) {
    T* row = C + i * s.ldc;
    if (s.beta == 0) std::memset(row, 0, s.n * sizeof(T));
    for (std::int64_t p = 0; p < s.k; ++p) {
      const T a = s.trans_a ? A[p * s.lda + i] : A[i * s.lda + p];
      for (std::int64_t j = 0; j < s.n; ++j)
        row[j] += a * (s.trans_b ? B[j * s.ldb + p] : B[p * s.ldb + j]);
    }
  }
}

// ---- The backend ----
//
// What it must say: its name, and how it keeps memory. Here that is the host's;
// a device with memory of its own says no to `host_memory` and copies in
// `upload` and `download`. Kernels expect buffers aligned to 64 bytes.
class RowsBackend final : public Backend {
 public:
  ~RowsBackend() override { pool().trim(); }
  std::string name() const override { return "rows"; }
  std::string description() const override { return "a product, row by row"; }
  void* allocate(std::size_t bytes) override {
    void* buffer = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (buffer == nullptr) throw DeviceError("rows: out of memory");
    return buffer;
  }
  void deallocate(void* p, std::size_t) noexcept override { std::free(p); }
  bool host_memory() const override { return true; }
  void upload(void* to, const void* from, std::size_t n) override {
    std::memcpy(to, from, n);
  }
  void download(void* to, const void* from, std::size_t n) override {
    std::memcpy(to, from, n);
  }

  // And what it can do. The Trace reports the call to whoever listens.
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b,
            void* c) override {
    const Trace trace(*this, "gemm", "rows", [&] { return describe(s); });
    if (dtype == DType::f32)
      gemm_by_rows(s, static_cast<const float*>(a),
                   static_cast<const float*>(b), static_cast<float*>(c));
    else
      gemm_by_rows(s, static_cast<const double*>(a),
                   static_cast<const double*>(b), static_cast<double*>(c));
  }
};

// ---- A network to run on it ----
//
// Two layers, eight images of six values, three classes. Weights and inputs are
// the same on every device. The gradients of all parameters, one after another.
std::vector<double> gradients(Backend& backend) {
  Sequential net;
  net.add<Linear>("fc1", 6, 5, backend).add<ReLU>("relu");
  net.add<Linear>("fc2", 5, 3, backend);
  initialize(net, Recipe::he, 1);
  Tensor x = Tensor::empty({8, 6}, DType::f32, backend);
  Rng rng(2);
  fill_normal(x, 0, 1, rng);
  const std::vector<std::int64_t> labels = {0, 1, 2, 0, 1, 2, 0, 1};
  cross_entropy(net(x), Tensor::from(labels, {8}, backend)).backward();
  std::vector<double> all;
  for (const auto& [name, parameter] : net.parameters())
    for (double g : parameter.grad().to_doubles()) all.push_back(g);
  return all;
}

int main() {
  // ---- What runs where ----
  //
  // With its name known, it is a device like any other, for models, trainers
  // and gradient checks. Every primitive reports itself; we count them. Five
  // products: two forward, two for the weights' gradients, and one for the
  // gradient that goes from fc2 down to fc1. Below fc1 nobody asks for one.
  Backend& rows = add_device(std::make_unique<RowsBackend>());
  std::map<std::pair<std::string, std::string>, int> calls;
  set_trace_sink([&](const TraceEvent& e) {
    ++calls[{e.primitive, e.fallback ? "reference" : e.kernel}];
  });
  const std::vector<double> mine = gradients(device("rows"));
  set_trace_sink({});
  for (const auto& [what, count] : calls)
    std::printf("%d  %-24s %s\n", count, what.first.c_str(),
                what.second.c_str());

  // ---- Is it right? ----
  //
  // First against the reference, which adds in f64 and so rounds differently.
  // Then, in f64, the gradient check.
  const std::vector<double> wanted = gradients(device("reference"));
  double difference = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    difference = std::fmax(difference, std::fabs(mine[i] - wanted[i]));
  std::printf("\n%zu gradients, %s\n", wanted.size(),
              difference < 1e-6 ? "all within 1e-6" : "DIFFERENT");

  Linear layer(6, 5, rows, DType::f64);
  Rng rng(3);
  init::uniform(layer.weight, -1, 1, rng);
  const Tensor x = Tensor::full({4, 6}, 0.5, DType::f64, rows);
  std::printf("gradcheck: %s\n\n", name_of(gradcheck(layer, x).verdict()));

  // ---- What next? ----
  //
  // In strict mode (`LIMULUS_STRICT=1`) a fallback is an error that names the
  // kernel to write.
  set_strict(true);
  try {
    gradients(rows);
  } catch (const DeviceError& error) {
    std::printf("%s\n", error.what());
  }
}
