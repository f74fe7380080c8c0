// Winograd's convolution for windows of 3 x 3 and 5 x 5 with a stride of 1, and for wider ones with
// a stride, which become such windows first (the end of this file).
//
// A row of filter taps g and a row of pixels d are the coefficients of polynomials, and a sliding
// sum is, transposed, their product. A product of degree 6 is known from its values at 7 points,
// and at a point it costs one multiplication. So a tile of OUT outputs a side, OUT = 5 for 3 taps
// and 3 for 5, sees 7 x 7 pixels and needs 49 multiplications instead of 225. In matrices:
//
//     y  = A^T [ (G g G^T) * (B^T d B) ] A                       * entry by entry
//     dg = G^T [ (A dy A^T) * (B^T d B) ] G                      the same product, transposed
//
// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.) What is done to d, g
// and dy is done once, while each of them meets many others: the sum over channels (for dg: over
// tiles) is a matrix product for each of the 49 points, which is what tile.cl is for.
//
// The points are three pairs and infinity: +-1/4, +-7/8, +-7/4. Their powers neither grow nor
// shrink much; backends/cpu/kernels/winograd/transforms.h compares them with others, prints B, G
// and A as numbers, and tells the method from its beginning. Names are the same here and there.
//
// Read the kernels for 3 taps first. The host launches filter_points, image_points, 49 products
// (gemm.cl) and outputs. LANE is a vector on a processor and one number on a GPU (common.cl). Sizes
// for 3 taps, in brackets for 5:
//     filter_points     G g G^T      3 x 3 (5 x 5)  ->  7 x 7            values
//     image_points      B^T d B      7 x 7          ->  7 x 7            input_points
//     outputs           A^T m A      7 x 7          ->  5 x 5 (3 x 3)    moments
//     gradient_points   A dy A^T     5 x 5 (3 x 3)  ->  7 x 7            values
//     weights           G^T m G      7 x 7          ->  3 x 3 (5 x 5)    moments
//
// Kernels for both are written once, as macros. Functions of the number of taps, forced inline,
// read better; but Clang 14 then leaves the tiles in memory instead of in registers: it unrolls a
// loop whose bound becomes known by inlining too late.
#include "tile.cl"

#include "direct.cl"
#include "spread.cl"
enum { tile_in = 7 };  // points, and pixels of a tile, in one direction

constant REAL point[3] = {0.25, 0.875, 1.75};
constant REAL squared[3] = {0.0625, 0.765625, 3.0625};

// In the order +p0, -p0, +p1, -p1, +p2, -p2, infinity. B^T d: the row of a point holds the
// coefficients of the polynomial that is zero at all others, divided by its value at that point.
// With a the square of its p and b, c those of others:
//     for +-p:       (z +- p)(z^2 - b)(z^2 - c) / (+-2 p (a - b)(a - c))
//     for infinity:  (z^2 - a)(z^2 - b)(z^2 - c)
void input_points(const LANE d[tile_in], LANE out[tile_in]) {
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const REAL a = squared[i], b = squared[(i + 1) % 3], c = squared[(i + 2) % 3];
    const REAL divisor = 2 * (a - b) * (a - c);
    const LANE even = 1 / divisor * (b * c * d[0] - (b + c) * d[2] + d[4]);
    const LANE odd = 1 / (point[i] * divisor) * (b * c * d[1] - (b + c) * d[3] + d[5]);
    out[2 * i] = even + odd;
    out[2 * i + 1] = even - odd;
  }
  const REAL a = squared[0], b = squared[1], c = squared[2];
  out[6] = (a * b + b * c + c * a) * d[2] - a * b * c * d[0] + (d[6] - (a + b + c) * d[4]);
}

// G g, and A dy: the values of c[0] + c[1] z + ... at the points, n being 3 or 5;
// at infinity, the last coefficient.
void values(const LANE* c, int n, LANE out[tile_in]) {
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    LANE even = c[0] + squared[i] * c[2], odd = c[1];
    if (n == 5) {
      even += squared[i] * squared[i] * c[4];
      odd += squared[i] * c[3];
    }
    out[2 * i] = even + point[i] * odd;
    out[2 * i + 1] = even - point[i] * odd;
  }
  out[6] = c[n - 1];
}

// A^T m, and G^T m: out[i] = sum over the points of z^i m(z). Transposed, `values`.
void moments(const LANE m[tile_in], int n, LANE* out) {
  LANE even[3], odd[3];
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    even[i] = m[2 * i] + m[2 * i + 1];
    odd[i] = point[i] * (m[2 * i] - m[2 * i + 1]);
  }
#pragma unroll
  for (int i = 0; i < n; i += 2) {
    out[i] = even[0] + even[1] + even[2];
    if (i + 1 < n) out[i + 1] = odd[0] + odd[1] + odd[2];
#pragma unroll
    for (int j = 0; j < 3; ++j) {
      even[j] *= squared[j];
      odd[j] *= squared[j];
    }
  }
  out[n - 1] += m[6];
}

// A function of a row done to the columns of a tile and then to its rows: IN x IN -> OUT x OUT.
#define BOTH_AXES(IN, OUT, from, to, FUNCTION)                               \
  {                                                                          \
    LANE mid[OUT][IN];                                                       \
    _Pragma("unroll") for (int j = 0; j < IN; ++j) {                         \
      LANE column[tile_in], done[tile_in];                                   \
      _Pragma("unroll") for (int i = 0; i < IN; ++i) column[i] = from[i][j]; \
      FUNCTION(column, done);                                                \
      _Pragma("unroll") for (int i = 0; i < OUT; ++i) mid[i][j] = done[i];   \
    }                                                                        \
    _Pragma("unroll") for (int i = 0; i < OUT; ++i) {                        \
      LANE done[tile_in];                                                    \
      FUNCTION(mid[i], done);                                                \
      _Pragma("unroll") for (int j = 0; j < OUT; ++j) to[i][j] = done[j];    \
    }                                                                        \
  }

typedef struct {                     // the same as Tiles in winograd.cpp
  long tiles, tiles_h, tiles_w;      // of all images; of one
  long offset, image, plane, pitch;  // of the array that tiles are read from, or written to
  long out;                          // outputs a side
} Tiles;

// Where tile t begins; and the next one, by steps.
typedef struct {
  long n, row, column;
} Place;
Place place_of(int t, const Tiles* s) {  // a chunk has less than 2^31 tiles
  const int of_one = s->tiles_h * s->tiles_w, w = s->tiles_w, rest = t % of_one;
  const Place p = {t / of_one, rest / w, rest % w};
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

// at[l]: where lane l's tile begins, lanes being neighbouring tiles. Lanes past the end repeat the
// last.
void lanes_of_tiles(long t, const Tiles* s, long at[LANES]) {
  Place p = place_of(min(t, s->tiles - 1), s);
  for (int l = 0; l < LANES; ++l) {
    at[l] = begin_of(&p, s);
    if (t + l + 1 < s->tiles) advance(&p, s);
  }
}

// to[product] at `plane` numbers from each other
#define STORE_POINTS(tile, to, plane)                     \
  _Pragma("unroll") for (int i = 0; i < tile_in; ++i)     \
      _Pragma("unroll") for (int j = 0; j < tile_in; ++j) \
          STORE_LANE(tile[i][j], to + (tile_in * i + j) * (plane));

// Element (row, column) of a left factor, and (step, line) of a right one: as tile.cl packs them;
// on a GPU a plain matrix. Rows and lines are filled up to WHOLE_A and WHOLE_B of them.
#ifdef PROCESSOR
#define WHOLE_A(rows) (((rows) + PANEL_A - 1) / PANEL_A * PANEL_A)
#define WHOLE_B(lines) (((lines) + PANEL_B - 1) / PANEL_B * PANEL_B)
long place_in_a(long row, long column, long columns) {
  const long blocks = (columns + K_BLOCK - 1) / K_BLOCK;
  return ((row / PANEL_A * blocks + column / K_BLOCK) * PANEL_A + row % PANEL_A) * A_ROW +
         column % K_BLOCK;
}
long place_in_b(long step, long line, long steps, long lines) {
  return (line / PANEL_B * steps + step) * PANEL_B + line % PANEL_B;
}
#else
#define WHOLE_A(rows) (rows)
#define WHOLE_B(lines) (lines)
long place_in_a(long row, long column, long columns) { return row * columns + column; }
long place_in_b(long step, long line, long steps, long lines) { return step * lines + line; }
#endif

// tile[i][j] = pixel (i, j) of each lane's tile. Lanes lie anywhere; but a vector reads a row of a
// tile at once (and past it: the arrays have a tail), and rows of all lanes become columns of
// tiles.
#if defined(PROCESSOR) && VEC >= 7  // tile_in, which the preprocessor does not know
#define LOAD_TILE(SIZE, tile, x, at, pitch)                               \
  _Pragma("unroll") for (int i = 0; i < SIZE; ++i) {                      \
    LANE row[LANES];                                                      \
    _Pragma("unroll") for (int l = 0; l < LANES; ++l) row[l] =            \
        LOAD_LANE((x) + at[l] + i * (pitch));                             \
    transpose_block(row);                                                 \
    _Pragma("unroll") for (int j = 0; j < SIZE; ++j) tile[i][j] = row[j]; \
  }
#else
#define LOAD_TILE(SIZE, tile, x, at, pitch)                                                   \
  _Pragma("unroll") for (int i = 0; i < SIZE; ++i)                                            \
      _Pragma("unroll") for (int j = 0; j < SIZE; ++j) {                                      \
    REAL lane[LANES];                                                                         \
    _Pragma("unroll") for (int l = 0; l < LANES; ++l) lane[l] = (x)[at[l] + i * (pitch) + j]; \
    tile[i][j] = LOAD_LANE(lane);                                                             \
  }
#endif

// The right factor, B^T d B, from images spread out with zeros around (conv2d.cl): [channels,
// tiles] for y, lanes being tiles; [tiles, channels] for dg (by_channel), lanes being channels.
// Panels are filled to their ends, here and below: what is left of other arrays may be denormal
// numbers, and to multiply those takes a processor a hundred cycles, even if nobody looks at the
// product. Items: (vector of tiles, channel) or (vector of channels, tile).
#ifdef PROCESSOR
kernel void image_points(global const REAL* x, Tiles s, long channels, int by_channel,
                         global REAL* to) {
  const long line = (long)get_global_id(0) * LANES, k = get_global_id(1);
  const long lines = by_channel ? channels : s.tiles, steps = by_channel ? s.tiles : channels;
  if (line >= WHOLE_B(lines)) return;
  long at[LANES];
  if (by_channel) {
    const Place p = place_of(k, &s);
    for (int l = 0; l < LANES; ++l)
      at[l] = begin_of(&p, &s) + min(line + l, channels - 1) * s.plane;
  } else {
    lanes_of_tiles(line, &s, at);
    x += k * s.plane;
  }
  LANE tile[tile_in][tile_in];
  LOAD_TILE(tile_in, tile, x, at, s.pitch)
  BOTH_AXES(tile_in, tile_in, tile, tile, input_points)
  to += place_in_b(k, line, steps, lines);
  const long plane = WHOLE_B(lines) * steps;
  STORE_POINTS(tile, to, plane)
}
#else
// On a GPU without a copy: pixels outside of the image are asked for, and are zero. Channel k of
// the convolution without a stride is a phase of channel k / (SH SW) of x (conv2d.cl). [channels,
// tiles] serves for dg, too (group_tile.cl). Items: (tile, channel).
#define LOAD_PIXELS(SIZE, tile, x, top, left, s)                                  \
  _Pragma("unroll") for (int i = 0; i < SIZE; ++i)                                \
      _Pragma("unroll") for (int j = 0; j < SIZE; ++j) {                          \
    const int ih = (top) + i * (int)(s).sh, iw = (left) + j * (int)(s).sw;        \
    const bool inside = ih >= 0 && ih < (s).read_h && iw >= 0 && iw < (s).read_w; \
    tile[i][j] = inside ? (x)[ih * (int)(s).w + iw] : (REAL)0;                    \
  }

kernel void image_points(global const REAL* restrict x, Tiles s, Spread from, long channels,
                         global REAL* restrict to) {
  const long t = get_global_id(0), k = get_global_id(1);
  if (t >= s.tiles) return;
  const Place p = place_of(t, &s);
  const int phases = from.sh * from.sw, phase = k % phases, sw = from.sw;
  x += s.offset + p.n * s.image + k / phases * s.plane;
  const int top = p.row * s.out * from.sh + phase / sw - from.ph;
  const int left = p.column * s.out * from.sw + phase % sw - from.pw;
  REAL tile[tile_in][tile_in];
  LOAD_PIXELS(tile_in, tile, x, top, left, from)
  BOTH_AXES(tile_in, tile_in, tile, tile, input_points)
  to += place_in_b(k, t, channels, s.tiles);
  STORE_POINTS(tile, to, s.tiles * channels)
}
#endif

#define FILTER_3(c, out) values(c, 3, out)
#define FILTER_5(c, out) values(c, 5, out)
#define GRADIENT_3(c, out) values(c, 5, out)
#define GRADIENT_5(c, out) values(c, 3, out)
#define OUTPUT_3(c, out) moments(c, 5, out)
#define OUTPUT_5(c, out) moments(c, 3, out)
#define WEIGHT_3(c, out) moments(c, 3, out)
#define WEIGHT_5(c, out) moments(c, 5, out)

// The left factor for y, G g G^T: [rows, columns], filter (row, column) at row * row_step + column
// * column_step, its taps in order or `flipped`. Lanes are columns. Items: (vector of columns, row
// up to the panel's end).
#define FILTER_POINTS(TAPS)                                                                        \
  kernel void filter_points_##TAPS(global const REAL* w, long offset, long rows, long row_step,    \
                                   long columns, long column_step, int flipped, global REAL* to) { \
    const long column = (long)get_global_id(0) * LANES, row = get_global_id(1);                    \
    if (column >= columns) return;                                                                 \
    w += offset + min(row, rows - 1) * row_step;                                                   \
    long at[LANES];                                                                                \
    for (int l = 0; l < LANES; ++l) at[l] = min(column + l, columns - 1) * column_step;            \
    LANE taps[TAPS][TAPS], tile[tile_in][tile_in];                                                 \
    const int first = flipped ? TAPS * TAPS - 1 : 0, step = flipped ? -1 : 1;                      \
    _Pragma("unroll") for (int i = 0; i < TAPS; ++i)                                               \
        _Pragma("unroll") for (int j = 0; j < TAPS; ++j) {                                         \
      REAL lane[LANES];                                                                            \
      for (int l = 0; l < LANES; ++l) lane[l] = w[at[l] + first + step * (i * TAPS + j)];          \
      taps[i][j] = LOAD_LANE(lane);                                                                \
    }                                                                                              \
    BOTH_AXES(TAPS, tile_in, taps, tile, FILTER_##TAPS)                                            \
    to += place_in_a(row, column, columns);                                                        \
    const long plane = place_in_a(WHOLE_A(rows), 0, columns);                                      \
    STORE_POINTS(tile, to, plane)                                                                  \
  }
FILTER_POINTS(3)
FILTER_POINTS(5)

// The left factor for dg, A dy A^T: [filters, tiles]; on a processor from dy spread to whole tiles.
// Lanes are tiles. Items: (vector of tiles, filter).
#ifdef PROCESSOR
#define LOAD_GRADIENT(OUT, out, dy, s, k, filters, t, from) \
  long at[LANES];                                           \
  lanes_of_tiles(t, &s, at);                                \
  LOAD_TILE(OUT, out, dy + min(k, filters - 1) * s.plane, at, s.pitch)
#define FROM
#else
#define LOAD_GRADIENT(OUT, out, dy, s, k, filters, t, from) \
  const Place p = place_of(t, &s);                          \
  dy += s.offset + p.n * s.image + k * s.plane;             \
  LOAD_PIXELS(OUT, out, dy, (int)(p.row * s.out), (int)(p.column * s.out), from)
#define FROM Spread from,
#endif
#define GRADIENT_POINTS(TAPS, OUT)                                                               \
  kernel void gradient_points_##TAPS(global const REAL* restrict dy, Tiles s, FROM long filters, \
                                     global REAL* restrict to) {                                 \
    const long t = (long)get_global_id(0) * LANES, k = get_global_id(1);                         \
    if (t >= s.tiles) return;                                                                    \
    LANE out[OUT][OUT], tile[tile_in][tile_in];                                                  \
    LOAD_GRADIENT(OUT, out, dy, s, k, filters, t, from)                                          \
    BOTH_AXES(OUT, tile_in, out, tile, GRADIENT_##TAPS)                                          \
    to += place_in_a(k, t, s.tiles);                                                             \
    const long plane = place_in_a(WHOLE_A(filters), 0, s.tiles);                                 \
    STORE_POINTS(tile, to, plane)                                                                \
  }
GRADIENT_POINTS(3, 5)
GRADIENT_POINTS(5, 3)

// The way back, y = A^T m A + b: m [49, filters, tiles], rows of `pitch`. What lies past the map's
// edge is dropped. Items: (vector of tiles, filter).
#define OUTPUTS(TAPS, OUT)                                                                        \
  kernel void outputs_##TAPS(global const REAL* m, long pitch, long filters, Tiles s, long oh,    \
                             long ow, global const REAL* bias, long bias_offset, int relu,        \
                             global REAL* y, global const REAL* x, global const REAL* w,          \
                             Direct direct) {                                                     \
    const long t = (long)get_global_id(0) * LANES, k = get_global_id(1);                          \
    if (t >= s.tiles) return;                                                                     \
    m += k * pitch + t;                                                                           \
    LANE tile[tile_in][tile_in], out[OUT][OUT];                                                   \
    _Pragma("unroll") for (int i = 0; i < tile_in; ++i)                                           \
        _Pragma("unroll") for (int j = 0; j < tile_in; ++j) tile[i][j] =                          \
            LOAD_LANE(m + (tile_in * i + j) * filters * pitch);                                   \
    BOTH_AXES(tile_in, OUT, tile, out, OUTPUT_##TAPS)                                             \
    const LANE b = (LANE)(bias ? bias[bias_offset + k] : (REAL)0);                                \
    REAL lane[OUT * OUT][LANES], zeros[LANES];                                                    \
    LANE seen = (LANE)0;                                                                          \
    _Pragma("unroll") for (int i = 0; i < OUT; ++i)                                               \
        _Pragma("unroll") for (int j = 0; j < OUT; ++j) {                                         \
      SEE(seen, out[i][j]);                                                                       \
      LANE value = out[i][j] + b;                                                                 \
      if (relu) value = value < 0 ? (LANE)0 : value;                                              \
      STORE_LANE(value, lane[i * OUT + j]);                                                       \
    }                                                                                             \
    STORE_LANE(seen, zeros);                                                                      \
    Place p = place_of(t, &s);                                                                    \
    for (int l = 0; l < LANES && t + l < s.tiles; ++l) {                                          \
      global REAL* to = y + begin_of(&p, &s) + k * s.plane;                                       \
      const bool whole = (p.row + 1) * OUT <= oh && (p.column + 1) * OUT <= ow;                   \
      if (zeros[l] != zeros[l])                                                                   \
        for (int i = 0; i < min((long)OUT, oh - p.row * OUT); ++i)                                \
          for (int j = 0; j < min((long)OUT, ow - p.column * OUT); ++j) {                         \
            const REAL value =                                                                    \
                (bias ? bias[bias_offset + k] : (REAL)0) +                                        \
                direct_output(x, w, &direct, p.n, k, p.row * OUT + i, p.column * OUT + j);        \
            lane[i * OUT + j][l] = relu && value < 0 ? (REAL)0 : value;                           \
          }                                                                                       \
      _Pragma("unroll") for (int i = 0; i < OUT; ++i)                                             \
          _Pragma("unroll") for (int j = 0; j < OUT; ++j) if (whole || (p.row * OUT + i < oh &&   \
                                                                        p.column * OUT + j < ow)) \
              to[i * ow + j] = lane[i * OUT + j][l];                                              \
      advance(&p, &s);                                                                            \
    }                                                                                             \
  }
OUTPUTS(3, 5)
OUTPUTS(5, 3)

// dw = G^T m G: m [49, filters, channels], rows of `pitch`. Items: (vector of channels, filter).
#define WEIGHTS(TAPS)                                                                              \
  kernel void weights_##TAPS(global const REAL* m, long pitch, long filters, long channels,        \
                             global REAL* dw, long offset, global const REAL* x,                   \
                             global const REAL* dy, Direct direct) {                               \
    const long c = (long)get_global_id(0) * LANES, k = get_global_id(1);                           \
    if (c >= channels) return;                                                                     \
    m += k * pitch + c;                                                                            \
    LANE tile[tile_in][tile_in], out[TAPS][TAPS];                                                  \
    _Pragma("unroll") for (int i = 0; i < tile_in; ++i)                                            \
        _Pragma("unroll") for (int j = 0; j < tile_in; ++j) tile[i][j] =                           \
            LOAD_LANE(m + (tile_in * i + j) * filters * pitch);                                    \
    BOTH_AXES(tile_in, TAPS, tile, out, WEIGHT_##TAPS)                                             \
    dw += offset + (k * channels + c) * TAPS * TAPS;                                               \
    _Pragma("unroll") for (int i = 0; i < TAPS; ++i)                                               \
        _Pragma("unroll") for (int j = 0; j < TAPS; ++j) {                                         \
      REAL lane[LANES];                                                                            \
      STORE_LANE(out[i][j], lane);                                                                 \
      for (int l = 0; l < LANES && c + l < channels; ++l) {                                        \
        const long from = c + l, phase = from % (direct.sh * direct.sw);                           \
        const long fh = i * direct.sh + phase / direct.sw, fw = j * direct.sw + phase % direct.sw; \
        if (!isfinite(lane[l]) && fh < direct.fh && fw < direct.fw)                                \
          lane[l] = direct_weight(x, dy, &direct, k, from / (direct.sh * direct.sw), fh, fw);      \
        dw[(l * TAPS + i) * TAPS + j] = lane[l];                                                   \
      }                                                                                            \
    }                                                                                              \
  }
WEIGHTS(3)
WEIGHTS(5)

// A filter of FH x FW taps for a stride of SH x SW as filters of TH x TW taps without one, for SH
// SW times as many channels; what is past its end is zero. Filters are [k, channels, ...], k as
// many as there are.
typedef struct {  // the same as in winograd.cpp
  long channels, fh, fw, sh, sw, th, tw;
} SpaceToDepth;

// to[k, c, a, b, i, j] = from[k, c, sh i + a, sw j + b]
kernel void space_to_depth(long count, SpaceToDepth s, global const REAL* restrict from,
                           global REAL* restrict to) {
  FOR_MY_ELEMENTS(e, count) {
    const long j = e % s.tw, i = e / s.tw % s.th, phase = e / (s.tw * s.th);
    const long fw = j * s.sw + phase % s.sw, fh = i * s.sh + phase / s.sw % s.sh;
    const long filter = phase / (s.sw * s.sh);  // (k, c)
    to[e] = fh < s.fh && fw < s.fw ? from[(filter * s.fh + fh) * s.fw + fw] : (REAL)0;
  }
}

// The way back: to[k, c, fh, fw] = from[k, c, fh % sh, fw % sw, fh / sh, fw / sw]
kernel void depth_to_space(long count, SpaceToDepth s, global const REAL* restrict from,
                           global REAL* restrict to) {
  FOR_MY_ELEMENTS(e, count) {
    const long fw = e % s.fw, fh = e / s.fw % s.fh, filter = e / (s.fw * s.fh);
    const long phase = (filter * s.sh + fh % s.sh) * s.sw + fw % s.sw;
    to[e] = from[(phase * s.th + fh / s.sh) * s.tw + fw / s.sw];
  }
}
