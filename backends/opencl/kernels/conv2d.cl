// Convolution becomes a product of matrices (gemm.cl) once the image is spread out: a column for
// each output position, with all the numbers that its filter sees ("im2col").
//
//     y[n, k, oh, ow]  = b[k] + sum over c, fh, fw of  x[n, c, ih, iw] w[k, c, fh, fw]
//     ih = oh SH + fh DH - PH,   iw = ow SW + fw DW - PW,   x = 0 outside of the image
//
//     y  [K, n oh ow]  = w [K, c fh fw]           times columns [c fh fw, n oh ow]
//     dw [K, c fh fw]  = dy [K, n oh ow]          times columns^T
//     dcolumns         = w^T [c fh fw, K]         times dy [K, n oh ow];  dx gathers from dcolumns
//
//     n image   c channel of the group   k filter   fh, fw tap   oh, ow output   ih, iw input
//
// The columns are written in the packed form that gemm_tile reads, and never as a plain matrix: one
// pass over memory less.
#define NR (2 * VEC)

typedef struct {  // the same as Image in convolution.cpp
  long channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw;
  long image_step;  // from one image of the batch to the next
  long offset;      // of the group's first channel
} Image;

// A number of the image, or the zero around it.
REAL pixel(global const REAL* plane, long ih, long iw, const Image* s) {
  return 0 <= ih && ih < s->h && 0 <= iw && iw < s->w ? plane[ih * s->w + iw] : (REAL)0;
}

// The product's B is columns: panels of NR output positions, [ceil(n oh ow / NR)][c fh fw][NR].
// Items: (panel, channel).
kernel void im2col_positions(global const REAL* x, Image s, long images, global REAL* packed) {
  const long panel = get_global_id(0), c = get_global_id(1), positions = s.oh * s.ow;
  const long columns = images * positions, taps = s.channels * s.fh * s.fw;
  if (panel * NR >= columns) return;
  global const REAL* plane[NR];  // of this channel, in the image of each column
  int ih0[NR], iw0[NR];          // the input under the first tap
  for (int r = 0; r < NR; ++r) {
    const long j = min(panel * NR + r, columns - 1);  // columns past the end repeat the last one
    const long n = j / positions, oh = j % positions / s.ow, ow = j % positions % s.ow;
    plane[r] = x + (s.offset + n * s.image_step + c * s.h * s.w);
    ih0[r] = oh * s.sh - s.ph;
    iw0[r] = ow * s.sw - s.pw;
  }
  global REAL* to = packed + (panel * taps + c * s.fh * s.fw) * NR;
  for (long fh = 0; fh < s.fh; ++fh)
    for (long fw = 0; fw < s.fw; ++fw) {
      for (int r = 0; r < NR; ++r)
        to[r] = pixel(plane[r], ih0[r] + fh * s.dh, iw0[r] + fw * s.dw, &s);
      to += NR;
    }
}

// The product's B is columns^T: panels of NR taps, [ceil(c fh fw / NR)][n oh ow][NR].
// Items: (panel, output row of an image).
kernel void im2col_taps(global const REAL* x, Image s, long images, global REAL* packed) {
  const long panel = get_global_id(0), n = get_global_id(1) / s.oh, oh = get_global_id(1) % s.oh;
  const long taps = s.channels * s.fh * s.fw;
  if (panel * NR >= taps) return;
  global const REAL* plane[NR];
  int ih[NR], iw0[NR];
  for (int r = 0; r < NR; ++r) {
    const long t = min(panel * NR + r, taps - 1);
    const long c = t / (s.fh * s.fw), fh = t / s.fw % s.fh, fw = t % s.fw;
    plane[r] = x + (s.offset + n * s.image_step + c * s.h * s.w);
    ih[r] = oh * s.sh + fh * s.dh - s.ph;
    iw0[r] = fw * s.dw - s.pw;
  }
  global REAL* to = packed + (panel * images * s.oh * s.ow + (n * s.oh + oh) * s.ow) * NR;
  for (long ow = 0; ow < s.ow; ++ow) {
    for (int r = 0; r < NR; ++r) to[r] = pixel(plane[r], ih[r], iw0[r] + ow * s.sw, &s);
    to += NR;
  }
}

// dx[n, c, ih, iw] = sum over fh, fw of dcolumns[c fh fw, n oh ow], where (oh, ow) is the output
// whose tap (fh, fw) lies on (ih, iw), if there is one. One row of dx belongs to one item, which
// asks for what it needs: nobody else writes there, so there is nothing to lock, and the order of
// additions is always the same. Items: (channel, row, image).
kernel void col2im(global const REAL* dcolumns, Image s, long images, global REAL* dx) {
  const long c = get_global_id(0), ih = get_global_id(1), n = get_global_id(2);
  if (c >= s.channels) return;
  global REAL* row = dx + (s.offset + n * s.image_step + (c * s.h + ih) * s.w);
  for (long iw = 0; iw < s.w; ++iw) row[iw] = 0;
  for (long fh = 0; fh < s.fh; ++fh) {
    const long down = ih + s.ph - fh * s.dh;  // = oh SH
    if (down < 0 || down % s.sh != 0 || down / s.sh >= s.oh) continue;
    for (long fw = 0; fw < s.fw; ++fw) {
      const long t = (c * s.fh + fh) * s.fw + fw, shift = fw * s.dw - s.pw;  // iw = ow SW + shift
      global const REAL* from = dcolumns + ((t * images + n) * s.oh + down / s.sh) * s.ow;
      const long begin = shift < 0 ? (-shift + s.sw - 1) / s.sw : 0;
      const long end = shift >= s.w ? 0 : min(s.ow, (s.w - 1 - shift) / s.sw + 1);
      if (s.sw == 1)
        for (long ow = begin; ow < end; ++ow) row[ow + shift] += from[ow];
      else
        for (long ow = begin; ow < end; ++ow) row[ow * s.sw + shift] += from[ow];
    }
  }
}
