// Pooling: each window of a channel becomes one number, its maximum or its mean.
//
//     max:   y[oh, ow] = max of x[ih, iw] over the window         ih = oh SH + fh DH - PH
//     mean:  y[oh, ow] = sum of x[ih, iw] over it / divisor       iw = ow SW + fw DW - PW
//
// What lies outside of the image is never looked at. Channels do not mix: `plane` counts n and c
// together. An item makes one row of the result: it goes through the taps of the window and, for
// each, along the row, so that the inner loop is the same work for neighbouring outputs.
typedef struct {  // the same as Windows in pooling.cpp
  long h, w, fh, fw, oh, ow, sh, sw, ph, pw, dh, dw, count_pad;
} Windows;

// The outputs [begin, end) of a row whose tap fw lies inside the image.
long first_inside(long shift, long stride) {
  return shift >= 0 ? 0 : (-shift + stride - 1) / stride;
}
long last_inside(long shift, long stride, long in, long out) {
  return shift >= in ? 0 : min(out, (in - 1 - shift) / stride + 1);
}

// The best so far stands in private arrays, RUN_ACROSS outputs at a time, which the inner loop's
// vectors may change without a thought for who else sees them.
// Items: (plane, output row). argmax: row * w + column of the first maximum; -1 if all is padding.
kernel void max_forward(global const REAL* restrict x, Windows s, long planes,
                        global REAL* restrict y, global int* restrict argmax) {
  const long plane = get_global_id(0), oh = get_global_id(1);
  if (plane >= planes) return;
  x += plane * s.h * s.w;
  y += (plane * s.oh + oh) * s.ow;
  argmax += (plane * s.oh + oh) * s.ow;
  REAL best[RUN_ACROSS];
  int where[RUN_ACROSS];
  for (long first = 0; first < s.ow; first += RUN_ACROSS) {
    const long past = min(s.ow, first + RUN_ACROSS);
    for (long i = 0; i < past - first; ++i) {
      best[i] = -(REAL)INFINITY;
      where[i] = -1;
    }
    for (long fh = 0; fh < s.fh; ++fh) {
      const long ih = oh * s.sh + fh * s.dh - s.ph;
      if (ih < 0 || ih >= s.h) continue;
      for (long fw = 0; fw < s.fw; ++fw) {
        const long shift = fw * s.dw - s.pw;
        const long begin = max(first, first_inside(shift, s.sw));
        const int n = (int)(min(past, last_inside(shift, s.sw, s.w, s.ow)) - begin);
        const int start = (int)(ih * s.w + begin * s.sw + shift), step = (int)s.sw;
        const int at = (int)(begin - first);
        for (int i = 0; i < n; ++i) {
          const int here = start + i * step;
          const bool take = where[at + i] < 0 || wins(x[here], best[at + i]);
          best[at + i] = take ? x[here] : best[at + i];
          where[at + i] = take ? here : where[at + i];
        }
      }
    }
    for (long i = 0; i < past - first; ++i) {
      y[first + i] = best[i];
      argmax[first + i] = where[i];
    }
  }
}

// The output rows whose window reaches input row ih, by its first and last tap: [begin, end).
long first_window(long ih, long reach, long stride, long pad) {
  const long above = ih + pad - reach;  // oh * stride >= above
  return above <= 0 ? 0 : (above + stride - 1) / stride;
}
long last_window(long ih, long stride, long pad, long out) {
  return min(out, (ih + pad) / stride + 1);
}

// dx[ih, iw] = sum of dy over the windows that chose it. An item owns a row of dx and reads every
// row of argmax that can point into it: no two items write to one place, and the order is fixed.
// Items: (plane, input row).
kernel void max_backward(global const REAL* dy, global const int* argmax, Windows s, long planes,
                         global REAL* dx) {
  const long plane = get_global_id(0), ih = get_global_id(1);
  if (plane >= planes) return;
  global REAL* row = dx + (plane * s.h + ih) * s.w;
  for (long iw = 0; iw < s.w; ++iw) row[iw] = 0;
  const long end = last_window(ih, s.sh, s.ph, s.oh);
  for (long oh = first_window(ih, (s.fh - 1) * s.dh, s.sh, s.ph); oh < end; ++oh) {
    const long out = (plane * s.oh + oh) * s.ow;
    for (long ow = 0; ow < s.ow; ++ow) {
      const long iw = argmax[out + ow] - ih * s.w;
      if (0 <= iw && iw < s.w) row[iw] += dy[out + ow];
    }
  }
}

// How many taps of window `out` lie inside the image, or inside the padded image.
long taps_inside(long out, long in, long kernel_size, long stride, long pad, long dilation,
                        long count_pad) {
  long taps = 0;
  for (long f = 0; f < kernel_size; ++f) {
    const long i = out * stride + f * dilation - pad;
    taps += count_pad ? i < in + pad : 0 <= i && i < in;
  }
  return taps;
}
REAL divisor(long oh, long ow, const Windows* s) {
  return taps_inside(oh, s->h, s->fh, s->sh, s->ph, s->dh, s->count_pad) *
         taps_inside(ow, s->w, s->fw, s->sw, s->pw, s->dw, s->count_pad);
}

// Items: (plane, output row).
kernel void avg_forward(global const REAL* x, Windows s, long planes, global REAL* y) {
  const long plane = get_global_id(0), oh = get_global_id(1);
  if (plane >= planes) return;
  x += plane * s.h * s.w;
  y += (plane * s.oh + oh) * s.ow;
  for (long ow = 0; ow < s.ow; ++ow) y[ow] = 0;
  for (long fh = 0; fh < s.fh; ++fh) {
    const long ih = oh * s.sh + fh * s.dh - s.ph;
    if (ih < 0 || ih >= s.h) continue;
    for (long fw = 0; fw < s.fw; ++fw) {
      const long shift = fw * s.dw - s.pw, end = last_inside(shift, s.sw, s.w, s.ow);
      for (long ow = first_inside(shift, s.sw); ow < end; ++ow)
        y[ow] += x[ih * s.w + ow * s.sw + shift];
    }
  }
  for (long ow = 0; ow < s.ow; ++ow) y[ow] /= divisor(oh, ow, &s);
}

// Every element of a window receives dy / divisor. Items: (plane, input row).
kernel void avg_backward(global const REAL* dy, Windows s, long planes, global REAL* dx) {
  const long plane = get_global_id(0), ih = get_global_id(1);
  if (plane >= planes) return;
  global REAL* row = dx + (plane * s.h + ih) * s.w;
  for (long iw = 0; iw < s.w; ++iw) row[iw] = 0;
  const long end = last_window(ih, s.sh, s.ph, s.oh);
  for (long oh = first_window(ih, (s.fh - 1) * s.dh, s.sh, s.ph); oh < end; ++oh) {
    if ((ih + s.ph - oh * s.sh) % s.dh != 0) continue;  // between two taps
    for (long ow = 0; ow < s.ow; ++ow) {
      const REAL share = dy[(plane * s.oh + oh) * s.ow + ow] / divisor(oh, ow, &s);
      for (long fw = 0; fw < s.fw; ++fw) {
        const long iw = ow * s.sw + fw * s.dw - s.pw;
        if (0 <= iw && iw < s.w) row[iw] += share;
      }
    }
  }
}
