// Convolution as a product of two matrices (tile.cl), one of which is never written down.
//
//     y[n, k, oh, ow]  = b[k] + sum over c, fh, fw of  x[n, c, ih, iw] w[k, c, fh, fw]
//     ih = oh SH + fh DH - PH,   iw = ow SW + fw DW - PW,   x = 0 outside of the image
//
//     n image   c channel of the group   k filter   fh, fw tap   oh, ow output   ih, iw input
//     SH, SW stride   DH, DW dilation   PH, PW padding
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
// The same as blocks of a group (group_tile.cl), with filters where they lie, [filters, taps]. A
// call adds taps [p0, p1), as in `product` (gemm.cl); bias and ReLU belong to the last one. With
// many calls, `lost`, as large as y, keeps what the additions round away; else it is null.
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
