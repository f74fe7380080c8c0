// Local response normalization by rungs, from the formula to the kernel of the library
// (backends/opencl/kernels/lrn.cl).
//
//     y[c] = x[c] s^(-3/4),   s = k + alpha (x[c - 2]^2 + ... + x[c + 2]^2)     at each pixel
//
// where channels that do not exist count as zero. `limulus bench ladder --device opencl:0` runs
// each rung and compares its result with the textbook loops; docs/opencl.md tells what was
// measured, and why. Numbers lie as x[image, channel, pixel], so that a pixel's channels are
// `pixels` apart.
//
// The host gives, as -D options:
//     VEC    floats of one vector
//     RUN    neighbouring pixels of one item, where an item has several
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, VEC) floatV;  // float16
#define LOADV(p) JOIN(vload, VEC)(0, p)
#define STOREV(v, p) JOIN(vstore, VEC)(v, 0, p)

// x[c + shift]^2 of a pixel, or 0.
#define SQUARE(p, c, shift)                                                                   \
  ((c) + (shift) >= 0 && (c) + (shift) < channels ? (p)[(shift)*pixels] * (p)[(shift)*pixels] \
                                                  : 0.0f)
#define SUM_OF_WINDOW(p, c) \
  (SQUARE(p, c, -2) + SQUARE(p, c, -1) + SQUARE(p, c, 0) + SQUARE(p, c, 1) + SQUARE(p, c, 2))

// One number of y, as the formula says it. pow has to work for every base and exponent: a logarithm
// and an exponential, some hundred instructions, for one number that is read and one that is
// written. Items: (pixel, channel, image), groups of 64 pixels.
kernel void one_element(global const float* x, global float* y, int channels, int pixels, float k,
                        float alpha) {
  const int pixel = get_global_id(0), c = get_global_id(1);
  if (pixel >= pixels) return;
  const int i = (get_global_id(2) * channels + c) * pixels + pixel;
  y[i] = x[i] * pow(k + alpha * SUM_OF_WINDOW(x + i, c), -0.75f);
}

// s^(-3/4) = 1 / (sqrt(s) sqrt(sqrt(s))): two roots and a division, which processors and cards have
// as instructions, for vectors, too. So a compiler can make vectors of neighbouring items. But all
// 96 channels of an image pass through the cache before the next run of pixels begins, and each is
// read for five windows. Items: as before.
kernel void two_roots(global const float* x, global float* y, int channels, int pixels, float k,
                      float alpha) {
  const int pixel = get_global_id(0), c = get_global_id(1);
  if (pixel >= pixels) return;
  const int i = (get_global_id(2) * channels + c) * pixels + pixel;
  const float root = sqrt(k + alpha * SUM_OF_WINDOW(x + i, c));
  y[i] = x[i] / (root * sqrt(root));
}

// An item walks through all channels of its pixels, VEC at a time, with the window in five
// registers: a new channel comes in, the oldest goes out, and each number is read once, even from
// the cache. With VEC = 1 this is what a card does. A core of a processor jumps from channel to
// channel, each in another page of memory, and takes one line of it.
// Where pixels are left over, the last vector begins earlier, and some are computed twice.
// Items: (vector of pixels, image).
kernel void in_registers(global const float* restrict x, global float* restrict y, int channels,
                         int pixels, float k, float alpha) {
  const int pixel = min((int)get_global_id(0) * VEC, pixels - VEC);
  x += get_global_id(1) * channels * pixels + pixel;
  y += get_global_id(1) * channels * pixels + pixel;
  floatV x0 = 0, x1 = 0, x2 = LOADV(x), x3 = channels > 1 ? LOADV(x + pixels) : (floatV)0;
  for (int c = 0; c < channels; ++c) {
    const floatV x4 = c + 2 < channels ? LOADV(x + (c + 2) * pixels) : (floatV)0;
    const floatV root = sqrt(k + alpha * (x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + x4 * x4));
    STOREV(x2 / (root * sqrt(root)), y + c * pixels);
    x0 = x1, x1 = x2, x2 = x3, x3 = x4;
  }
}

// An item walks through the channels of a longer run of pixels. The rows of its window, 5 x RUN
// numbers, stay in the first cache until the next channel, which needs four of them again; and what
// is read of a page lies side by side, so that it is fetched in advance. Items: (run, image).
kernel void walk(global const float* restrict x, global float* restrict y, int channels, int pixels,
                 float k, float alpha) {
  const int begin = get_global_id(0) * RUN, count = min(RUN, pixels - begin);
  x += get_global_id(1) * channels * pixels + begin;
  y += get_global_id(1) * channels * pixels + begin;
  for (int c = 0; c < channels; ++c, x += pixels, y += pixels) {
    const int first = max(-2, -c), last = min(2, channels - 1 - c);
    for (int q = 0; q < count; q += VEC) {
      const int p = min(q, count - VEC);
      floatV sum = 0;
      for (int shift = first; shift <= last; ++shift) {
        const floatV v = LOADV(x + shift * pixels + p);
        sum += v * v;
      }
      const floatV root = sqrt(k + alpha * sum);
      STOREV(LOADV(x + p) / (root * sqrt(root)), y + p);
    }
  }
}

// What memory can do: y = x. The roof of the others, which read and write as much.
// Items: (run of all numbers).
kernel void copy(global const float* restrict x, global float* restrict y, int count) {
  const int begin = get_global_id(0) * RUN, end = min(begin + RUN, count);
  for (int i = begin; i < end; ++i) y[i] = x[i];
}
