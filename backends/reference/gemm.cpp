// The product of two matrices:
//
//     C[i, j] = sum over p of A[i, p] B[p, j] + beta C[i, j]        i < m,  j < n,  p < k
//
// A stored matrix has its rows ld elements apart, so that a block of a larger one can be meant. A
// transposed operand is read with its indices exchanged, and never moved.
#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

template <class T>
void gemm(const GemmShape& s, const T* A, const T* B, T* C) {
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      // With beta = 0, C may hold anything, even NaN: it is not read, rather than multiplied by 0.
      Sum sum = s.beta == 0 ? Sum{0} : Sum{C[i * s.ldc + j]};
      for (std::int64_t p = 0; p < s.k; ++p) {
        const Sum a = s.trans_a ? A[p * s.lda + i] : A[i * s.lda + p];
        const Sum b = s.trans_b ? B[j * s.ldb + p] : B[p * s.ldb + j];
        sum += a * b;
      }
      C[i * s.ldc + j] = static_cast<T>(sum);
    }
  }
}

}  // namespace
}  // namespace reference

void ReferenceBackend::gemm(DType dtype, const GemmShape& s, const void* a, const void* b,
                            void* c) {
  using namespace reference;
  const auto trace = traced("gemm", s);
  dispatch(dtype, [&]<class T>() { reference::gemm(s, as<T>(a), as<T>(b), as<T>(c)); });
}

}  // namespace limulus
