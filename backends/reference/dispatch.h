#pragma once
// From the untyped arrays of the Backend interface to typed loops.
//
//     dispatch(dtype, [&]<class T>() { gemm(s, as<T>(a), as<T>(b), as<T>(c)); });
//
// calls gemm for float or for double.
#include <string>

#include "core/dtype.h"
#include "core/error.h"

namespace limulus::reference {

// Every sum in this folder is formed in double, even over floats. The reference is the judge of
// other backends: its own rounding should be far below theirs, so that what remains of a difference
// is theirs. (The product of two floats is exact in double; a sum of n of them is off by n times
// 2^-53 at most, relative to the sum of their magnitudes.)
using Sum = double;

template <class F>
void dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::i64:
    case DType::i32:
    case DType::bf16:
      break;
  }
  throw DTypeError(std::string("reference: arithmetic is done in f32 or f64, not in ") +
                   name_of(dtype));
}

// For what works on elements of every type.
template <class F>
void dispatch_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::i64:
      return f.template operator()<std::int64_t>();
    case DType::i32:
      return f.template operator()<std::int32_t>();
    case DType::bf16:
      return f.template operator()<Bf16>();
    case DType::f32:
    case DType::f64:
      return dispatch(dtype, f);
  }
}

template <class T>
const T* as(const void* array) {
  return static_cast<const T*>(array);
}
template <class T>
T* as(void* array) {
  return static_cast<T*>(array);
}

}  // namespace limulus::reference
