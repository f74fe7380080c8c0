// Convolution as a product of two matrices (tile.cl), one of which is never written down.
//
//     y[n, k, oh, ow]  = b[k] + sum over c, fh, fw of  x[n, c, ih, iw] w[k, c, fh, fw]
//     ih = oh SH + fh DH - PH,   iw = ow SW + fw DW - PW,   x = 0 outside of the image
//
//     n image   c channel of the group   k filter   fh, fw tap   oh, ow output   ih, iw input
//
// Seen as a product, A is w [k, (c fh fw)], and column (oh, ow) of B holds what the filters see
// from there. Writing B down ("im2col") would copy each pixel once for each tap, and ask each
// time whether it lies inside. Here the image is copied only once, with zeros around it, such
// that each row of B is a piece of the copy as it lies in memory. With a stride of 1 and rows of
// Q pixels,
//
//     position j = oh Q + ow,     B[(c, fh, fw), j] = copy[offset(c, fh, fw) + j],
//     offset = c plane + fh DH Q + fw DW.
//
// Positions whose ow is past the end of a row are computed, too, and not stored. With larger
// strides the pixels that one tap sees lie SW apart; so the copy is rearranged into SH SW smaller
// images, by the remainders of row and column ("phases"), in each of which that distance is 1.
//
//     x [4 x 4], stride 2, to four phases of 2 x 2:    a b a b
//                                                      c d c d    aa bb cc dd
//                                                      a b a b -> aa bb cc dd
//                                                      c d c d
#include "tile.cl"

#include "spread.cl"

// Items, processor: (plane and phase); GPU: (element of the copy).
#ifdef PROCESSOR
kernel void spread(global const REAL* restrict x, Spread s, long images, global REAL* restrict to) {
  const long image = get_global_id(0);
  if (image >= images) return;
  const long phases = s.sh * s.sw, phase = image % phases;
  const long shift = phase % s.sw - s.pw;  // iw = q sw + shift
  // q of [begin, end) are inside the image
  const long begin = shift >= 0 ? 0 : min(s.pitch, (-shift + s.sw - 1) / s.sw);
  const long end =
      shift >= s.read_w ? begin : max(begin, min(s.pitch, (s.read_w - 1 - shift) / s.sw + 1));
  x += image / phases * s.h * s.w + shift;
  to += image * s.rows * s.pitch;
  for (long row = 0; row < s.rows; ++row) {
    const long ih = phase / s.sw + s.sh * row - s.ph;
    const bool inside = ih >= 0 && ih < s.read_h;
    global const REAL* from = x + ih * s.w;
    global REAL* line = to + row * s.pitch;
    const long b = inside ? begin : s.pitch, e = inside ? end : s.pitch;
    for (long q = 0; q < b; ++q) line[q] = 0;
    if (s.sw == 1)
      for (long q = b; q < e; ++q) line[q] = from[q];
    else
      for (long q = b; q < e; ++q) line[q] = from[q * s.sw];
    for (long q = e; q < s.pitch; ++q) line[q] = 0;
  }
  if (image == images - 1)
    for (long q = 0; q < s.tail; ++q) to[s.rows * s.pitch + q] = 0;
}
#else
kernel void spread(global const REAL* restrict x, Spread s, long images, global REAL* restrict to) {
  const long e = get_global_id(0), line = quotient(e, s.pitch), image = quotient(line, s.rows);
  if (image >= images) {
    if (e < images * s.rows * s.pitch + s.tail) to[e] = 0;
    return;
  }
  const int phases = s.sh * s.sw, phase = image % phases;
  const int q = e - line * s.pitch, row = line - image * s.rows;
  const int iw = q * (int)s.sw + phase % (int)s.sw - (int)s.pw;
  const int ih = row * (int)s.sh + phase / (int)s.sw - (int)s.ph;
  const bool inside = iw >= 0 && iw < s.read_w && ih >= 0 && ih < s.read_h;
  to[e] = inside ? x[(image / phases * s.h + ih) * s.w + iw] : (REAL)0;
}
#endif

// table[(c, fh, fw)] = where that tap's row of B begins, in the spread images of the group.
kernel void tap_offsets(long taps, long fh, long fw, long dh, long dw, Spread s,
                        global int* table) {
  FOR_MY_ELEMENTS(t, taps) {
    const long c = t / (fh * fw), down = t / fw % fh * dh, right = t % fw * dw;
    const long image = (c * s.sh + down % s.sh) * s.sw + right % s.sw;
    table[t] = (int)((image * s.rows + down / s.sh) * s.pitch + right / s.sw);
  }
}

// y = w x + b. Groups: (panel of filters, panel of positions, image).
#ifdef PROCESSOR
kernel void conv_tile(global const REAL* w, global const REAL* x, long x_offset, long x_image,
                      global const int* table, long taps, Spread s, global REAL* y, long y_offset,
                      long y_image, long filters, long oh, long ow, global const REAL* bias,
                      long bias_offset, int relu) {
  const long i0 = get_group_id(0) * PANEL_A, j0 = get_group_id(1) * PANEL_B;
  const long blocks = (taps + K_BLOCK - 1) / K_BLOCK;
  REALV acc[MR][2];
  add_packed(w + i0 * blocks * A_ROW, x + (x_offset + get_group_id(2) * x_image + j0), 0, table, 0,
             taps, acc);
#pragma unroll
  for (int i = 0; i < MR; ++i) {
    const REALV b = (REALV)(bias ? bias[bias_offset + min(i0 + i, filters - 1)] : (REAL)0);
#pragma unroll
    for (int v = 0; v < 2; ++v) {
      acc[i][v] += b;
      if (relu) acc[i][v] = acc[i][v] < 0 ? (REALV)0 : acc[i][v];  // a NaN stays one
    }
  }
  y += y_offset + get_group_id(2) * y_image + i0 * oh * ow;
#pragma unroll
  for (int v = 0; v < 2; ++v) {
    const long j = j0 + v * VEC, row = j / s.pitch, column = j % s.pitch;
    if (row < oh && column + VEC <= ow) {
#pragma unroll
      for (int i = 0; i < MR; ++i)
        if (i0 + i < filters) STOREV(acc[i][v], y + (i * oh + row) * ow + column);
      continue;
    }
    // Pieces of one, two or more rows of y, with gaps between them.
#pragma unroll
    for (int i = 0; i < MR; ++i) {
      REAL lane[VEC];
      STOREV(acc[i][v], lane);
      long r = row, q = column;
      for (int l = 0; l < VEC; ++l) {
        if (r < oh && q < ow && i0 + i < filters) y[(i * oh + r) * ow + q] = lane[l];
        if (++q == s.pitch) {
          ++r;
          q = 0;
        }
      }
    }
  }
}
#else
// The same with filters where they lie, [filters, taps]. A call adds taps [p0, p1), as in `product`
// (gemm.cl); bias and ReLU belong to the last one. With many calls, `lost`, as large as y, keeps
// what the additions round away; else it is null.
kernel OF_ONE_GROUP void conv_tile(global const REAL* w, long w_offset, global const REAL* x,
                                   long x_offset, long x_image, global const int* table, long taps,
                                   long p0, long p1, Spread s, global REAL* y, long y_offset,
                                   long y_image, long filters, long oh, long ow,
                                   global const REAL* bias, long bias_offset, int relu,
                                   global REAL* lost) {
  SLICES
  const long i0 = get_group_id(0) * PANEL_A, j0 = get_group_id(1) * PANEL_B;
  const Factor a = {
      true, w + w_offset + i0 * taps + p0, taps, 1, (int)min((long)PANEL_A, filters - i0), 0, 0};
  const Factor b = {false,     x + x_offset + get_group_id(2) * x_image + j0, 1, 0, PANEL_B, 0,
                    table + p0};
  REALV acc[MR][2];
  CLEAR(acc)
  add_products(a, b, (int)(p1 - p0), acc, slices_a, slices_b);
  const bool last = p1 == taps;
  global const REAL* y_begin = y;
  y += y_offset + get_group_id(2) * y_image + i0 * oh * ow;
#pragma unroll
  for (int v = 0; v < 2; ++v) {
    long row = (j0 + COLUMN(v)) / s.pitch, column = (j0 + COLUMN(v)) % s.pitch;
    REAL lane[MR][VEC];
#pragma unroll
    for (int i = 0; i < MR; ++i) STOREV(acc[i][v], lane[i]);
#pragma unroll
    for (int l = 0; l < VEC; ++l) {
      if (row < oh && column < ow)
#pragma unroll
        for (int i = 0; i < MR; ++i) {
          if (ROW(i) >= a.lines) continue;
          global REAL* to = y + (ROW(i) * oh + row) * ow + column;
          REAL sum = p0 > 0 ? *to : (REAL)0;
          if (lost) {
            global REAL* rest = lost + (to - y_begin);
            REAL gone = p0 > 0 ? *rest : (REAL)0;
            ADD_COMPENSATED(REAL, sum, lane[i][l], gone)
            *rest = gone;
          } else {
            sum += lane[i][l];
          }
          if (bias && last) sum += bias[bias_offset + i0 + ROW(i)];
          *to = relu && last && sum < 0 ? (REAL)0 : sum;
        }
      if (++column == s.pitch) {
        ++row;
        column = 0;
      }
    }
  }
}
#endif

// The gradient of the weights,
//     dw[k, (c, fh, fw)] = sum over n, j of dy[n, k, j] x[n, offset(c, fh, fw) + j],
// where dy is spread to the same positions, with zeros where ow is past the end of a row. Here both
// factors lie along the sum, in memory as they are.
//
// On a processor lanes run along j. A tile of WF filters x WT taps holds a vector of sums for each
// pair (24 registers), to be added up across its lanes at the end. A block of WB positions is used
// for all TAPS_RUN taps of an item while it is in the first cache. On a GPU the slices of
// group_tile.cl do this. After a number of blocks sums are closed; on a GPU, a part's sums are
// short.
//
// The zeros of dy take out the pixels that stand at positions past the end of a row, unless such a
// pixel is infinite or NaN: 0 times that is NaN. Then, and only then, the sum is taken again
// without them. Items or groups: (tile of filters, run of taps, part of the images); parts are
// added up afterwards.
#define WF 4
#define WT 6
#define WB 512
#define BLOCKS_OF_A_SUM 64

typedef struct {       // the same as WeightRows in convolution.cpp
  long oh, ow, pitch;  // output (row, column) is position row * pitch + column
} WeightRows;

#ifdef PROCESSOR
// One tap's sum over images [begin, end), by outputs. x, dy: image 0.
REAL weight_by_outputs(global const REAL* x, long x_image, global const REAL* dy, long dy_image,
                       long begin, long end, WeightRows s) {
  REAL sum = 0, lost = 0;
  for (long n = begin; n < end && sum == sum; ++n)
    for (long row = 0; row < s.oh; ++row)
      for (long j = row * s.pitch; j < row * s.pitch + s.ow; ++j)
        ADD_COMPENSATED(REAL, sum, x[n * x_image + j] * dy[n * dy_image + j], lost)
  return sum;
}

kernel void conv_weight(global const REAL* x, long x_offset, long x_image, global const int* table,
                        long taps, global const REAL* dy, long dy_offset, long dy_image,
                        long dy_plane, long positions, long filters, long images,
                        long images_of_part, global REAL* dw, long dw_offset, long dw_part,
                        WeightRows rows) {
  const long k0 = get_group_id(0) * WF, t0 = get_group_id(1) * TAPS_RUN;
  const long begin = get_group_id(2) * images_of_part, end = min(images, begin + images_of_part);
  x += x_offset;
  dy += dy_offset + k0 * dy_plane;
  dw += dw_offset + get_group_id(2) * dw_part;
  const int last = (int)min(WF - 1L, filters - 1 - k0);
  REALV total[TAPS_RUN][WF], some[TAPS_RUN][WF], lost[TAPS_RUN][WF];
  for (int t = 0; t < TAPS_RUN; ++t)
    for (int f = 0; f < WF; ++f) total[t][f] = some[t][f] = lost[t][f] = (REALV)0;
  int blocks = 0;
  for (long n = begin; n < end; ++n)
    for (long j0 = 0; j0 < positions; j0 += WB) {
      if (++blocks % BLOCKS_OF_A_SUM == 0)
        for (int t = 0; t < TAPS_RUN; ++t)
          for (int f = 0; f < WF; ++f) {
            ADD_COMPENSATED(REALV, total[t][f], some[t][f], lost[t][f])
            some[t][f] = (REALV)0;
          }
      const long count = min((long)WB, positions - j0);  // a multiple of VEC
      global const REAL* d[WF];
#pragma unroll
      for (int f = 0; f < WF; ++f) d[f] = dy + n * dy_image + min(f, last) * dy_plane + j0;
      for (int t = 0; t < TAPS_RUN && t0 + t < taps; t += WT) {
        global const REAL* from[WT];
#pragma unroll
        for (int u = 0; u < WT; ++u)
          from[u] = x + n * x_image + table[min(t0 + t + u, taps - 1)] + j0;
        REALV acc[WT][WF];
#pragma unroll
        for (int u = 0; u < WT; ++u)
#pragma unroll
          for (int f = 0; f < WF; ++f) acc[u][f] = (REALV)0;
        for (long j = 0; j < count; j += VEC) {
          REALV dv[WF];
#pragma unroll
          for (int f = 0; f < WF; ++f) dv[f] = LOADV(d[f] + j);
#pragma unroll
          for (int u = 0; u < WT; ++u) {
            const REALV xv = LOADV(from[u] + j);
#pragma unroll
            for (int f = 0; f < WF; ++f) acc[u][f] += xv * dv[f];
          }
        }
#pragma unroll
        for (int u = 0; u < WT; ++u)
#pragma unroll
          for (int f = 0; f < WF; ++f) some[t + u][f] += acc[u][f];
      }
    }
  for (int t = 0; t < TAPS_RUN && t0 + t < taps; ++t)
    for (int f = 0; f <= last; ++f) {
      ADD_COMPENSATED(REALV, total[t][f], some[t][f], lost[t][f])
      REAL sum = sum_of(total[t][f]);
      if (!isfinite(sum))
        sum = weight_by_outputs(x + table[t0 + t], x_image, dy + f * dy_plane, dy_image, begin, end,
                                rows);
      dw[(k0 + f) * taps + t0 + t] = sum;
    }
}
#else
// A group's sums run over units: SPAN positions of an image, or what is left of them.
#define SPAN K_BLOCK

// As weight_by_outputs, over units [begin, end).
REAL weight_by_units(global const REAL* x, long x_image, global const REAL* dy, long dy_image,
                     long begin, long end, long positions, WeightRows s) {
  const long of_image = (positions + SPAN - 1) / SPAN;
  REAL sum = 0, lost = 0;
  for (long u = begin; u < end && sum == sum; ++u) {
    const long n = u / of_image, first = u % of_image * SPAN;
    for (long j = first; j < min(positions, first + SPAN); ++j)
      if (j % s.pitch < s.ow && j / s.pitch < s.oh)
        ADD_COMPENSATED(REAL, sum, x[n * x_image + j] * dy[n * dy_image + j], lost)
  }
  return sum;
}

kernel OF_ONE_GROUP void conv_weight(global const REAL* x, long x_offset, long x_image,
                                     global const int* table, long taps, global const REAL* dy,
                                     long dy_offset, long dy_image, long dy_plane, long positions,
                                     long filters, long units, long units_of_part, global REAL* dw,
                                     long dw_offset, long dw_part, WeightRows rows) {
  SLICES
  const long k0 = get_group_id(0) * PANEL_A, t0 = get_group_id(1) * PANEL_B;
  const long begin = get_group_id(2) * units_of_part, end = min(units, begin + units_of_part);
  const long of_image = (positions + SPAN - 1) / SPAN;
  const int last = (int)min(PANEL_A - 1L, filters - 1 - k0);
  const int there = (int)min((long)PANEL_B, taps - t0);
  x += x_offset;
  dy += dy_offset + k0 * dy_plane;
  REALV acc[MR][2];
  CLEAR(acc)
#pragma unroll 1
  for (long u = begin; u < end; ++u) {
    const long n = u / of_image, j = u % of_image * SPAN;
    const Factor a = {true, dy + n * dy_image + j, dy_plane, 1, last + 1, 0, 0};
    const Factor b = {true, x + n * x_image + j, 0, 1, there, table + t0, 0};
    add_products(a, b, (int)min((long)SPAN, positions - j), acc, slices_a, slices_b);
  }
  dw += dw_offset + get_group_id(2) * dw_part + k0 * taps + t0;
#pragma unroll
  for (int i = 0; i < MR; ++i)
#pragma unroll
    for (int v = 0; v < 2; ++v) {
      REAL lane[VEC];
      STOREV(acc[i][v], lane);
#pragma unroll
      for (int l = 0; l < VEC; ++l) {
        const int t = COLUMN(v) + l;
        if (ROW(i) > last || t >= there) continue;
        if (!isfinite(lane[l]))
          lane[l] = weight_by_units(x + table[t0 + t], x_image, dy + ROW(i) * dy_plane, dy_image,
                                    begin, end, positions, rows);
        dw[ROW(i) * taps + t] = lane[l];
      }
    }
}
#endif

// If a stride is larger than 1, the gradient of the input goes by columns:
//     dcolumns [n, (c fh fw), oh ow] = w^T [(c fh fw), k] dy [n, k, oh ow]
//     dx[n, c, ih, iw] = sum over fh, fw of dcolumns[n, (c fh fw), oh, ow]
// where (oh, ow) is the output whose tap (fh, fw) lies on (ih, iw), if there is one. One row of dx
// belongs to one item, which asks for what it needs: nobody else writes there, so there is nothing
// to lock, and the order of additions is always the same. Items: (channel, row, image); on a GPU,
// where a pixel is one item's: (pixel, channel, image).
// (With a stride of 1 it is a convolution of dy, by flipped filters.)
typedef struct {  // the same as Columns in convolution.cpp
  long channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw;
  long offset, image_step;  // of the group's first channel; from one image to the next
} Columns;

// One pixel of dx, by taps.
REAL pixel_of_columns(global const REAL* dcolumns, const Columns* s, long c, long n, long ih,
                      long iw) {
  REAL sum = 0, lost = 0;
  for (long fh = 0; fh < s->fh; ++fh) {
    const long down = ih + s->ph - fh * s->dh;  // = oh SH
    if (down < 0 || down % s->sh != 0 || down / s->sh >= s->oh) continue;
    for (long fw = 0; fw < s->fw; ++fw) {
      const long right = iw + s->pw - fw * s->dw;
      if (right < 0 || right % s->sw != 0 || right / s->sw >= s->ow) continue;
      const long t = ((n * s->channels + c) * s->fh + fh) * s->fw + fw;
      ADD_COMPENSATED(REAL, sum, dcolumns[(t * s->oh + down / s->sh) * s->ow + right / s->sw], lost)
    }
  }
  return sum;
}

#ifndef PROCESSOR
kernel void col2im(global const REAL* dcolumns, Columns s, global REAL* dx) {
  const long pixel = get_global_id(0), c = get_global_id(1), n = get_global_id(2);
  if (pixel < s.h * s.w)
    dx[s.offset + n * s.image_step + c * s.h * s.w + pixel] =
        pixel_of_columns(dcolumns, &s, c, n, pixel / s.w, pixel % s.w);
}
#else
kernel void col2im(global const REAL* dcolumns, Columns s, global REAL* dx) {
  const long c = get_global_id(0), ih = get_global_id(1), n = get_global_id(2);
  if (c >= s.channels) return;
  global REAL* row = dx + (s.offset + n * s.image_step + (c * s.h + ih) * s.w);
  if (s.fh * s.fw > 256) {  // a long sum
    for (long iw = 0; iw < s.w; ++iw) row[iw] = pixel_of_columns(dcolumns, &s, c, n, ih, iw);
    return;
  }
  for (long iw = 0; iw < s.w; ++iw) row[iw] = 0;
  for (long fh = 0; fh < s.fh; ++fh) {
    const long down = ih + s.ph - fh * s.dh;  // = oh SH
    if (down < 0 || down % s.sh != 0 || down / s.sh >= s.oh) continue;
    for (long fw = 0; fw < s.fw; ++fw) {
      const long t = ((n * s.channels + c) * s.fh + fh) * s.fw + fw;
      const long shift = fw * s.dw - s.pw;  // iw = ow SW + shift
      global const REAL* from = dcolumns + (t * s.oh + down / s.sh) * s.ow;
      const long begin = shift < 0 ? (-shift + s.sw - 1) / s.sw : 0;
      const long end = shift >= s.w ? 0 : min(s.ow, (s.w - 1 - shift) / s.sw + 1);
      for (long ow = begin; ow < end; ++ow) row[ow * s.sw + shift] += from[ow];
    }
  }
}
#endif
