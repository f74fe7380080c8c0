// The tile of a matrix product, which gemm.cl, conv2d.cl and winograd.cl share.
//
//     C[i, j] = sum over p of A[i, p] B[p, j]
//
// Each element of A takes part in n products and each of B in m. But a processor does two vector
// FMAs in a cycle and reads two vectors at most: it reaches its peak only if each value that was
// read is used several times. A work-item therefore holds a tile of C, MR rows by two vectors, in
// registers. One step p reads two vectors of B and MR numbers of A, and does MR x 2 vector
// multiply-adds with them:
//
//              B[p, j .. ]
//              [ b0    | b1    ]           12 x 32 (AVX-512): 24 registers of sums, 2 for B;
//     A[i,p]   [ acc00 | acc01 ]           each A[i, p] is repeated to a vector as it is read.
//     A[i+1,p] [ acc10 | acc11 ]           6 x 16 (AVX2): 12 of sums, of 16 altogether.
//       ...          ...
//
// A was packed into panels of rows, in blocks of K_BLOCK steps; the fixed distance A_ROW from row
// to row lets the compiler put all MR addresses into the instructions, and a bit more than K_BLOCK
// keeps rows out of each other's way in the cache:
//
//     A -> [ceil(m / PANEL_A)][ceil(k / K_BLOCK)][PANEL_A][A_ROW]
//     B -> [ceil(n / PANEL_B)][k][PANEL_B], or read where it is
//
// So it is on a processor, where a group is one item, and PANEL_A = MR, PANEL_B = 2 VEC. On a GPU
// the items of a group share what they read: group_tile.cl.
//
// sum += a * b is one FMA each: OpenCL C contracts it.
#define PANEL_A (MR * GROUP_A)
#define PANEL_B (2 * VEC * GROUP_B)
#define A_ROW (K_BLOCK + VEC)

#define CLEAR(acc) _Pragma("unroll") for (int i = 0; i < MR; ++i) acc[i][0] = acc[i][1] = (REALV)0;

#ifdef PROCESSOR
#define NOT_INLINED __attribute__((noinline))
// sum = A B over `steps` steps. Row i of A begins at a + i * a_row. Step p of B begins at
// b + p * b_step, or at b + table[p] if there is a table. The sums are variables of this function,
// and it is not inlined: so a compiler has all registers for them, whatever the caller keeps.
NOT_INLINED void products(global const REAL* a, long a_row, global const REAL* b, long b_step,
                          global const int* table, long steps, REALV sum[MR][2]) {
  REALV acc[MR][2];
  CLEAR(acc)
  for (long p = 0; p < steps; ++p) {
    global const REAL* from = b + (table ? (long)table[p] : p * b_step);
    const REALV b0 = LOADV(from), b1 = LOADV(from + VEC);
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      const REALV ai = (REALV)(a[i * a_row + p]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
  }
#pragma unroll
  for (int i = 0; i < MR; ++i) sum[i][0] = acc[i][0], sum[i][1] = acc[i][1];
}

// The error of a sum grows with its longest chain of additions: the products of PIECE steps are
// added in acc, and then CLOSE adds acc to the total.
#define PIECE (K_BLOCK > 512 && K_BLOCK % 256 == 0 ? 256 : K_BLOCK)
#define CLOSE(acc, total, lost)                                                                    \
  {                                                                                                \
    _Pragma("unroll") for (int i = 0; i < MR; ++i) _Pragma("unroll") for (int v = 0; v < 2; ++v) { \
      ADD_COMPENSATED(REALV, total[i][v], acc[i][v], lost[i][v])                                   \
      acc[i][v] = (REALV)0;                                                                        \
    }                                                                                              \
  }

// acc = the same for steps [k0, k1) of a packed panel of A; k0 is a multiple of K_BLOCK. B moves on
// with the steps or, if there is a table, by its entries alone: then !table makes the step 0.
void add_packed(global const REAL* panel, global const REAL* b, long b_step,
                global const int* table, long k0, long k1, REALV acc[MR][2]) {
  const bool one_piece = k1 - k0 <= PIECE;
  REALV total[MR][2], lost[MR][2];
  if (!one_piece) {
    CLEAR(total)
    CLEAR(lost)
  }
  CLEAR(acc)
  for (long p = k0; p < k1; p += PIECE) {
    products(panel + p / K_BLOCK * PANEL_A * A_ROW + p % K_BLOCK, A_ROW, b + p * b_step * !table,
             b_step, table ? table + p : table, min((long)PIECE, k1 - p), acc);
    if (!one_piece) CLOSE(acc, total, lost)
  }
  if (one_piece) return;
#pragma unroll
  for (int i = 0; i < MR; ++i)
#pragma unroll
    for (int v = 0; v < 2; ++v) acc[i][v] = total[i][v];
}

// Rows become columns: VEC vectors of VEC numbers. A step deals the first half and the second half
// of the vectors out alternately, as one shuffles cards; log2(VEC) of them are a transposition.
// (4: rows abcd efgh ijkl mnop -> aibj ckdl emfn gohp -> aeim bfjn cgko dhlp.)
void transpose_block(REALV v[VEC]) {
#pragma unroll
  for (int step = 1; step < VEC; step *= 2) {
    REALV t[VEC];
#pragma unroll
    for (int i = 0; i < VEC / 2; ++i) {
      t[2 * i].even = v[i].lo;
      t[2 * i].odd = v[i + VEC / 2].lo;
      t[2 * i + 1].even = v[i].hi;
      t[2 * i + 1].odd = v[i + VEC / 2].hi;
    }
#pragma unroll
    for (int i = 0; i < VEC; ++i) v[i] = t[i];
  }
}
#else
#include "group_tile.cl"
#endif
