// Local response normalization (Krizhevsky et al. 2012, section 3.3):
//
//     y_i  = x_i s_i^-beta           s_i = k + alpha * sum of x_j^2 over the window of i
//     dx_i = dy_i s_i^-beta + x_i * sum over j whose window holds i of t_j
//     t_j  = -2 alpha beta dy_j s_j^-beta (x_j / s_j)    in this order: dy_j x_j alone may overflow
//
// The window of i is [i - size/2, i - size/2 + size), clipped. "Across" it runs over the channels
// of one pixel, "within" it is a square of pixels of one channel.
typedef struct {  // the same as Lrn in normalization.cpp
  long n, c, h, w, size;
} Lrn;

// s^-beta, of one number or of neighbouring pixels. The paper's 3/4 needs no logarithm:
// s^(-3/4) = 1 / (sqrt(s) sqrt(sqrt(s))).
#define DAMPING(NAME, TYPE)                            \
  TYPE NAME(TYPE s, REAL beta, int three_quarters) {   \
    if (!three_quarters) return pow(s, (TYPE)(-beta)); \
    const TYPE root = sqrt(s);                         \
    return 1 / (root * sqrt(root));                    \
  }
DAMPING(damping, REAL)
DAMPING(dampings, LANE)

// Across: an item has a run of RUN_ACROSS neighbouring pixels and walks through their channels,
// LANES pixels at a time. What it reads stays in cache until the window has passed. Items: (run of
// pixels, image).
#define ACROSS_BEGIN                                                    \
  const long pixels = s.h * s.w, begin = get_global_id(0) * RUN_ACROSS; \
  const long n = min((long)RUN_ACROSS, pixels - begin);                 \
  if (n <= 0) return;                                                   \
  const long base = get_global_id(1) * s.c * pixels + begin;

// A sum of so many terms or more is compensated.
#define LONG_WINDOW 64

// s of `left` pixels at x in channel c.
LANE scales(global const REAL* x, long c, const Lrn* s, long pixels, long left, REAL k,
            REAL alpha) {
  const long first = max(c - s->size / 2, 0L), end = min(c - s->size / 2 + s->size, s->c);
  LANE sum = 0, lost = 0;
  x += first * pixels;
  if (end - first > LONG_WINDOW)
    for (long j = first; j < end; ++j, x += pixels) {
      const LANE v = load_lanes(x, left);
      ADD_COMPENSATED(LANE, sum, v * v, lost)
    }
  else
    for (long j = first; j < end; ++j, x += pixels) {
      const LANE v = load_lanes(x, left);
      sum += v * v;
    }
  return k + alpha * sum;
}

kernel void across_forward(global const REAL* restrict x, Lrn s, REAL k, REAL alpha, REAL beta,
                           int three_quarters, global REAL* restrict y) {
  ACROSS_BEGIN
  x += base;
  y += base;
  for (long c = 0; c < s.c; ++c)
    for (long p = 0; p < n; p += LANES) {
      const LANE scale = scales(x + p, c, &s, pixels, n - p, k, alpha);
      const LANE own = load_lanes(x + c * pixels + p, n - p);
      store_lanes(own * dampings(scale, beta, three_quarters), y + c * pixels + p, n - p);
    }
}

// t is a workspace of x's size. The item's part of it is still in cache when it is read.
kernel void across_backward(global const REAL* restrict x, global const REAL* restrict dy, Lrn s,
                            REAL k, REAL alpha, REAL beta, int three_quarters,
                            global REAL* restrict t, global REAL* restrict dx) {
  ACROSS_BEGIN
  x += base;
  dy += base;
  t += base;
  dx += base;
  for (long c = 0; c < s.c; ++c)
    for (long p = 0; p < n; p += LANES) {
      const long i = c * pixels + p, left = n - p;
      const LANE scale = scales(x + p, c, &s, pixels, left, k, alpha);
      const LANE own = load_lanes(dy + i, left) * dampings(scale, beta, three_quarters);
      store_lanes(own, dx + i, left);
      store_lanes(-2 * alpha * beta * own * (load_lanes(x + i, left) / scale), t + i, left);
    }
  for (long c = 0; c < s.c; ++c) {  // the windows that hold c: the window mirrored
    const long end = min(c + s.size / 2 + 1, s.c), first = max(c + s.size / 2 - s.size + 1, 0L);
    for (long p = 0; p < n; p += LANES) {
      const long i = c * pixels + p, left = n - p;
      LANE sum = 0, lost = 0;
      if (end - first > LONG_WINDOW)
        for (long j = first; j < end; ++j)
          ADD_COMPENSATED(LANE, sum, load_lanes(t + j * pixels + p, left), lost)
      else
        for (long j = first; j < end; ++j) sum += load_lanes(t + j * pixels + p, left);
      store_lanes(load_lanes(dx + i, left) + load_lanes(x + i, left) * sum, dx + i, left);
    }
  }
}

// Within: element i is row r, column q of its plane.
REAL squares_around(global const REAL* plane, long r, long q, const Lrn* s) {
  const long top = max(r - s->size / 2, 0L), bottom = min(r - s->size / 2 + s->size, s->h);
  const long left = max(q - s->size / 2, 0L), right = min(q - s->size / 2 + s->size, s->w);
  REAL sum = 0, lost = 0;
  for (long j = top; j < bottom; ++j)
    for (long l = left; l < right; ++l)
      ADD_COMPENSATED(REAL, sum, plane[j * s->w + l] * plane[j * s->w + l], lost)
  return sum;
}

// Items: (plane, row).
kernel void within_forward(global const REAL* x, Lrn s, REAL k, REAL alpha, REAL beta,
                           int three_quarters, global REAL* y) {
  const long plane = get_global_id(0), r = get_global_id(1);
  if (plane >= s.n * s.c) return;
  x += plane * s.h * s.w;
  y += plane * s.h * s.w;
  for (long q = 0; q < s.w; ++q)
    y[r * s.w + q] =
        x[r * s.w + q] * damping(k + alpha * squares_around(x, r, q, &s), beta, three_quarters);
}

// First half of the gradient: dx_i = dy_i s_i^-beta, and t. Items: (plane, row).
kernel void within_backward_own(global const REAL* x, global const REAL* dy, Lrn s, REAL k,
                                REAL alpha, REAL beta, int three_quarters, global REAL* t,
                                global REAL* dx) {
  const long plane = get_global_id(0), r = get_global_id(1);
  if (plane >= s.n * s.c) return;
  for (long q = 0; q < s.w; ++q) {
    const long i = (plane * s.h + r) * s.w + q;
    const REAL scale = k + alpha * squares_around(x + plane * s.h * s.w, r, q, &s);
    dx[i] = dy[i] * damping(scale, beta, three_quarters);
    t[i] = -2 * alpha * beta * dx[i] * (x[i] / scale);
  }
}

// Second half: what comes back from the neighbours. Items: (plane, row).
kernel void within_backward_others(global const REAL* x, Lrn s, global const REAL* t,
                                   global REAL* dx) {
  const long plane = get_global_id(0), r = get_global_id(1);
  if (plane >= s.n * s.c) return;
  const long top = max(r + s.size / 2 - s.size + 1, 0L), bottom = min(r + s.size / 2 + 1, s.h);
  for (long q = 0; q < s.w; ++q) {
    const long left = max(q + s.size / 2 - s.size + 1, 0L), right = min(q + s.size / 2 + 1, s.w);
    REAL sum = 0, lost = 0;
    for (long j = top; j < bottom; ++j)
      for (long l = left; l < right; ++l)
        ADD_COMPENSATED(REAL, sum, t[(plane * s.h + j) * s.w + l], lost)
    const long i = (plane * s.h + r) * s.w + q;
    dx[i] += x[i] * sum;
  }
}
