// The matrix product: packing, the tile (tile.cl), and two forms for fully connected layers.
//
//     C[i, j] = sum over p of A[i, p] B[p, j]          i < m,  j < n,  p < k
#include "tile.cl"

#ifdef PROCESSOR
// ---- packing ------------------------------------------------------------------------------------
// A line is a row of A or a column of B. Element (line, p) of the source stands at
//     offset + batch * batch_step + line * line_step + place(p)
// where p may run through pieces: a plain axis is one piece.
long place(long p, long per_piece, long piece_step, long step) {
  return p / per_piece * piece_step + p % per_piece * step;
}

// to[i * to_step + j] = from[j * from_step + i]          i < n,  j < m
// `wide` numbers, n or more, may be read from a row.
void transpose(global const REAL* from, long from_step, long m, long n, long wide, global REAL* to,
               long to_step) {
  for (long j = 0; j < m; j += VEC)
    for (long i = 0; i < n; i += VEC) {
      if (j + VEC <= m && i + VEC <= wide) {
        REALV v[VEC];
#pragma unroll
        for (int l = 0; l < VEC; ++l) v[l] = LOADV(from + (j + l) * from_step + i);
        transpose_block(v);
#pragma unroll
        for (int l = 0; l < VEC; ++l)
          if (i + l < n) STOREV(v[l], to + (i + l) * to_step + j);
      } else {
        for (long l = i; l < min(n, i + VEC); ++l)
          for (long q = j; q < min(m, j + VEC); ++q) to[l * to_step + q] = from[q * from_step + l];
      }
    }
}

// A is kept row by row, B step by step. Lines past the last one repeat it: nobody reads what is
// computed from them. An item packs a block of steps of a panel, with copies or transpositions of
// whole vectors where the source allows. Items: (block of steps, panel, batch).
#define PACK_PARAMETERS                                                                        \
  global const REAL *source, long offset, long batch_step, long lines, long line_step, long k, \
      long k_per_piece, long k_piece_step, long k_step, global REAL *packed

kernel void pack_a(PACK_PARAMETERS) {
  source += offset + get_global_id(2) * batch_step;
  const long blocks = (k + K_BLOCK - 1) / K_BLOCK, panels = (lines + PANEL_A - 1) / PANEL_A;
  packed += get_global_id(2) * panels * blocks * PANEL_A * A_ROW;
  const long begin = get_global_id(0) * K_BLOCK, steps = min((long)K_BLOCK, k - begin);
  const long first = get_global_id(1) * PANEL_A, there = min((long)PANEL_A, lines - first);
  global REAL* to = packed + (get_global_id(1) * blocks + get_global_id(0)) * PANEL_A * A_ROW;
  source += first * line_step;
  if (line_step == 1 && k_per_piece == k) {
    transpose(source + begin * k_step, k_step, steps, there, lines - first, to, A_ROW);
  } else if (k_step == 1 && k_per_piece == k) {
    for (long r = 0; r < there; ++r) {
      global const REAL* from = source + r * line_step + begin;
      long p = 0;
      for (; p + VEC <= steps; p += VEC) STOREV(LOADV(from + p), to + r * A_ROW + p);
      for (; p < steps; ++p) to[r * A_ROW + p] = from[p];
    }
  } else {
    for (long p = 0; p < steps; ++p) {
      global const REAL* from = source + place(begin + p, k_per_piece, k_piece_step, k_step);
      for (long r = 0; r < there; ++r) to[r * A_ROW + p] = from[r * line_step];
    }
  }
  for (long r = there; r < PANEL_A; ++r)
    for (long p = 0; p < steps; ++p) to[r * A_ROW + p] = to[(there - 1) * A_ROW + p];
}

kernel void pack_b(PACK_PARAMETERS) {
  source += offset + get_global_id(2) * batch_step;
  const long panels = (lines + PANEL_B - 1) / PANEL_B;
  packed += get_global_id(2) * panels * k * PANEL_B;
  const long begin = get_global_id(0) * K_BLOCK, steps = min((long)K_BLOCK, k - begin);
  const long first = get_global_id(1) * PANEL_B, there = min((long)PANEL_B, lines - first);
  global REAL* to = packed + (get_global_id(1) * k + begin) * PANEL_B;
  source += first * line_step;
  if (k_step == 1 && k_per_piece == k) {
    transpose(source + begin, line_step, there, steps, steps, to, PANEL_B);
  } else {
    for (long p = 0; p < steps; ++p) {
      global const REAL* from = source + place(begin + p, k_per_piece, k_piece_step, k_step);
      if (line_step == 1 && there == PANEL_B)
        for (int v = 0; v < PANEL_B; v += VEC) STOREV(LOADV(from + v), to + p * PANEL_B + v);
      else
        for (long r = 0; r < there; ++r) to[p * PANEL_B + r] = from[r * line_step];
    }
  }
  for (long p = 0; p < steps; ++p)
    for (long r = there; r < PANEL_B; ++r) to[p * PANEL_B + r] = to[p * PANEL_B + there - 1];
}

// ---- products -----------------------------------------------------------------------------------
// Steps [k0, k1) of C = A B, added to what stands there if `add`. k is cut into
// passes, so that a panel of B stays in the first cache while all panels of A (dimension 0, which
// runs fastest) pass by. If k is short, one pass is enough: then B stays, and C is written along
// its rows (`along`). b_step and b_panel are PANEL_B and PANEL_B k for a packed B, ldb and PANEL_B
// for rows of B where they are. With many passes, `lost` [batch, m, n] keeps what the additions to
// C round away; else it is null. Groups: (panel of A, panel of B, batch), or with `along` (panel of
// B, panel of A, batch).
kernel void gemm_tile(global const REAL* a, long a_batch, global const REAL* b, long b_panel,
                      long b_step, long b_batch, long k, long k0, long k1, global REAL* c,
                      long c_batch, long m, long n, long ldc, int add, int along,
                      global REAL* lost) {
  const long panel_a = get_group_id(along ? 1 : 0), panel_b = get_group_id(along ? 0 : 1);
  const long i0 = panel_a * PANEL_A, j0 = panel_b * PANEL_B;
  const long blocks = (k + K_BLOCK - 1) / K_BLOCK;
  REALV acc[MR][2];
  add_packed(a + get_group_id(2) * a_batch + i0 * blocks * A_ROW,
             b + get_group_id(2) * b_batch + panel_b * b_panel, b_step, 0, k0, k1, acc);
  c += get_group_id(2) * c_batch + i0 * ldc;
  const long rows = m - i0;
  if (lost) lost += (get_group_id(2) * m + i0) * n;
#pragma unroll
  for (int v = 0; v < 2; ++v) {
    const long j = j0 + v * VEC;
    if (lost && add) {
      for (int i = 0; i < min((long)MR, rows); ++i) {
        REAL lane[VEC];
        STOREV(acc[i][v], lane);
        for (long l = 0; l < min((long)VEC, n - j); ++l) {
          global REAL* to = c + i * ldc + j + l;
          global REAL* rest = lost + i * n + j + l;
          REAL sum = *to, gone = k0 == 0 ? (REAL)0 : *rest;
          ADD_COMPENSATED(REAL, sum, lane[l], gone)
          *to = sum;
          *rest = gone;
        }
      }
      continue;
    }
    if (lost)  // the first pass
      for (int i = 0; i < min((long)MR, rows); ++i)
        for (long l = 0; l < min((long)VEC, n - j); ++l) lost[i * n + j + l] = 0;
    if (j + VEC <= n) {
#pragma unroll
      for (int i = 0; i < MR; ++i) {
        global REAL* to = c + i * ldc + j;
        if (i < rows) STOREV(add ? acc[i][v] + LOADV(to) : acc[i][v], to);
      }
      continue;
    }
#pragma unroll
    for (int i = 0; i < MR; ++i) {  // the last columns, one by one
      REAL lane[VEC];
      STOREV(acc[i][v], lane);
      for (long l = 0; l < n - j && i < rows; ++l) {
        global REAL* to = c + i * ldc + j + l;
        *to = add ? *to + lane[l] : lane[l];
      }
    }
  }
}

// A fully connected layer, y[j, i] = b[i] + sum over p of w[i, p] x[j, p]. There are few rows j of
// x, and so many of w that packing them would cost more than the product. But a tile needs only one
// number of A from each of MR rows in a step, and w has those in rows: w is used as A where it
// lies. x^T is packed as B. Groups: (panel of x, panel of w); w is read from memory once.
kernel void linear_tile(global const REAL* w, long ldw, global const REAL* x, long k,
                        global REAL* y, long rows, long out, long ldy, int add,
                        global const REAL* bias, int relu) {
  const long i0 = get_group_id(1) * PANEL_A, j0 = get_group_id(0) * PANEL_B;
  REALV acc[MR][2];
  CLEAR(acc)
  const int last = (int)min(PANEL_A - 1L, out - 1 - i0);
  w += i0 * ldw;
  x += j0 * k;
  REALV total[MR][2], lost[MR][2];
  CLEAR(total)
  CLEAR(lost)
  REAL block[MR][A_ROW];  // memory delivers rows in long runs better than MR of them step by step
  for (long k0 = 0; k0 < k; k0 += K_BLOCK) {
    const long steps = min((long)K_BLOCK, k - k0);
    for (int i = 0; i < MR; ++i)
      for (long p = 0; p < steps; ++p) block[i][p] = w[min(i, last) * ldw + k0 + p];
    for (long p = 0; p < steps; ++p, x += PANEL_B) {
      const REALV b0 = LOADV(x), b1 = LOADV(x + VEC);
#pragma unroll
      for (int i = 0; i < MR; ++i) {
        const REALV ai = (REALV)(block[i][p]);
        acc[i][0] += ai * b0;
        acc[i][1] += ai * b1;
      }
    }
    if (k > K_BLOCK) CLOSE(acc, total, lost)
  }
  if (k > K_BLOCK)
    for (int i = 0; i < MR; ++i)
      for (int v = 0; v < 2; ++v) acc[i][v] = total[i][v];
#pragma unroll
  for (int v = 0; v < 2; ++v)
#pragma unroll
    for (int r = 0; r < MR; ++r) {
      REAL lane[VEC];
      STOREV(acc[r][v], lane);
      const long i = i0 + r, j = j0 + v * VEC;
      if (i >= out) continue;
      for (long l = 0; l < min((long)VEC, rows - j); ++l) {
        global REAL* to = y + (j + l) * ldy + i;
        REAL value = lane[l];
        if (add) value += *to;
        if (bias) value += bias[i];
        *to = relu && value < 0 ? (REAL)0 : value;
      }
    }
}

#else
// ---- on a GPU -----------------------------------------------------------------------------------
// C = A B, added to what stands there if `add`, where A and B lie: line i of A begins at i *
// a_line, its steps are a_step apart, and so for B; one of the two distances is 1. Then a fully
// connected layer's bias and ReLU: `bias` [n], or null.
//
// A call adds steps [k0, k1) of each part: a chain of additions then has k1 - k0 terms, and
// rounding errors stay small. If C is small and k long, there are too few groups for a card; so the
// steps may be cut into parts of k_part, whose products `sum_parts` adds. Bias and ReLU belong to
// the last call. Groups: (panel of A, panel of B, batch and part).
#define PRODUCT_PARAMETERS                                                                    \
  global const REAL *a, long a_offset, long a_batch, long a_line, long a_step,                \
      global const REAL *b, long b_offset, long b_batch, long b_line, long b_step, long k,    \
      long k_part, int parts, long k0, long k1, global REAL *c, long c_batch, long m, long n, \
      long ldc, int add, int aligned, global const REAL *bias, int relu
#define PRODUCT_ARGUMENTS                                                                       \
  a, a_offset, a_batch, a_line, a_step, b, b_offset, b_batch, b_line, b_step, k, k_part, parts, \
      k0, k1, c, c_batch, m, n, ldc, add, aligned, bias, relu
void product(const bool along_a, const bool along_b, PRODUCT_PARAMETERS, local REALV* slices_a,
             local REALV* slices_b) {
  const long i0 = get_group_id(0) * PANEL_A, j0 = get_group_id(1) * PANEL_B;
  const long batch = get_group_id(2) / parts, part = get_group_id(2) % parts * k_part;
  const long begin = part + k0, end = min(k, part + min(k1, k_part));
  const Factor fa = {along_a,
                     a + a_offset + batch * a_batch + i0 * a_line + begin * a_step,
                     along_a ? a_line : 1,
                     along_a ? 1 : a_step,
                     (int)min((long)PANEL_A, m - i0),
                     0,
                     0};
  const Factor fb = {along_b,
                     b + b_offset + batch * b_batch + j0 * b_line + begin * b_step,
                     along_b ? b_line : 1,
                     along_b ? 1 : b_step,
                     (int)min((long)PANEL_B, n - j0),
                     0,
                     0};
  REALV acc[MR][2];
  CLEAR(acc)
  add_products(fa, fb, (int)(end - begin), acc, slices_a, slices_b);
  c += get_group_id(2) * c_batch + i0 * ldc + j0;
#pragma unroll
  for (int i = 0; i < MR; ++i)
#pragma unroll
    for (int v = 0; v < 2; ++v) {
      const int j = COLUMN(v);
      if (ROW(i) >= fa.lines || j >= fb.lines) continue;
      global REAL* to = c + ROW(i) * ldc + j;
      if (aligned && j + VEC <= fb.lines && !bias) {
        global REALV* all = (global REALV*)to;
        const REALV sum = add ? *all + acc[i][v] : acc[i][v];
        *all = relu && sum < 0 ? (REALV)0 : sum;
        continue;
      }
      REAL lane[VEC];
      STOREV(acc[i][v], lane);
#pragma unroll
      for (int l = 0; l < VEC; ++l) {
        if (j + l >= fb.lines) continue;
        REAL sum = add ? to[l] + lane[l] : lane[l];
        if (bias) sum += bias[j0 + j + l];
        to[l] = relu && sum < 0 ? (REAL)0 : sum;
      }
    }
}

// Compiled for each way in which the operands may lie: their neighbours in memory are those along
// the steps, or those along the lines.
#define PRODUCT(NAME, ALONG_A, ALONG_B)                               \
  kernel OF_ONE_GROUP void NAME(PRODUCT_PARAMETERS) {                 \
    SLICES                                                            \
    product(ALONG_A, ALONG_B, PRODUCT_ARGUMENTS, slices_a, slices_b); \
  }
PRODUCT(product_steps_lines, true, false)  // A and B as they are in C = A B
PRODUCT(product_steps_steps, true, true)   // B transposed
PRODUCT(product_lines_lines, false, false)
PRODUCT(product_lines_steps, false, true)

// C = the sum of the parts [batch, parts, m, n], with what `product` does at its end.
// Items: (column, row, batch).
kernel void sum_parts(global const REAL* from, int parts, global REAL* c, long c_batch, long m,
                      long n, long ldc, int add, global const REAL* bias, int relu) {
  const long j = get_global_id(0), i = get_global_id(1);
  if (j >= n) return;
  from += (get_global_id(2) * parts * m + i) * n + j;
  c += get_global_id(2) * c_batch + i * ldc + j;
  REAL sum = add ? *c : (REAL)0, lost = 0;
  for (int part = 0; part < parts; ++part) ADD_COMPENSATED(REAL, sum, from[part * m * n], lost)
  if (bias) sum += bias[j];
  *c = relu && sum < 0 ? (REAL)0 : sum;
}

// to[line, p] = the filters of an input's gradient, each flipped on both axes (convolution.cpp):
// tap p of line i stands at offset + i * line_step + p / piece * piece_step + p % piece * step.
// Items: (p, line).
kernel void flip(global const REAL* source, long offset, long line_step, long k, long piece,
                 long piece_step, long step, global REAL* to) {
  const long p = get_global_id(0), line = get_global_id(1);
  if (p < k)
    to[line * k + p] =
        source[offset + line * line_step + p / piece * piece_step + p % piece * step];
}
#endif

// A fully connected layer of very few rows of x, when reading w takes all the time. Both operands
// lie along p, so a vector of sums runs along p, too, and is added up across at the end of a piece.
// An item has DM x DN such vectors. Items: (tile of rows of w, tile of rows of x).
#define DM 4
#define DN 4
#define DOT_PIECE (256 * VEC)
kernel void linear_dot(global const REAL* x, long ldx, global const REAL* w, long ldw, long k,
                       global REAL* y, long rows, long out, long ldy, int add,
                       global const REAL* bias, int relu) {
  const long j0 = get_global_id(1) * DM, i0 = get_global_id(0) * DN;
  if (i0 >= out) return;
  global const REAL *xr[DM], *wr[DN];  // rows past the end repeat the last one; nobody stores them
#pragma unroll
  for (int j = 0; j < DM; ++j) xr[j] = x + min(j0 + j, rows - 1) * ldx;
#pragma unroll
  for (int i = 0; i < DN; ++i) wr[i] = w + min(i0 + i, out - 1) * ldw;

  REAL total[DM][DN], lost[DM][DN];
#pragma unroll
  for (int j = 0; j < DM; ++j)
#pragma unroll
    for (int i = 0; i < DN; ++i) total[j][i] = lost[j][i] = 0;
  for (long begin = 0; begin < k; begin += DOT_PIECE) {
    const long end = min(k, begin + DOT_PIECE);
    REALV acc[DM][DN];
#pragma unroll
    for (int j = 0; j < DM; ++j)
#pragma unroll
      for (int i = 0; i < DN; ++i) acc[j][i] = (REALV)0;
    long p = begin;
    for (; p + VEC <= end; p += VEC) {
      REALV wv[DN];
#pragma unroll
      for (int i = 0; i < DN; ++i) wv[i] = LOADV(wr[i] + p);
#pragma unroll
      for (int j = 0; j < DM; ++j) {
        const REALV xv = LOADV(xr[j] + p);
#pragma unroll
        for (int i = 0; i < DN; ++i) acc[j][i] += xv * wv[i];
      }
    }
#pragma unroll
    for (int j = 0; j < DM; ++j)
#pragma unroll
      for (int i = 0; i < DN; ++i) {
        REAL sum = sum_of(acc[j][i]);
        for (long q = p; q < end; ++q) sum = fma(xr[j][q], wr[i][q], sum);
        ADD_COMPENSATED(REAL, total[j][i], sum, lost[j][i])
      }
  }
#pragma unroll
  for (int j = 0; j < DM; ++j)
#pragma unroll
    for (int i = 0; i < DN; ++i) {
      if (j0 + j >= rows || i0 + i >= out) continue;
      REAL sum = total[j][i];
      global REAL* to = y + (j0 + j) * ldy + i0 + i;
      if (add) sum += *to;
      if (bias) sum += bias[i0 + i];
      *to = relu && sum < 0 ? (REAL)0 : sum;
    }
}
