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
// s^(-3/4) = 1 / (sqrt(s) sqrt(sqrt(s))). A GPU has an instruction for 1 / sqrt(s).
#ifdef PROCESSOR
#define THREE_QUARTERS(s, root) 1 / (root * sqrt(root))
#define ROOT(s) sqrt(s)
#else
#define THREE_QUARTERS(s, root) root* sqrt(root)
#define ROOT(s) rsqrt(s)
#endif
#define DAMPING(NAME, TYPE)                            \
  TYPE NAME(TYPE s, REAL beta, int three_quarters) {   \
    if (!three_quarters) return pow(s, (TYPE)(-beta)); \
    const TYPE root = ROOT(s);                         \
    return THREE_QUARTERS(s, root);                    \
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

#ifdef PROCESSOR
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
#else
// On a GPU an item has one pixel, of some channels, and walks through them: neighbouring items read
// neighbouring pixels. Items: (pixel, image, `some` channels).
#define WALK_BEGIN                                                               \
  const long pixels = s.h * s.w, pixel = get_global_id(0);                       \
  if (pixel >= pixels) return;                                                   \
  const int first = get_global_id(2) * some, end = min((long)s.c, first + some); \
  const long base = get_global_id(1) * s.c * pixels + pixel;

kernel void across_forward(global const REAL* restrict x, Lrn s, long some, REAL k, REAL alpha,
                           REAL beta, int three_quarters, global REAL* restrict y) {
  WALK_BEGIN
  for (long c = first; c < end; ++c) {
    const REAL scale = scales(x + base, c, &s, pixels, 1, k, alpha);
    y[base + c * pixels] = x[base + c * pixels] * damping(scale, beta, three_quarters);
  }
}

// The paper's window of 5 and power of 3/4 have kernels of their own. The window moves on in
// registers, x0 ... x4 being channels c - 2 ... c + 2, so that each number is read once; but
// windows reach 2 channels out of an item's, which its neighbour reads, too. And without a
// logarithm a kernel needs so few registers that a card can run twice as many items at a time.
#define AT(array, channel) ((channel) >= 0 && (channel) < s.c ? array[(channel)*pixels] : (REAL)0)

kernel void paper_forward(global const REAL* restrict x, Lrn s, long some, REAL k, REAL alpha,
                          global REAL* restrict y) {
  WALK_BEGIN
  x += base;
  y += base;
  REAL x0 = AT(x, first - 2), x1 = AT(x, first - 1), x2 = AT(x, first), x3 = AT(x, first + 1);
#pragma unroll 4
  for (int c = first; c < end; ++c) {
    const REAL x4 = AT(x, c + 2);
    const REAL scale = k + alpha * (x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + x4 * x4);
    const REAL root = ROOT(scale);
    y[c * pixels] = x2 * THREE_QUARTERS(scale, root);
    x0 = x1, x1 = x2, x2 = x3, x3 = x4;
  }
}

// The first half of the gradient: dx_i = dy_i s_i^-beta, and t.
kernel void across_backward_own(global const REAL* x, global const REAL* dy, Lrn s, long some,
                                REAL k, REAL alpha, REAL beta, int three_quarters, global REAL* t,
                                global REAL* dx) {
  WALK_BEGIN
  for (long c = first; c < end; ++c) {
    const long i = base + c * pixels;
    const REAL scale = scales(x + base, c, &s, pixels, 1, k, alpha);
    dx[i] = dy[i] * damping(scale, beta, three_quarters);
    t[i] = -2 * alpha * beta * dx[i] * (x[i] / scale);
  }
}

// The second half: the windows that hold c, which are the window mirrored.
kernel void across_backward_others(global const REAL* x, Lrn s, long some, global const REAL* t,
                                   global REAL* dx) {
  WALK_BEGIN
  for (long c = first; c < end; ++c) {
    const long past = min(c + s.size / 2 + 1, s.c);
    REAL sum = 0, lost = 0;
    for (long j = max(c + s.size / 2 - s.size + 1, 0L); j < past; ++j)
      ADD_COMPENSATED(REAL, sum, t[base + j * pixels], lost)
    dx[base + c * pixels] += x[base + c * pixels] * sum;
  }
}

// Both halves at once, as the paper has it. Where the walk is at channel c, t_c becomes known, and
// with it the gradient of channel c - 2, whose window ends there.
kernel void paper_backward(global const REAL* restrict x, global const REAL* restrict dy, Lrn s,
                           long some, REAL k, REAL alpha, global REAL* restrict dx) {
  WALK_BEGIN
  x += base;
  dy += base;
  dx += base;
  REAL x0 = AT(x, first - 4), x1 = AT(x, first - 3), x2 = AT(x, first - 2), x3 = AT(x, first - 1);
  REAL t0 = 0, t1 = 0, t2 = 0, t3 = 0, own0 = 0, own1 = 0;
#pragma unroll 4
  for (int c = first - 2; c < end + 2; ++c) {
    const REAL x4 = AT(x, c + 2);
    const REAL scale = k + alpha * (x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + x4 * x4);
    const REAL root = ROOT(scale), own = AT(dy, c) * THREE_QUARTERS(scale, root);
    const REAL t4 = c >= 0 && c < s.c ? (REAL)-1.5 * alpha * own * (x2 / scale) : (REAL)0;
    if (c - 2 >= first) dx[(c - 2) * pixels] = own0 + x0 * (t0 + t1 + t2 + t3 + t4);
    x0 = x1, x1 = x2, x2 = x3, x3 = x4;
    t0 = t1, t1 = t2, t2 = t3, t3 = t4;
    own0 = own1, own1 = own;
  }
}
#endif

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

// Items, processor: (plane, row), each a loop over a row's elements; GPU: (element of all planes).
#ifdef PROCESSOR
#define WITHIN_BEGIN                                         \
  const long plane = get_global_id(0), r = get_global_id(1); \
  const long q_begin = 0, q_end = plane < s.n * s.c ? s.w : 0;
#else
#define WITHIN_BEGIN                                               \
  const long e = get_global_id(0), plane = quotient(e, s.h * s.w); \
  const long r = quotient(e, s.w) % s.h;                           \
  const long q_begin = e % s.w, q_end = plane < s.n * s.c ? q_begin + 1 : q_begin;
#endif

kernel void within_forward(global const REAL* x, Lrn s, REAL k, REAL alpha, REAL beta,
                           int three_quarters, global REAL* y) {
  WITHIN_BEGIN
  x += plane * s.h * s.w;
  y += plane * s.h * s.w;
  for (long q = q_begin; q < q_end; ++q)
    y[r * s.w + q] =
        x[r * s.w + q] * damping(k + alpha * squares_around(x, r, q, &s), beta, three_quarters);
}

// First half of the gradient: dx_i = dy_i s_i^-beta, and t.
kernel void within_backward_own(global const REAL* x, global const REAL* dy, Lrn s, REAL k,
                                REAL alpha, REAL beta, int three_quarters, global REAL* t,
                                global REAL* dx) {
  WITHIN_BEGIN
  for (long q = q_begin; q < q_end; ++q) {
    const long i = (plane * s.h + r) * s.w + q;
    const REAL scale = k + alpha * squares_around(x + plane * s.h * s.w, r, q, &s);
    dx[i] = dy[i] * damping(scale, beta, three_quarters);
    t[i] = -2 * alpha * beta * dx[i] * (x[i] / scale);
  }
}

// Second half: what comes back from the neighbours.
kernel void within_backward_others(global const REAL* x, Lrn s, global const REAL* t,
                                   global REAL* dx) {
  WITHIN_BEGIN
  const long top = max(r + s.size / 2 - s.size + 1, 0L), bottom = min(r + s.size / 2 + 1, s.h);
  for (long q = q_begin; q < q_end; ++q) {
    const long left = max(q + s.size / 2 - s.size + 1, 0L), right = min(q + s.size / 2 + 1, s.w);
    REAL sum = 0, lost = 0;
    for (long j = top; j < bottom; ++j)
      for (long l = left; l < right; ++l)
        ADD_COMPENSATED(REAL, sum, t[(plane * s.h + j) * s.w + l], lost)
    const long i = (plane * s.h + r) * s.w + q;
    dx[i] += x[i] * sum;
  }
}
