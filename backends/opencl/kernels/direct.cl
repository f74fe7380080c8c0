// Results that are not finite by Winograd's method (winograd.cl), one at a time, directly.
//
// An output is a sum over its whole tile in which the pixels outside of its window cancel. Infinity
// and NaN do not cancel, nor does a value that overflows on the way to the points. So if a result
// that comes back from the points is not finite, it is computed once more, directly: only a pixel
// inside its window can then be the reason.
// The same as Direct in winograd.cpp: one group of the convolution that was asked for.
typedef struct {
  long images, channels, h, w, fh, fw, oh, ow, sh, sw, ph, pw;
  long x_offset, x_image, y_offset, y_image;  // the group in x and in y or dy, of the first image
  long w_offset, filter_step, channel_step, tap_step;  // tap (fh, fw) at tap_step * (fh FW + fw)
} Direct;

// Tells whether all lanes shown to it were finite: 0 x is 0 for those, and NaN for the others.
#define SEE(zeros, value) zeros += (value)*0

REAL direct_output(global const REAL* x, global const REAL* w, const Direct* s, long n, long k,
                   long oh, long ow) {
  REAL sum = 0, lost = 0;
  x += s->x_offset + n * s->x_image;
  w += s->w_offset + k * s->filter_step;
  for (long c = 0; c < s->channels && sum == sum; ++c)  // a NaN stays one
    for (long fh = 0; fh < s->fh; ++fh)
      for (long fw = 0; fw < s->fw; ++fw) {
        const long ih = oh * s->sh + fh - s->ph, iw = ow * s->sw + fw - s->pw;
        if (ih < 0 || ih >= s->h || iw < 0 || iw >= s->w) continue;
        ADD_COMPENSATED(REAL, sum,
                        x[(c * s->h + ih) * s->w + iw] *
                            w[c * s->channel_step + s->tap_step * (fh * s->fw + fw)],
                        lost)
      }
  return sum;
}

REAL direct_weight(global const REAL* x, global const REAL* dy, const Direct* s, long k, long c,
                   long fh, long fw) {
  REAL sum = 0, lost = 0;
  x += s->x_offset + c * s->h * s->w;
  dy += s->y_offset + k * s->oh * s->ow;
  for (long n = 0; n < s->images && sum == sum; ++n)
    for (long oh = 0; oh < s->oh; ++oh)
      for (long ow = 0; ow < s->ow; ++ow) {
        const long ih = oh * s->sh + fh - s->ph, iw = ow * s->sw + fw - s->pw;
        if (ih < 0 || ih >= s->h || iw < 0 || iw >= s->w) continue;
        ADD_COMPENSATED(REAL, sum,
                        x[n * s->x_image + ih * s->w + iw] * dy[n * s->y_image + oh * s->ow + ow],
                        lost)
      }
  return sum;
}
