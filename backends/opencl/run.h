#pragma once
// What every primitive of the OpenCL backend goes through.
#include <string>
#include <type_traits>

#include "backends/opencl/opencl_backend.h"
#include "backends/opencl/runtime.h"
#include "core/buffer_pool.h"
#include "core/describe.h"
#include "core/trace.h"

namespace limulus {

template <class S, class F>
void OpenClBackend::run(DType dtype, const char* primitive, const S& shape, F body) {
  Trace trace(*this, primitive, "opencl", [&] { return describe(shape); });
  if (dtype != DType::f32 && dtype != DType::f64)
    throw DTypeError(std::string(primitive) + ": arithmetic is done in f32 or f64, not in " +
                     name_of(dtype));
  if (dtype == DType::f64 && !runtime_->has_double())
    throw DeviceError(name_ + ": " + primitive +
                      ": this device has no double precision (fp64); compute in float, or on the "
                      "device \"cpu\"");
  try {
    if constexpr (std::is_invocable_v<F, opencl::Runtime&, Trace&>)
      body(*runtime_, trace);  // says by which method, where there are several
    else
      body(*runtime_);
  } catch (const opencl::LaunchError& e) {
    throw opencl::failure(name_, primitive + (", " + e.launch), e.error);
  } catch (const cl::Error& error) {
    throw opencl::failure(name_, primitive, error);
  }
}

namespace opencl {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

}  // namespace opencl
}  // namespace limulus
