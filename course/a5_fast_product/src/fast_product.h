#pragma once
// Assignment 5: a fast product. This file is given; you write the .cpp files.
#include <algorithm>
#include <vector>

#include "course.h"
#include "vec8.h"

namespace course {

// C = alpha A B + beta C, in single precision:
//
//     A [m, k]    B [k, n]    C [m, n]
//
// Row i of A begins at a + i*lda, and lda >= k; likewise B with ldb >= n and C with ldc >= n. What
// lies between the end of a row and the begin of the next is not yours: neither read nor write it.
// With beta = 0 the old values of C do not count, whatever they are: they may be NaN. m, n and k
// may be 0, and a sum of no terms is 0. The arrays begin at any multiple of 4 bytes.
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::int64_t lda = 0;
  const float* b = nullptr;
  std::int64_t ldb = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  float alpha = 1, beta = 0;
};

// 5.1, loops.cpp
void multiply_loops(const Product& p);

// 5.2, blocks.cpp
void multiply_blocked(const Product& p);

// 5.3, panels.cpp. A panel of A is kTileRows rows high, one of B kTileCols columns wide.
constexpr std::int64_t kTileRows = 6, kTileCols = 16;

// The block of A of `rows` rows from row i on and `depth` columns from column l on, as panels, one
// behind the other. In panel q, value [step*kTileRows + r] is A[i + q*kTileRows + r, l + step], and
// 0 where that row is beyond the block.
void pack_a(const Product& p, std::int64_t i, std::int64_t rows, std::int64_t l, std::int64_t depth,
            float* panels);
// The block of B of `depth` rows from row l on and `cols` columns from column j on. In panel q,
// value [step*kTileCols + c] is B[l + step, j + q*kTileCols + c], and 0 where that column is beyond
// the block.
void pack_b(const Product& p, std::int64_t l, std::int64_t depth, std::int64_t j, std::int64_t cols,
            float* panels);

// 5.4, tile.cpp: one panel of A times one of B, `depth` steps each, and of the result the first
// `rows` rows and `cols` columns: c[r*ldc + s] = alpha * (the sum over steps) + beta * c[r*ldc +
// s].
void multiply_tile(std::int64_t depth, const float* a_panel, const float* b_panel, float alpha,
                   float beta, float* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols);

// 5.5, product.cpp
void multiply_fast(const Product& p);

}  // namespace course
