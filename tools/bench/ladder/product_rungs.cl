// A matrix product by rungs, from the formula to the tile of the library (backends/opencl/kernels).
//
//     C[i, j] = sum over p of A[i, p] B[p, j]          i < m,  j < n,  p < k
//
// `limulus bench ladder --device opencl:0` runs each rung and compares its result with the textbook
// loops; docs/opencl.md tells what was measured, and why. Rows of a matrix lie one after the other.
// Sizes are multiples of every tile, so that no rung has to care for edges: tile.cl does.
//
// The host gives, as -D options:
//     VEC    floats of one vector
//     ROWS   rows of a tile, which is 2 VEC columns wide
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, VEC) floatV;  // float8, float16
#define LOADV(p) JOIN(vload, VEC)(0, p)
#define STOREV(v, p) JOIN(vstore, VEC)(v, 0, p)
#define RUN 64  // neighbours that one item computes in run_of_a_row

// One element of C, as the formula says it. Two things are slow, and neither is the arithmetic. The
// sum is a chain: each addition waits for the one before it, some four cycles, in which a core
// could have done eight vectors of them. And B is read down a column, a whole cache line for each
// number. Items: (column, row), groups of 64 columns.
kernel void one_element(global const float* a, global const float* b, global float* c, int n,
                        int k) {
  const int j = get_global_id(0), i = get_global_id(1);
  float sum = 0;
  for (int p = 0; p < k; ++p) sum += a[i * k + p] * b[p * n + j];
  c[i * n + j] = sum;
}

// 64 neighbours of a row. Their sums do not wait for each other, so the compiler makes vectors of
// the inner loop, and what it reads of B lies side by side. But a number of B is still read for
// each multiply-add, and a core reads two vectors in the time in which it does two vectors of FMAs,
// if they come from the first cache. These come from the second: B's rows pass by for every row of
// C. Items: (run of 64 columns, row).
kernel void run_of_a_row(global const float* a, global const float* b, global float* c, int n,
                         int k) {
  const int j0 = get_global_id(0) * RUN, i = get_global_id(1);
  float sum[RUN];
  for (int j = 0; j < RUN; ++j) sum[j] = 0;
  for (int p = 0; p < k; ++p)
    for (int j = 0; j < RUN; ++j) sum[j] += a[i * k + p] * b[p * n + j0 + j];
  for (int j = 0; j < RUN; ++j) c[i * n + j0 + j] = sum[j];
}

// A tile of ROWS rows by two vectors, in registers. What is read in one step is used several times:
// a vector of B for all rows, a number of A for both vectors. At 4 x 16, 16 + 4 numbers are read
// for 64 multiply-adds. #pragma unroll is what puts acc into registers: a number of an array can
// only be one if every index is known when the kernel is compiled.
// Items: (tile of rows, tile of columns).
kernel void tile(global const float* a, global const float* b, global float* c, int n, int k) {
  const int i0 = get_global_id(0) * ROWS, j0 = get_global_id(1) * 2 * VEC;
  floatV acc[ROWS][2];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) acc[i][0] = acc[i][1] = (floatV)0;
  for (int p = 0; p < k; ++p) {
    const floatV b0 = LOADV(b + p * n + j0), b1 = LOADV(b + p * n + j0 + VEC);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      const floatV ai = (floatV)(a[(i0 + i) * k + p]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; ++i) {
    STOREV(acc[i][0], c + (i0 + i) * n + j0);
    STOREV(acc[i][1], c + (i0 + i) * n + j0 + VEC);
  }
}

// The same with both operands in the order in which the tile reads them, so that every address is
// the one before it, and a bit:
//     A -> [m / ROWS][k][ROWS]          B -> [n / (2 VEC)][k][2 VEC]
// And the sum in passes, steps [k0, k1) at a time, so that the part of a panel of B that is in use
// fits the first cache while all panels of A (axis 0, which runs fastest) pass by.
// Items: (panel of A, panel of B).
kernel void packed_tile(global const float* a, global const float* b, global float* c, int n, int k,
                        int k0, int k1) {
  const int i0 = get_global_id(0) * ROWS, j0 = get_global_id(1) * 2 * VEC;
  a += i0 * k;
  b += j0 * k;
  floatV acc[ROWS][2];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) acc[i][0] = acc[i][1] = (floatV)0;
  for (int p = k0; p < k1; ++p) {
    const floatV b0 = LOADV(b + p * 2 * VEC), b1 = LOADV(b + p * 2 * VEC + VEC);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      const floatV ai = (floatV)(a[p * ROWS + i]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; ++i)
#pragma unroll
    for (int v = 0; v < 2; ++v) {
      global float* to = c + (i0 + i) * n + j0 + v * VEC;
      STOREV(k0 > 0 ? acc[i][v] + LOADV(to) : acc[i][v], to);
    }
}
