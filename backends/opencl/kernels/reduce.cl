// Sum or maximum along the middle of three axes:
//
//     y[o, i] = sum (or max) over l of x[o, l, i]            x [outer, len, inner]
//
// A sum of many floats is best kept in several: rounding grows with the length of a chain of
// additions. LANES chains run side by side, which is also what a vector register wants, and a long
// row is first cut into pieces whose sums are added by a second pass. The cuts depend on the sizes
// alone, so the result is the same on every device of a kind.
#define LANES 16
#define NOTHING (-(REAL)INFINITY)

#define ADD(total, value) total += (value)
#define TAKE_MAX(total, value) total = wins(value, total) ? value : total

// inner = 1: x [rows, len], piece q of a row is [q piece, (q + 1) piece) -> y [rows, pieces].
// Items: (row, piece).
#define REDUCE_ROWS(NAME, START, JOIN_IN)                                                   \
  kernel void NAME(global const REAL* x, global REAL* y, long rows, long len, long piece) { \
    const long row = get_global_id(0), q = get_global_id(1);                                \
    if (row >= rows) return;                                                                \
    const long n = min(piece, len - q * piece);                                             \
    x += row * len + q * piece;                                                             \
    REAL lane[LANES];                                                                       \
    for (int l = 0; l < LANES; ++l) lane[l] = START;                                        \
    long i = 0;                                                                             \
    for (; i + LANES <= n; i += LANES)                                                      \
      for (int l = 0; l < LANES; ++l) JOIN_IN(lane[l], x[i + l]);                           \
    for (int l = 0; i < n; ++i, ++l) JOIN_IN(lane[l], x[i]);                                \
    for (int step = LANES / 2; step > 0; step /= 2)                                         \
      for (int l = 0; l < step; ++l) JOIN_IN(lane[l], lane[l + step]);                      \
    y[row * get_global_size(1) + q] = lane[0];                                              \
  }
REDUCE_ROWS(sum_rows, 0, ADD)
REDUCE_ROWS(max_rows, NOTHING, TAKE_MAX)

#ifndef PROCESSOR
// A long row on a GPU: the items of a group take turns along it, and add up what they have.
// Items: (GROUP for a row, piece).
#define REDUCE_LONG_ROWS(NAME, START, JOIN_IN)                                              \
  kernel void NAME(global const REAL* x, global REAL* y, long rows, long len, long piece) { \
    local REAL shared[GROUP];                                                               \
    const long row = get_group_id(0), q = get_global_id(1);                                 \
    const long end = min(len, (q + 1) * piece);                                             \
    REAL mine = START;                                                                      \
    for (long i = q * piece + get_local_id(0); i < end; i += GROUP)                         \
      JOIN_IN(mine, x[row * len + i]);                                                      \
    JOIN_OF_GROUP(mine, shared, JOIN_IN)                                                    \
    if (get_local_id(0) == 0) y[row * get_global_size(1) + q] = mine;                       \
  }
REDUCE_LONG_ROWS(sum_long_rows, 0, ADD)
REDUCE_LONG_ROWS(max_long_rows, NOTHING, TAKE_MAX)
#endif

// inner > 1: neighbouring results are neighbours in x, too: the run itself is the vector. Every 64
// terms a subtotal is closed. Piece q of the middle axis is [q piece, (q + 1) piece) -> y [outer,
// pieces, inner]. Items: (run of RUN_ACROSS results, outer, piece).
#define REDUCE_ACROSS(NAME, START, JOIN_IN)                                                     \
  kernel void NAME(global const REAL* x, global REAL* y, long all, long inner, long piece) {    \
    const long begin = get_global_id(0) * RUN_ACROSS, n = min((long)RUN_ACROSS, inner - begin); \
    if (n <= 0) return;                                                                         \
    const long q = get_global_id(2), len = min(piece, all - q * piece);                         \
    x += (get_global_id(1) * all + q * piece) * inner + begin;                                  \
    y += (get_global_id(1) * get_global_size(2) + q) * inner + begin;                           \
    REAL total[RUN_ACROSS], sub[RUN_ACROSS];                                                    \
    for (long i = 0; i < n; ++i) total[i] = START;                                              \
    for (long l = 0; l < len;) {                                                                \
      for (long i = 0; i < n; ++i) sub[i] = START;                                              \
      for (const long end = min(len, l + 64); l < end; ++l)                                     \
        for (long i = 0; i < n; ++i) JOIN_IN(sub[i], x[l * inner + i]);                         \
      for (long i = 0; i < n; ++i) JOIN_IN(total[i], sub[i]);                                   \
    }                                                                                           \
    for (long i = 0; i < n; ++i) y[i] = total[i];                                               \
  }
REDUCE_ACROSS(sum_across, 0, ADD)
REDUCE_ACROSS(max_across, NOTHING, TAKE_MAX)
