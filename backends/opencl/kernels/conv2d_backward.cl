// Convolution, backward: the gradients of the weights and, where a stride is larger than 1, of the
// input. conv2d.cl has the letters, the positions j and the offsets of taps.
#include "tile.cl"

// The gradient of the weights,
//     dw[k, (c, fh, fw)] = sum over n, j of dy[n, k, j] x[n, offset(c, fh, fw) + j],
// where dy is spread to the same positions, with zeros where ow is past the end of a row. Here both
// factors lie along the sum, in memory as they are.
//
// Items or groups: (tile of filters, run of taps, part of the images); what parts there are is
// added up afterwards.
//
// On a processor lanes run along j. A tile of WF filters x WT taps holds a vector of sums for each
// pair (24 registers), to be added up across its lanes at the end. A block of WB positions is used
// for all TAPS_RUN taps of an item while it is in the first cache. On a GPU the slices of
// group_tile.cl do this. After a number of blocks sums are closed; on a GPU, a part's sums are
// short.
//
// The zeros of dy take out the pixels that stand at positions past the end of a row, unless such a
// pixel is infinite or NaN: 0 times that is NaN. Then, and only then, the sum is taken again
// without them.
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
