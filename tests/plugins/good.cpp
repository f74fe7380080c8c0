// A plugin with two devices: one kernel that is right, and one that is wrong in its last row.
#include "backends/cpu/cpu_backend.h"
#include "backends/plugin.h"
#include "core/describe.h"
#include "core/trace.h"

namespace {

using namespace limulus;

class CheckedPool : public CpuBackend {
 public:
  CheckedPool(const char* name, bool right) : CpuBackend(0, name), right_(right) {}
  void max_pool2d_forward(DType t, const Pool2dShape& s, const void* x, void* y,
                          void* argmax) override {
    const Trace trace(*this, "max_pool2d_forward", "my kernel", [&] { return describe(s); });
    CpuBackend::max_pool2d_forward(t, s, x, y, argmax);
    if (right_) return;
    const std::int64_t n = s.n * s.c * s.window.h.out * s.window.w.out;
    for (std::int64_t i = n - s.window.w.out; i < n; ++i)
      if (t == DType::f32)
        static_cast<float*>(y)[i] += 1;
      else
        static_cast<double*>(y)[i] += 1;
  }

 private:
  bool right_;
};

}  // namespace

void limulus_plugin() {
  add_device(std::make_unique<CheckedPool>("right", true));
  add_device(std::make_unique<CheckedPool>("wrong", false));
}
