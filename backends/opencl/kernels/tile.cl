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
// On a GPU the items of a work-group, GROUP_A x GROUP_B of them, lay their tiles side by side and
// fetch what they need together, SLICE steps at a time, into local memory: a number of A then comes
// from memory once for GROUP_B tiles, and neighbouring items read neighbouring addresses. On a
// processor a group is one item, and the caches do this by themselves.
//
//     PANEL_A = MR GROUP_A rows and PANEL_B = 2 VEC GROUP_B columns belong to a group.
//
// A was packed into panels of rows, in blocks of K_BLOCK steps; the fixed distance A_ROW from row
// to row lets the compiler put all MR addresses into the instructions, and a bit more than K_BLOCK
// keeps rows out of each other's way in the cache:
//
//     A -> [ceil(m / PANEL_A)][ceil(k / K_BLOCK)][PANEL_A][A_ROW]
//     B -> [ceil(n / PANEL_B)][k][PANEL_B], or read where it is
//
// sum += a * b is one FMA each: OpenCL C contracts it.
#define PANEL_A (MR * GROUP_A)
#define PANEL_B (2 * VEC * GROUP_B)
#define A_ROW (K_BLOCK + VEC)

// This item's place in its group: its rows begin at ROW, its two vectors at COLUMN(0), COLUMN(1).
#define ROW ((int)get_local_id(0) / GROUP_B * MR)
#define COLUMN(v) (((int)get_local_id(0) % GROUP_B + (v)*GROUP_B) * VEC)

// A compiler that knows how many items a group has gives each only so many registers that all of
// them fit. Otherwise a driver may build the kernel, and then refuse to run it.
#ifdef PROCESSOR
#define OF_ONE_GROUP
#define SLICES
#define SLICE_ARGUMENTS
#define SLICE_PARAMETERS
#else
#define OF_ONE_GROUP __attribute__((reqd_work_group_size(GROUP_A * GROUP_B, 1, 1)))
#define SLICE_A (PANEL_A + VEC)  // the VEC keeps a column's numbers in different banks
#define SLICES local REAL slice_a[SLICE * SLICE_A], slice_b[SLICE * PANEL_B];
#define SLICE_ARGUMENTS , slice_a, slice_b
#define SLICE_PARAMETERS , local REAL *slice_a, local REAL *slice_b
#endif

#ifndef PROCESSOR
// One slice from local memory: SLICE steps of the tile.
void add_slice(REALV acc[MR][2] SLICE_PARAMETERS) {
  slice_a += ROW;
  for (int p = 0; p < SLICE; ++p) {
    const REALV b0 = LOADV(slice_b + p * PANEL_B + COLUMN(0));
    const REALV b1 = LOADV(slice_b + p * PANEL_B + COLUMN(1));
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      const REALV ai = (REALV)(slice_a[p * SLICE_A + i]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
  }
}

// Copies rows of A (with `steps` steps left) to local memory: neighbouring items read along a row.
void fetch_rows(global const REAL* a, long a_row, int last, long steps, local REAL* slice_a) {
  for (int t = get_local_id(0); t < SLICE * PANEL_A; t += GROUP_A * GROUP_B) {
    const int i = t / SLICE, p = t % SLICE;
    slice_a[p * SLICE_A + i] = p < steps ? a[min(i, last) * a_row + p] : (REAL)0;
  }
}
#endif

// acc += A B over `steps` steps. Row i of the group's rows begins at a + i * a_row, and `last` is
// the last row that exists (products in place of later ones are not stored). Step p of B begins at
// b + p * b_step, or at b + table[p] if there is a table.
void add_products(global const REAL* a, long a_row, int last, global const REAL* b, long b_step,
                  global const int* table, long steps, REALV acc[MR][2] SLICE_PARAMETERS) {
#ifdef PROCESSOR
  global const REAL* row[MR];
#pragma unroll
  for (int i = 0; i < MR; ++i) row[i] = a + min(i, last) * a_row;
  for (long p = 0; p < steps; ++p) {
    global const REAL* from = b + (table ? (long)table[p] : p * b_step);
    const REALV b0 = LOADV(from), b1 = LOADV(from + VEC);
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      const REALV ai = (REALV)(row[i][p]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
  }
#else
  for (long p0 = 0; p0 < steps; p0 += SLICE) {
    barrier(CLK_LOCAL_MEM_FENCE);  // everybody is done with the slice before
    fetch_rows(a + p0, a_row, last, steps - p0, slice_a);
    for (int t = get_local_id(0); t < SLICE * PANEL_B; t += GROUP_A * GROUP_B) {
      const long p = p0 + t / PANEL_B;
      REAL value = 0;
      if (p < steps) value = b[(table ? (long)table[p] : p * b_step) + t % PANEL_B];
      slice_b[t] = value;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    add_slice(acc, slice_a, slice_b);
  }
#endif
}

#define CLEAR(acc) _Pragma("unroll") for (int i = 0; i < MR; ++i) acc[i][0] = acc[i][1] = (REALV)0;

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
                global const int* table, long k0, long k1, REALV acc[MR][2] SLICE_PARAMETERS) {
  const bool one_piece = k1 - k0 <= PIECE;
  REALV total[MR][2], lost[MR][2];
  if (!one_piece) {
    CLEAR(total)
    CLEAR(lost)
  }
  CLEAR(acc)
  for (long p = k0; p < k1; p += PIECE) {
    add_products(panel + p / K_BLOCK * PANEL_A * A_ROW + p % K_BLOCK, A_ROW, PANEL_A - 1,
                 b + p * b_step * !table, b_step, table ? table + p : table,
                 min((long)PIECE, k1 - p), acc SLICE_ARGUMENTS);
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
