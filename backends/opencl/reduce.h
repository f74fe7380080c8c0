#pragma once
// Reductions as the host sees them (kernels/reduce.cl): a long one in pieces, whose results are
// reduced again. `kernel` is "sum_rows" or "max_rows", "sum_across" or "max_across".
#include <cstdint>

#include "backends/opencl/run.h"

namespace limulus::opencl {

// x [rows, len] -> y [rows]
void reduce_rows(Runtime& r, DType dtype, const char* kernel, std::int64_t rows, std::int64_t len,
                 const void* x, void* y, Pool& pool);
// x [outer, len, inner] -> y [outer, inner]
void reduce_across(Runtime& r, DType dtype, const char* kernel, std::int64_t outer,
                   std::int64_t len, std::int64_t inner, const void* x, void* y, Pool& pool);

}  // namespace limulus::opencl
