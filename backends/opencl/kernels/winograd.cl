// Winograd's convolution for windows of 3 x 3 and 5 x 5 with a stride of 1.
//
// A row of filter taps g and a row of pixels d are the coefficients of polynomials, and a sliding sum
// is, transposed, their product. A product of degree 5 is known from its values at 6 points, and at
// a point it costs one multiplication. So a tile of OUT outputs a side, OUT = 4 for 3 taps and 2 for
// 5, sees 6 x 6 pixels and needs 36 multiplications instead of 144 or 100. In matrices:
//
//     y  = A^T [ (G g G^T) * (B^T d B) ] A                       * entry by entry
//     dg = G^T [ (A dy A^T) * (B^T d B) ] G                      the same product, transposed
//
// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.) What is done to d, g
// and dy is done once, while each of them meets many others: the sum over channels (for dg: over
// tiles) is a matrix product for each of the 36 points, which is what tile.cl is for.
//
// The points are 0, +-5/8, +-3/2 and infinity: powers that neither grow nor shrink much, a fifth of
// the largest error of the usual 0, +-1, +-2 and infinity, and half of the typical one.
// (backends/cpu/kernels/winograd.h compares them.)
#include "tile.cl"
#define P (REAL)0.625
#define Q (REAL)1.5
#define P2 (P * P)
#define Q2 (Q * Q)
#define POINTS 36

// B^T d. Row by row, B^T holds the coefficients of
//     (z^2 - P^2)(z^2 - Q^2)     z (z +- P)(z^2 - Q^2)     z (z +- Q)(z^2 - P^2)
//     z (z^2 - P^2)(z^2 - Q^2)
void input_points(const REALV d[6], REALV out[6]) {
  const REALV even_p = d[4] - Q2 * d[2], odd_p = P * (d[3] - Q2 * d[1]);
  const REALV even_q = d[4] - P2 * d[2], odd_q = Q * (d[3] - P2 * d[1]);
  out[0] = P2 * Q2 * d[0] - (P2 + Q2) * d[2] + d[4];
  out[1] = even_p + odd_p;
  out[2] = even_p - odd_p;
  out[3] = even_q + odd_q;
  out[4] = even_q - odd_q;
  out[5] = P2 * Q2 * d[1] - (P2 + Q2) * d[3] + d[5];
}

// A dy, and G g but for a factor: the values of c[0] + c[1] z + ... at the points, n being 2 to 5; at
// infinity, the last coefficient.
void values(const REALV* c, int n, REALV out[6]) {
  REALV even_p = c[0], even_q = c[0], odd_p = c[1], odd_q = c[1];
  if (n > 2) {
    even_p += P2 * c[2];
    even_q += Q2 * c[2];
  }
  if (n > 3) {
    odd_p += P2 * c[3];
    odd_q += Q2 * c[3];
  }
  if (n > 4) {
    even_p += P2 * P2 * c[4];
    even_q += Q2 * Q2 * c[4];
  }
  out[0] = c[0];
  out[1] = even_p + P * odd_p;
  out[2] = even_p - P * odd_p;
  out[3] = even_q + Q * odd_q;
  out[4] = even_q - Q * odd_q;
  out[5] = c[n - 1];
}

// A^T m, and G^T m but for that factor: out[i] = sum over the points of z^i m(z). Transposed, `values`.
void moments(const REALV m[6], int n, REALV* out) {
  const REALV even_p = m[1] + m[2], odd_p = P * (m[1] - m[2]);
  const REALV even_q = m[3] + m[4], odd_q = Q * (m[3] - m[4]);
  out[0] = m[0] + even_p + even_q;
  out[1] = odd_p + odd_q;
  if (n > 2) out[2] = P2 * even_p + Q2 * even_q;
  if (n > 3) out[3] = P2 * odd_p + Q2 * odd_q;
  if (n > 4) out[4] = P2 * P2 * even_p + Q2 * Q2 * even_q;
  out[n - 1] += m[5];
}

// The factor: the product of a point's distances from the others, inverted.
void scale(REALV m[6]) {
  const REAL by_p = 1 / (2 * P2 * (P2 - Q2)), by_q = 1 / (2 * Q2 * (Q2 - P2));
  m[0] *= 1 / (P2 * Q2);
  m[1] *= by_p;
  m[2] *= by_p;
  m[3] *= by_q;
  m[4] *= by_q;
}

// A function of a row done to the columns of a tile and then to its rows: IN x IN -> OUT x OUT.
#define BOTH_WAYS(IN, OUT, from, to, FUNCTION)                                                   \
  {                                                                                              \
    REALV mid[OUT][IN];                                                                          \
    _Pragma("unroll") for (int j = 0; j < IN; ++j) {                                             \
      REALV column[6], done[6];                                                                  \
      _Pragma("unroll") for (int i = 0; i < IN; ++i) column[i] = from[i][j];                     \
      FUNCTION(column, done);                                                                    \
      _Pragma("unroll") for (int i = 0; i < OUT; ++i) mid[i][j] = done[i];                       \
    }                                                                                            \
    _Pragma("unroll") for (int i = 0; i < OUT; ++i) {                                            \
      REALV done[6];                                                                             \
      FUNCTION(mid[i], done);                                                                    \
      _Pragma("unroll") for (int j = 0; j < OUT; ++j) to[i][j] = done[j];                        \
    }                                                                                            \
  }

typedef struct {  // the same as Tiles in winograd.cpp
  long tiles, tiles_h, tiles_w;   // of all images; of one
  long offset, image, plane, pitch;  // of the array that tiles are read from, or written to
  long out;                       // outputs a side
} Tiles;

// Where tile t begins; and the next one, by steps.
typedef struct {
  long n, row, column;
} Place;
Place place_of(long t, const Tiles* s) {
  const long rest = t % (s->tiles_h * s->tiles_w);
  const Place p = {t / (s->tiles_h * s->tiles_w), rest / s->tiles_w, rest % s->tiles_w};
  return p;
}
void advance(Place* p, const Tiles* s) {
  if (++p->column < s->tiles_w) return;
  p->column = 0;
  if (++p->row < s->tiles_h) return;
  p->row = 0;
  ++p->n;
}
long begin_of(const Place* p, const Tiles* s) {
  return s->offset + p->n * s->image + (p->row * s->pitch + p->column) * s->out;
}

// at[l]: where lane l's tile begins, lanes being neighbouring tiles. Lanes past the end repeat the last.
void lanes_of_tiles(long t, const Tiles* s, long at[VEC]) {
  Place p = place_of(t, s);
  for (int l = 0; l < VEC; ++l) {
    at[l] = begin_of(&p, s);
    if (t + l + 1 < s->tiles) advance(&p, s);
  }
}

// to[product] at `plane` numbers from each other
#define STORE_POINTS(tile, to, plane)                     \
  _Pragma("unroll") for (int i = 0; i < 6; ++i)           \
      _Pragma("unroll") for (int j = 0; j < 6; ++j)       \
          STOREV(tile[i][j], to + (6 * i + j) * (plane));

// Element (row, column) of a left factor as tile.cl packs it.
long place_in_a(long row, long column, long columns) {
  const long blocks = (columns + K_BLOCK - 1) / K_BLOCK;
  return ((row / PANEL_A * blocks + column / K_BLOCK) * PANEL_A + row % PANEL_A) * A_ROW +
         column % K_BLOCK;
}

#define LOAD_TILE(SIZE, tile, x, at, pitch)                                    \
  _Pragma("unroll") for (int i = 0; i < SIZE; ++i)                             \
      _Pragma("unroll") for (int j = 0; j < SIZE; ++j) {                       \
    REAL lane[VEC];                                                            \
    _Pragma("unroll") for (int l = 0; l < VEC; ++l) lane[l] = (x)[at[l] + i * (pitch) + j]; \
    tile[i][j] = LOADV(lane);                                                  \
  }

// The right factor, B^T d B, from images spread out with zeros around (conv2d.cl): [channels, tiles]
// for y, lanes being tiles; [tiles, channels] for dg (by_channel), lanes being channels.
// Items: (vector of tiles, channel) or (vector of channels, tile).
kernel void image_points(global const REAL* x, Tiles s, long channels, int by_channel,
                         global REAL* to) {
  const long line = (long)get_global_id(0) * VEC, k = get_global_id(1);
  const long lines = by_channel ? channels : s.tiles, steps = by_channel ? s.tiles : channels;
  if (line >= lines) return;
  long at[VEC];
  if (by_channel) {
    const Place p = place_of(k, &s);
    for (int l = 0; l < VEC; ++l)
      at[l] = begin_of(&p, &s) + min(line + l, channels - 1) * s.plane;
  } else {
    lanes_of_tiles(line, &s, at);
    x += k * s.plane;
  }
  REALV tile[6][6];
  LOAD_TILE(6, tile, x, at, s.pitch)
  BOTH_WAYS(6, 6, tile, tile, input_points)
  to += (line / PANEL_B * steps + k) * PANEL_B + line % PANEL_B;
  const long plane = (lines + PANEL_B - 1) / PANEL_B * PANEL_B * steps;
  STORE_POINTS(tile, to, plane)
}

#define FILTER_3(c, out) (values(c, 3, out), scale(out))
#define FILTER_5(c, out) (values(c, 5, out), scale(out))
#define GRADIENT_3(c, out) values(c, 4, out)
#define GRADIENT_5(c, out) values(c, 2, out)
#define OUTPUT_3(c, out) moments(c, 4, out)
#define OUTPUT_5(c, out) moments(c, 2, out)
#define WEIGHT_3(c, out) (scale(c), moments(c, 3, out))
#define WEIGHT_5(c, out) (scale(c), moments(c, 5, out))

// The left factor for y, G g G^T: [rows, columns], filter (row, column) at row * row_step + column *
// column_step, its taps in order or `turned`. Lanes are columns. Items: (vector of columns, row).
#define FILTER_POINTS(TAPS)                                                                      \
  kernel void filter_points_##TAPS(global const REAL* w, long offset, long rows, long row_step,  \
                                   long columns, long column_step, int turned,                   \
                                   global REAL* to) {                                            \
    const long column = (long)get_global_id(0) * VEC, row = get_global_id(1);                    \
    if (column >= columns) return;                                                               \
    long at[VEC];                                                                                \
    for (int l = 0; l < VEC; ++l)                                                                \
      at[l] = offset + row * row_step + min(column + l, columns - 1) * column_step;              \
    REALV taps[TAPS][TAPS], tile[6][6];                                                          \
    const int first = turned ? TAPS * TAPS - 1 : 0, step = turned ? -1 : 1;                      \
    _Pragma("unroll") for (int i = 0; i < TAPS; ++i)                                             \
        _Pragma("unroll") for (int j = 0; j < TAPS; ++j) {                                       \
      REAL lane[VEC];                                                                            \
      for (int l = 0; l < VEC; ++l) lane[l] = w[at[l] + first + step * (i * TAPS + j)];          \
      taps[i][j] = LOADV(lane);                                                                  \
    }                                                                                            \
    BOTH_WAYS(TAPS, 6, taps, tile, FILTER_##TAPS)                                                \
    to += place_in_a(row, column, columns);                                                      \
    const long plane = place_in_a((rows + PANEL_A - 1) / PANEL_A * PANEL_A, 0, columns);         \
    STORE_POINTS(tile, to, plane)                                                                \
  }
FILTER_POINTS(3)
FILTER_POINTS(5)

// The left factor for dg, A dy A^T: [filters, tiles], from dy spread to whole tiles. Lanes are tiles.
// Items: (vector of tiles, filter).
#define GRADIENT_POINTS(TAPS, OUT)                                                          \
  kernel void gradient_points_##TAPS(global const REAL* dy, Tiles s, long filters,          \
                                     global REAL* to) {                                     \
    const long t = (long)get_global_id(0) * VEC, k = get_global_id(1);                      \
    if (t >= s.tiles) return;                                                               \
    long at[VEC];                                                                           \
    lanes_of_tiles(t, &s, at);                                                              \
    REALV out[OUT][OUT], tile[6][6];                                                        \
    LOAD_TILE(OUT, out, dy + k * s.plane, at, s.pitch)                                      \
    BOTH_WAYS(OUT, 6, out, tile, GRADIENT_##TAPS)                                           \
    to += place_in_a(k, t, s.tiles);                                                        \
    const long plane = place_in_a((filters + PANEL_A - 1) / PANEL_A * PANEL_A, 0, s.tiles); \
    STORE_POINTS(tile, to, plane)                                                           \
  }
GRADIENT_POINTS(3, 4)
GRADIENT_POINTS(5, 2)

// The way back, y = A^T m A + b: m [36, filters, tiles], rows of `pitch`. What lies past the map's
// edge is dropped. Items: (vector of tiles, filter).
#define OUTPUTS(TAPS, OUT)                                                                     \
  kernel void outputs_##TAPS(global const REAL* m, long pitch, long filters, Tiles s, long oh, \
                             long ow, global const REAL* bias, long bias_offset, int relu,     \
                             global REAL* y) {                                                 \
    const long t = (long)get_global_id(0) * VEC, k = get_global_id(1);                         \
    if (t >= s.tiles) return;                                                                  \
    m += k * pitch + t;                                                                        \
    REALV tile[6][6], out[OUT][OUT];                                                           \
    _Pragma("unroll") for (int i = 0; i < 6; ++i)                                              \
        _Pragma("unroll") for (int j = 0; j < 6; ++j)                                          \
            tile[i][j] = LOADV(m + (6 * i + j) * filters * pitch);                             \
    BOTH_WAYS(6, OUT, tile, out, OUTPUT_##TAPS)                                                \
    const REALV b = (REALV)(bias ? bias[bias_offset + k] : (REAL)0);                           \
    REAL lane[OUT * OUT][VEC];                                                                 \
    _Pragma("unroll") for (int i = 0; i < OUT; ++i)                                            \
        _Pragma("unroll") for (int j = 0; j < OUT; ++j) {                                      \
      REALV value = out[i][j] + b;                                                             \
      if (relu) value = value < 0 ? (REALV)0 : value;                                          \
      STOREV(value, lane[i * OUT + j]);                                                        \
    }                                                                                          \
    Place p = place_of(t, &s);                                                                 \
    for (int l = 0; l < VEC && t + l < s.tiles; ++l) {                                         \
      global REAL* to = y + begin_of(&p, &s) + k * s.plane;                                    \
      const bool whole = (p.row + 1) * OUT <= oh && (p.column + 1) * OUT <= ow;                \
      _Pragma("unroll") for (int i = 0; i < OUT; ++i)                                          \
          _Pragma("unroll") for (int j = 0; j < OUT; ++j)                                      \
        if (whole || (p.row * OUT + i < oh && p.column * OUT + j < ow))                        \
          to[i * ow + j] = lane[i * OUT + j][l];                                               \
      advance(&p, &s);                                                                         \
    }                                                                                          \
  }
OUTPUTS(3, 4)
OUTPUTS(5, 2)

// dw = G^T m G: m [36, filters, channels], rows of `pitch`. Items: (vector of channels, filter).
#define WEIGHTS(TAPS)                                                                           \
  kernel void weights_##TAPS(global const REAL* m, long pitch, long filters, long channels,     \
                             global REAL* dw, long offset) {                                    \
    const long c = (long)get_global_id(0) * VEC, k = get_global_id(1);                          \
    if (c >= channels) return;                                                                  \
    m += k * pitch + c;                                                                         \
    REALV tile[6][6], out[TAPS][TAPS];                                                          \
    _Pragma("unroll") for (int i = 0; i < 6; ++i)                                               \
        _Pragma("unroll") for (int j = 0; j < 6; ++j)                                           \
            tile[i][j] = LOADV(m + (6 * i + j) * filters * pitch);                              \
    BOTH_WAYS(6, TAPS, tile, out, WEIGHT_##TAPS)                                                \
    dw += offset + (k * channels + c) * TAPS * TAPS;                                            \
    _Pragma("unroll") for (int i = 0; i < TAPS; ++i)                                            \
        _Pragma("unroll") for (int j = 0; j < TAPS; ++j) {                                      \
      REAL lane[VEC];                                                                           \
      STOREV(out[i][j], lane);                                                                  \
      for (int l = 0; l < VEC && c + l < channels; ++l)                                         \
        dw[(l * TAPS + i) * TAPS + j] = lane[l];                                                \
    }                                                                                           \
  }
WEIGHTS(3)
WEIGHTS(5)
