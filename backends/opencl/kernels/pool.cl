// Pooling: each window of a channel becomes one number, its maximum or its mean.
//
//     max:   y[oh, ow] = max of x[ih, iw] over the window         ih = oh SH + fh DH - PH
//     mean:  y[oh, ow] = sum of x[ih, iw] over it / divisor       iw = ow SW + fw DW - PW
//
// What lies outside of the image is never looked at. Channels do not mix: `plane` counts n and c
// together. On a processor an item makes one row of the result: it goes through the taps of the
// window and, for each, along the row, so that the inner loop is the same work for neighbouring
// outputs. On a GPU those are neighbouring items: an item makes the same element of PLANES planes,
// so that where it lies, and which windows meet there, is found out once for all of them.
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

#ifndef PROCESSOR
// An item's planes, PLANES at a time: from `first` on. (A card may limit the items along an axis to
// 65,535, so there can be several times.)
#define PLANES 4  // the same in pooling.cpp
#define FOR_MY_PLANES(first, planes)                                   \
  for (long first = (long)get_global_id(1) * PLANES; first < (planes); \
       first += (long)get_global_size(1) * PLANES)
#endif

// One window, tap by tap. argmax: row * w + column of the first maximum; -1 if all is padding. An
// image has less than 2^31 elements.
#ifdef PROCESSOR
void max_of_window(global const REAL* x, const Windows* s, long oh, long ow, global REAL* y,
                   global int* argmax) {
  REAL best = -(REAL)INFINITY;
  int where = -1;
  const int h = s->h, w = s->w, dh = s->dh, dw = s->dw;
  const int top = oh * s->sh - s->ph, left = ow * s->sw - s->pw;
  for (int fh = 0, ih = top; fh < s->fh; ++fh, ih += dh) {
    if (ih < 0 || ih >= h) continue;
    for (int fw = 0, iw = left; fw < s->fw; ++fw, iw += dw) {
      if (iw < 0 || iw >= w) continue;
      const REAL value = x[ih * w + iw];
      if (where >= 0 && !wins(value, best)) continue;
      best = value;
      where = ih * w + iw;
    }
  }
  y[oh * s->ow + ow] = best;
  if (argmax) argmax[oh * s->ow + ow] = where;
}

// What n neighbouring windows see of one tap: p[0], p[stride], ... Where two vectors may be read
// from p on (`wide`), it is a vector, or every second number of two.
REALV tap_of_windows(global const REAL* p, long stride, bool wide, long n) {
  if (wide && stride == 1) return LOADV(p);
  if (wide && stride == 2) {
    REALV v;
    v.lo = LOADV(p).even;
    v.hi = LOADV(p + VEC).even;
    return v;
  }
  REAL lane[VEC];
  for (int l = 0; l < VEC; ++l) lane[l] = p[min((long)l, n - 1) * stride];
  return LOADV(lane);
}

// Windows ow ... ow + n - 1 of a row, whose columns lie inside, and whose first tap in row `ih` is
// at x + start; `there` numbers of the array are left from there on. The winner is kept as its
// distance from the window's first tap, in a lane of its own width.
void max_of_row(global const REAL* x, long there, const Windows* s, long rows, int start, long n,
                global REAL* y, global int* argmax) {
  const long last = (rows - 1) * s->dh * s->w + (s->fw - 1) * s->dw;
  const bool wide = there - last >= 2 * VEC;
  REALV best, where = (REALV)0;
  for (long fh = 0; fh < rows; ++fh)
    for (long fw = 0; fw < s->fw; ++fw) {
      const int offset = (int)(fh * s->dh * s->w + fw * s->dw);
      const REALV v = tap_of_windows(x + start + offset, s->sw, wide, n);
      if (offset == 0) best = v;
      const MASKV better = (best == best) & !(v <= best);  // a NaN wins over numbers
      best = better ? v : best;
      where = better ? (REALV)offset : where;
    }
  store_lanes(best, y, n);
  REAL from[VEC];
  STOREV(where, from);
  for (int l = 0; l < n; ++l) argmax[l] = start + l * (int)s->sw + (int)from[l];
}
#endif

// Items, processor: (plane), since one row is too little work; GPU: (element of a plane of y,
// planes / PLANES).
#ifdef PROCESSOR
kernel void max_forward(global const REAL* restrict x, Windows s, long planes,
                        global REAL* restrict y, global int* restrict argmax) {
  const long plane = get_global_id(0);
  if (plane >= planes) return;
  x += plane * s.h * s.w;
  y += plane * s.oh * s.ow;
  argmax += plane * s.oh * s.ow;
  // [begin, end): windows whose columns lie inside.
  const long begin = min(s.ow, first_inside(-s.pw, s.sw));
  const long end = max(begin, last_inside((s.fw - 1) * s.dw - s.pw, s.sw, s.w, s.ow));
  for (long oh = 0; oh < s.oh; ++oh) {
    long top = oh * s.sh - s.ph, rows = s.fh;  // the taps' rows that lie inside: from top on
    for (; rows > 0 && top < 0; top += s.dh) --rows;
    while (rows > 0 && top + (rows - 1) * s.dh >= s.h) --rows;
    const long past = rows > 0 ? end : begin;
    for (long ow = begin; ow < past; ow += VEC) {
      const long start = top * s.w + ow * s.sw - s.pw;
      max_of_row(x, (planes - plane) * s.h * s.w - start, &s, rows, (int)start,
                 min((long)VEC, past - ow), y + oh * s.ow + ow, argmax + oh * s.ow + ow);
    }
    for (long ow = 0; ow < begin; ++ow) max_of_window(x, &s, oh, ow, y, argmax);
    for (long ow = past; ow < s.ow; ++ow) max_of_window(x, &s, oh, ow, y, argmax);
  }
}

#else
kernel void max_forward(global const REAL* restrict x, Windows s, long planes,
                        global REAL* restrict y, global int* restrict argmax) {
  const int e = get_global_id(0), inputs = s.h * s.w, outputs = s.oh * s.ow;
  if (e >= outputs) return;
  const int oh = e / (int)s.ow, top = oh * (int)s.sh - (int)s.ph;
  const int left = (e - oh * (int)s.ow) * (int)s.sw - (int)s.pw;
  const int bottom = min(top + s.fh * s.dh, s.h), right = min(left + s.fw * s.dw, s.w);
  FOR_MY_PLANES(first, planes) {
    const long last = min(first + PLANES, planes) - 1;  // read again for those behind it
    REAL best[PLANES];
    int where[PLANES];
    for (int p = 0; p < PLANES; ++p) best[p] = -(REAL)INFINITY, where[p] = -1;
    for (int ih = top; ih < bottom; ih += s.dh)
      for (int iw = left; iw < right; iw += s.dw) {
        if (ih < 0 || iw < 0) continue;
        const int at = ih * (int)s.w + iw;
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
          const REAL value = x[min(first + p, last) * inputs + at];
          const bool better = where[p] < 0 || wins(value, best[p]);
          best[p] = better ? value : best[p];
          where[p] = better ? at : where[p];
        }
      }
#pragma unroll
    for (int p = 0; p < PLANES; ++p) {
      const long o = (first + p) * outputs + e;
      if (first + p <= last) y[o] = best[p];
      if (first + p <= last && argmax) argmax[o] = where[p];
    }
  }
}
#endif

// The output rows whose window reaches input row ih, by its first and last tap: [begin, end).
int first_window(int ih, int reach, int stride, int pad) {
  const int above = ih + pad - reach;  // oh * stride >= above
  return above <= 0 ? 0 : (above + stride - 1) / stride;
}
int last_window(int ih, int stride, int pad, int out) { return min(out, (ih + pad) / stride + 1); }

#ifdef PROCESSOR
void add_to(global REAL* dx, global REAL* lost, int at, REAL dy) {
  if (!lost) {
    dx[at] += dy;
    return;
  }
  REAL sum = dx[at], gone = lost[at];
  ADD_COMPENSATED(REAL, sum, dy, gone)
  dx[at] = sum;
  lost[at] = gone;
}
#endif

// dx[ih, iw] = sum of dy over the windows that chose it. No two items write to one place, and the
// order is fixed: on a processor an item owns a plane, and each window adds where it points. On a
// GPU, which wants more items, it owns an element and asks every window that can point there.
// Items, processor: (plane); GPU: (element of a plane of dx, planes / PLANES).
// Where an element lies in many windows, `lost`, as large as dx, keeps what the additions to it
// round away; else it is null. (A GPU's item keeps this by itself.)
#ifdef PROCESSOR
kernel void max_backward(global const REAL* restrict dy, global const int* restrict argmax,
                         Windows s, long planes, global REAL* restrict dx,
                         global REAL* restrict lost) {
  const long plane = get_global_id(0);
  if (plane >= planes) return;
  dx += plane * s.h * s.w;
  dy += plane * s.oh * s.ow;
  argmax += plane * s.oh * s.ow;
  if (lost) lost += plane * s.h * s.w;
  for (long i = 0; i < s.h * s.w; ++i) dx[i] = 0;
  if (lost)
    for (long i = 0; i < s.h * s.w; ++i) lost[i] = 0;
  for (long o = 0; o < s.oh * s.ow; ++o)
    if (argmax[o] >= 0) add_to(dx, lost, argmax[o], dy[o]);
}

#else
kernel void max_backward(global const REAL* restrict dy, global const int* restrict argmax,
                         Windows s, long planes, global REAL* restrict dx,
                         global REAL* restrict lost) {
  const int e = get_global_id(0), inputs = s.h * s.w, outputs = s.oh * s.ow;
  if (e >= inputs) return;
  const int ih = e / (int)s.w, iw = e - ih * (int)s.w;
  const int top = first_window(ih, (s.fh - 1) * s.dh, s.sh, s.ph);
  const int left = first_window(iw, (s.fw - 1) * s.dw, s.sw, s.pw);
  const int bottom = last_window(ih, s.sh, s.ph, s.oh), right = last_window(iw, s.sw, s.pw, s.ow);
  FOR_MY_PLANES(first, planes) {
    const long last = min(first + PLANES, planes) - 1;  // read again for those behind it
    REAL sum[PLANES], rest[PLANES];
    for (int p = 0; p < PLANES; ++p) sum[p] = rest[p] = 0;
    for (int oh = top; oh < bottom; ++oh)
      for (int ow = left; ow < right; ++ow)
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
          const long o = min(first + p, last) * outputs + oh * (int)s.ow + ow;
          const REAL term = argmax[o] == e ? dy[o] : (REAL)0;
          ADD_COMPENSATED(REAL, sum[p], term, rest[p])
        }
#pragma unroll
    for (int p = 0; p < PLANES; ++p)
      if (first + p <= last) dx[(first + p) * inputs + e] = sum[p];
  }
}
#endif

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

// A window of many taps, or an element of many windows, is a long sum: one compensated sum for
// each.
#define LONG_SUM 64
REAL sum_of_window(global const REAL* x, const Windows* s, long oh, long ow) {
  REAL sum = 0, lost = 0;
  for (long fh = 0; fh < s->fh; ++fh) {
    const long ih = oh * s->sh + fh * s->dh - s->ph;
    if (ih < 0 || ih >= s->h) continue;
    for (long fw = 0; fw < s->fw; ++fw) {
      const long iw = ow * s->sw + fw * s->dw - s->pw;
      if (iw >= 0 && iw < s->w) ADD_COMPENSATED(REAL, sum, x[ih * s->w + iw], lost)
    }
  }
  return sum;
}
REAL sum_of_shares(global const REAL* dy, const Windows* s, long ih, long iw) {
  REAL sum = 0, lost = 0;
  const long oh_end = last_window(ih, s->sh, s->ph, s->oh);
  const long ow_end = last_window(iw, s->sw, s->pw, s->ow);
  for (long oh = first_window(ih, (s->fh - 1) * s->dh, s->sh, s->ph); oh < oh_end; ++oh) {
    if ((ih + s->ph - oh * s->sh) % s->dh != 0) continue;  // between two taps
    for (long ow = first_window(iw, (s->fw - 1) * s->dw, s->sw, s->pw); ow < ow_end; ++ow)
      if ((iw + s->pw - ow * s->sw) % s->dw == 0)
        ADD_COMPENSATED(REAL, sum, dy[oh * s->ow + ow] / divisor(oh, ow, s), lost)
  }
  return sum;
}

// Items, processor: (plane, output row); GPU: as max_forward.
#ifdef PROCESSOR
kernel void avg_forward(global const REAL* x, Windows s, long planes, global REAL* y) {
  const long plane = get_global_id(0), oh = get_global_id(1);
  if (plane >= planes) return;
  x += plane * s.h * s.w;
  y += (plane * s.oh + oh) * s.ow;
  if (s.fh * s.fw > LONG_SUM) {
    for (long ow = 0; ow < s.ow; ++ow) y[ow] = sum_of_window(x, &s, oh, ow) / divisor(oh, ow, &s);
    return;
  }
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

#else
kernel void avg_forward(global const REAL* x, Windows s, long planes, global REAL* y) {
  const int e = get_global_id(0), outputs = s.oh * s.ow;
  if (e >= outputs) return;
  const int oh = e / (int)s.ow, ow = e - oh * (int)s.ow;
  const REAL taps = divisor(oh, ow, &s);
  FOR_MY_PLANES(first, planes)
  for (long p = first; p < min(first + PLANES, planes); ++p)
    y[p * outputs + e] = sum_of_window(x + p * s.h * s.w, &s, oh, ow) / taps;
}
#endif

// Every element of a window receives dy / divisor. Items, processor: (plane, input row); GPU: as
// max_backward.
#ifdef PROCESSOR
kernel void avg_backward(global const REAL* dy, Windows s, long planes, global REAL* dx) {
  const long plane = get_global_id(0), ih = get_global_id(1);
  if (plane >= planes) return;
  global REAL* row = dx + (plane * s.h + ih) * s.w;
  if (s.fh * s.fw > LONG_SUM * s.sh * s.sw) {
    for (long iw = 0; iw < s.w; ++iw) row[iw] = sum_of_shares(dy + plane * s.oh * s.ow, &s, ih, iw);
    return;
  }
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
#else
kernel void avg_backward(global const REAL* dy, Windows s, long planes, global REAL* dx) {
  const int e = get_global_id(0), inputs = s.h * s.w;
  if (e >= inputs) return;
  const int ih = e / (int)s.w, iw = e - ih * (int)s.w;
  FOR_MY_PLANES(first, planes)
  for (long p = first; p < min(first + PLANES, planes); ++p)
    dx[p * inputs + e] = sum_of_shares(dy + p * s.oh * s.ow, &s, ih, iw);
}
#endif
