// C[i, j] = start + sum over p of A[i, p] B[p, j]          i < m,  j < n,  k0 <= p < k1
//
// Why packing, and why a tile of registers. Each element of A takes part in n products and each of
// B in m, but a processor does two vector FMAs in a cycle and reads two vectors at most: it is at
// its peak only where what was read is used several times. A work-item therefore holds a tile of C,
// MR rows by NR = 2 VEC columns, in registers. One step p reads NR numbers of B and MR of A, and
// does MR NR multiply-adds with them:
//
//              B[p, j .. j + NR)
//              [ b0    | b1    ]           12 x 32 (AVX-512): 24 registers of sums, 2 for B;
//     A[i,p]   [ acc00 | acc01 ]           each A[i, p] is repeated to a vector as it is read.
//     A[i+1,p] [ acc10 | acc11 ]           6 x 16 (AVX2): 12 of sums in the 16 that there are.
//       ...          ...
//
// Both operands are first copied ("packed") so that these reads walk straight through memory:
//
//     A -> [ceil(m / MR)][k][MR]      panel, step, row in the panel
//     B -> [ceil(n / NR)][k][NR]      panel, step, column in the panel
//
// filled up with zeros: the tile has no edge but where it is stored. That costs O(mk + kn) moves
// beside O(mnk) products. k is cut into blocks [k0, k1), so that a panel of B stays in the first
// cache while all panels of A (dimension 0, which runs fastest) pass by.
//
// sum += a * b is one FMA each: OpenCL C contracts it.
#define NR (2 * VEC)

// An index that runs through several images: i = image * per_image + rest stands at
// image * image_step + rest * step. A plain matrix is one "image".
long place(long i, long per_image, long image_step, long step) {
  return i / per_image * image_step + i % per_image * step;
}

// Items: (run of PACK_RUN steps, panel). `lines` are the rows of A or the columns of B.
#define PACK_KERNEL(NAME, WIDTH)                                                                  \
  kernel void NAME(global const REAL* source, long offset, long lines, long line_per_image,       \
                   long line_image_step, long line_step, long k, long k_per_image,                \
                   long k_image_step, long k_step, global REAL* packed) {                         \
    const long panel = get_global_id(1), first = panel * WIDTH;                                   \
    const long begin = get_global_id(0) * PACK_RUN, end = min(k, begin + PACK_RUN);               \
    if (begin >= k) return;                                                                       \
    global REAL* to = packed + panel * k * WIDTH;                                                 \
    source += offset;                                                                             \
    long at[WIDTH];                                                                               \
    const long there = min((long)WIDTH, lines - first);                                           \
    for (long r = 0; r < there; ++r)                                                              \
      at[r] = place(first + r, line_per_image, line_image_step, line_step);                       \
    const bool straight = there == WIDTH && at[WIDTH - 1] - at[0] == WIDTH - 1;                   \
    for (long p = begin; p < end; ++p) {                                                          \
      global const REAL* from = source + place(p, k_per_image, k_image_step, k_step);             \
      if (straight) {                                                                             \
        for (long r = 0; r < WIDTH; ++r) to[p * WIDTH + r] = from[at[0] + r];                     \
      } else {                                                                                    \
        for (long r = 0; r < there; ++r) to[p * WIDTH + r] = from[at[r]];                         \
        for (long r = there; r < WIDTH; ++r) to[p * WIDTH + r] = 0;                               \
      }                                                                                           \
    }                                                                                             \
  }
PACK_KERNEL(pack_a, MR)
PACK_KERNEL(pack_b, NR)

// What a sum starts with: nothing, what stands in C, or one number a row.
#define START_ZERO 0
#define START_C 1
#define START_BIAS 2

// Items: (panel of A, panel of B). Column j of C stands at place(j, per_image, image_step, 1).
kernel void gemm_tile(global const REAL* a, global const REAL* b, long b_panel_step, long b_step,
                      long k, long k0, long k1, global REAL* c, long c_offset, long m, long n,
                      long ldc, long per_image, long image_step, int start,
                      global const REAL* bias, long bias_offset) {
  const long i0 = (long)get_global_id(0) * MR, j0 = (long)get_global_id(1) * NR;
  if (i0 >= m) return;
  global const REAL* ap = a + (i0 * k + k0 * MR);
  global const REAL* bp = b + get_global_id(1) * b_panel_step + k0 * b_step;

  REALV acc[MR][2];
#pragma unroll
  for (int i = 0; i < MR; ++i) acc[i][0] = acc[i][1] = (REALV)0;
  for (long p = k0; p < k1; ++p) {
    const REALV b0 = LOADV(bp), b1 = LOADV(bp + VEC);
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      const REALV ai = (REALV)(ap[i]);
      acc[i][0] += ai * b0;
      acc[i][1] += ai * b1;
    }
    ap += MR;
    bp += b_step;
  }

  c += c_offset;
  const long first = place(j0, per_image, image_step, 1);
  const bool straight =
      j0 + NR <= n && place(j0 + NR - 1, per_image, image_step, 1) == first + NR - 1;
  if (straight && i0 + MR <= m) {
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      global REAL* row = c + ((i0 + i) * ldc + first);
      if (start == START_C) {
        acc[i][0] += LOADV(row);
        acc[i][1] += LOADV(row + VEC);
      } else if (start == START_BIAS) {
        acc[i][0] += (REALV)(bias[bias_offset + i0 + i]);
        acc[i][1] += (REALV)(bias[bias_offset + i0 + i]);
      }
      STOREV(acc[i][0], row);
      STOREV(acc[i][1], row + VEC);
    }
    return;
  }
  REAL edge[MR * NR];  // the tile in memory, of which only a part is wanted
#pragma unroll
  for (int i = 0; i < MR; ++i) {
    STOREV(acc[i][0], edge + i * NR);
    STOREV(acc[i][1], edge + i * NR + VEC);
  }
  for (long j = 0; j < min((long)NR, n - j0); ++j) {
    const long column = place(j0 + j, per_image, image_step, 1);
    for (long i = 0; i < min((long)MR, m - i0); ++i) {
      global REAL* to = c + (i0 + i) * ldc + column;
      REAL value = edge[i * NR + j];
      if (start == START_C) value += *to;
      if (start == START_BIAS) value += bias[bias_offset + i0 + i];
      *to = value;
    }
  }
}

// C = A B^T with few rows of A, B [n, k]: a fully connected layer, y = x w^T. To pack w would cost
// more than the product. Both operands lie along p, so a vector of sums runs along p, too, and is
// added up across at the end: DM x DN such vectors, from DM + DN reads a step.
// Items: (tile of rows, tile of columns); rows run fastest, so that w is read from memory once.
#define DM 4
#define DN 4
kernel void gemm_dot(global const REAL* a, long lda, global const REAL* b, long ldb, long k,
                     global REAL* c, long m, long n, long ldc, int start) {
  const long i0 = get_global_id(0) * DM, j0 = get_global_id(1) * DN;
  if (i0 >= m) return;
  global const REAL *ar[DM], *br[DN];  // rows past the end repeat the last one; nobody stores them
#pragma unroll
  for (int i = 0; i < DM; ++i) ar[i] = a + min(i0 + i, m - 1) * lda;
#pragma unroll
  for (int j = 0; j < DN; ++j) br[j] = b + min(j0 + j, n - 1) * ldb;

  REALV acc[DM][DN];
#pragma unroll
  for (int i = 0; i < DM; ++i)
#pragma unroll
    for (int j = 0; j < DN; ++j) acc[i][j] = (REALV)0;
  long p = 0;
  for (; p + VEC <= k; p += VEC) {
    REALV bv[DN];
#pragma unroll
    for (int j = 0; j < DN; ++j) bv[j] = LOADV(br[j] + p);
#pragma unroll
    for (int i = 0; i < DM; ++i) {
      const REALV av = LOADV(ar[i] + p);
#pragma unroll
      for (int j = 0; j < DN; ++j) acc[i][j] += av * bv[j];
    }
  }
#pragma unroll
  for (int i = 0; i < DM; ++i)
#pragma unroll
    for (int j = 0; j < DN; ++j) {
      if (i0 + i >= m || j0 + j >= n) continue;
      REAL lanes[VEC];
      STOREV(acc[i][j], lanes);
      for (int step = VEC / 2; step > 0; step /= 2)
        for (int l = 0; l < step; ++l) lanes[l] += lanes[l + step];
      REAL sum = lanes[0];
      for (long q = p; q < k; ++q) sum = fma(ar[i][q], br[j][q], sum);
      global REAL* to = c + (i0 + i) * ldc + j0 + j;
      *to = start == START_C ? *to + sum : sum;
    }
}
