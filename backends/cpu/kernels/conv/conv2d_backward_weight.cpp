// dw[k, r] = sum over images and positions p of dy[k, p] X[r, p], and db[k] = sum of dy[k, p].
//
// The sum is long (conv1, 32 images: 96,800 terms) and the result small (96 x 363), so that cutting
// the result gives too few tasks: the images are cut as well, into a number of chunks that depends
// on the shape alone, and each chunk's sum is kept apart. At the end the chunks are added in order.
//
// It is X dy^T that is computed, dw transposed. Of the two operands of the register tile the left
// one is packed by plain copies and the right one, here, by transposing; X is the bigger one, so X
// is on the left, and the turning of dw falls to the final addition.
#include "backends/cpu/kernels/conv/image.h"
#include "backends/cpu/kernels/elementwise/row_reduce.h"
#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// How the work is cut into tasks: a task sums one chunk of images for some input channels of one
// group, strip by strip.
struct WeightGradientTasks {
  std::int64_t channels, parts;     // input channels of a task, and parts per group
  std::int64_t images, chunks;      // images of a chunk, and how many chunks
  std::int64_t strip_images, rows;  // of a strip
};

template <class T>
WeightGradientTasks weight_gradient_tasks(const Conv2dShape& s) {
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t group_c = s.c / s.groups, area = h.kernel * w.kernel;
  WeightGradientTasks plan;
  plan.channels = smaller(group_c, larger(1, ceil_div(512, area)));
  plan.channels = ceil_div(group_c, ceil_div(group_c, plan.channels));
  plan.parts = ceil_div(group_c, plan.channels);
  const std::int64_t weight_bytes = s.k * group_c * area * static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t most_bytes = 32 << 20;
  plan.chunks = smaller(ceil_div(16, s.groups * plan.parts), larger(1, most_bytes / weight_bytes));
  plan.images = ceil_div(s.n, smaller(s.n, plan.chunks));
  plan.chunks = ceil_div(s.n, plan.images);
  // Strips of about four passes.
  constexpr std::int64_t target = 4 * Blocking<T>::depth;
  const std::int64_t positions = h.out * w.out;
  plan.strip_images = smaller(plan.images, larger(1, target / positions));
  plan.rows = ceil_div(h.out, smaller(h.out, ceil_div(positions, target)));
  return plan;
}

// dy^T of one group and strip: step p is position p % per_image of image p / per_image.
template <class T>
struct GradientB {
  const T* dy;
  std::int64_t per_image, image_stride, channel_stride;

  void pack(std::int64_t p, std::int64_t depth, std::int64_t j, std::int64_t n, T* dst) {
    constexpr int cols = Blocking<T>::cols;
    for (std::int64_t q = 0; q < n; q += cols)
      for (std::int64_t s = 0; s < depth;) {
        const std::int64_t image = (p + s) / per_image, rest = (p + s) % per_image;
        const std::int64_t steps = smaller(depth - s, per_image - rest);
        transpose(smaller(cols, n - q), steps,
                  dy + image * image_stride + (j + q) * channel_stride + rest, channel_stride, dst,
                  cols);
        clear_columns(n - q, steps, dst);
        s += steps;
        dst += steps * cols;
      }
  }
};

}  // namespace

template <class T>
void conv2d_backward_weight_direct(const Context& ctx, const Conv2dShape& s, const T* x,
                                   const T* dy, T* dw) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t positions = wh.out * ww.out, pixels = wh.in * ww.in;
  const std::int64_t group_c = s.c / s.groups, group_k = s.k / s.groups;
  const std::int64_t area = wh.kernel * ww.kernel, taps = group_c * area;
  const std::int64_t weights = s.k * taps;
  if (weights == 0) return;
  if (s.n * positions == 0) {
    for (std::int64_t i = 0; i < weights; ++i) dw[i] = 0;
    return;
  }
  const WeightGradientTasks plan = weight_gradient_tasks<T>(s);
  const StripLayout layout(s.window, plan.strip_images, plan.channels, plan.rows);

  const std::int64_t terms = plan.images * positions;  // of a chunk's sums
  const std::int64_t panel_bytes = Panels<T>::bytes(plan.channels * area, group_k, terms);
  const std::int64_t bytes = panel_bytes + bytes_of<T>(layout.count());
  const std::int64_t table = bytes_of<std::int32_t>(layout.taps());
  const std::int64_t sums = bytes_of<T>(plan.chunks * weights);
  const Scratch scratch(ctx, table + sums + ctx.threads * bytes);
  std::int32_t* offset = scratch.as<std::int32_t>();
  layout.offsets(offset);
  T* partial = reinterpret_cast<T*>(scratch.as<char>() + table);  // [chunks, groups, taps, group_k]
  char* memory = scratch.as<char>() + table + sums;

  const std::int64_t work = s.n * positions * weights / 4;
  const StripLayout* l = &layout;
  parallel_for(
      ctx, plan.chunks * s.groups * plan.parts, work, [=, &s](std::int64_t task, int thread) {
        const std::int64_t part = task % plan.parts, group = task / plan.parts % s.groups;
        const std::int64_t chunk = task / plan.parts / s.groups;
        const std::int64_t c = part * plan.channels, r = c * area;
        const std::int64_t channels = smaller(plan.channels, group_c - c);
        const std::int64_t end = smaller(s.n, (chunk + 1) * plan.images);
        char* workspace = memory + thread * bytes;
        // The last part may have fewer channels.
        const StripLayout last(s.window, plan.strip_images, channels, plan.rows);
        Strip<T> strip(channels == l->channels ? *l : last, offset,
                       reinterpret_cast<T*>(workspace + panel_bytes));
        StoredC<T> to{partial + chunk * weights + (group * taps + r) * group_k, group_k};
        const Panels<T> panels(workspace, plan.channels * area, group_k, terms);
        bool add = false;
        for (std::int64_t n = chunk * plan.images; n < end; n += plan.strip_images)
          for (std::int64_t oh = 0; oh < s.window.h.out; oh += plan.rows) {
            const std::int64_t images = smaller(plan.strip_images, end - n);
            const std::int64_t per_image = smaller(plan.rows, s.window.h.out - oh) * s.window.w.out;
            strip.fill(x + (n * s.c + group * group_c + c) * pixels, s.c * pixels, images, oh,
                       per_image / s.window.w.out);
            ImageA<T> from_a(strip);
            GradientB<T> from_b{dy + (n * s.k + group * group_k) * positions + oh * s.window.w.out,
                                per_image, s.k * positions, positions};
            multiply_block<T>(from_a, from_b, to, 0, channels * area, 0, group_k,
                              images * per_image, add, panels);
            add = true;
          }
      });

  // Adds the chunks, 32 taps at a time, and turns the sums over.
  constexpr std::int64_t taps_at_once = 32;
  const std::int64_t blocks = ceil_div(taps, taps_at_once);
  const std::int64_t traffic = plan.chunks * weights * static_cast<std::int64_t>(sizeof(T));
  parallel_for(ctx, s.groups * blocks, traffic, [=](std::int64_t task, int) {
    const std::int64_t group = task / blocks, r = task % blocks * taps_at_once;
    const std::int64_t rows = smaller(taps_at_once, taps - r);
    T* total = partial + (group * taps + r) * group_k;
    for (std::int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
      const T* next = total + chunk * weights;
      for_lanes<T>(0, rows * group_k,
                   [=](auto at) { at.store(total, at.load(total) + at.load(next)); });
    }
    transpose(rows, group_k, total, group_k, dw + group * group_k * taps + r, taps);
  });
}

// A sum of many thousand terms of similar size in one float would lose digits: pieces of a map are
// added in the lanes of registers, and their sums in double.
template <class T>
void conv2d_backward_bias(const Context& ctx, const Conv2dShape& s, const T* dy, T* db) {
  const std::int64_t positions = s.window.h.out * s.window.w.out;
  const std::int64_t bytes = s.n * s.k * positions * static_cast<std::int64_t>(sizeof(T));
  parallel_for(ctx, s.k, bytes, [=, n_end = s.n, channels = s.k](std::int64_t k, int) {
    double total = 0;
    for (std::int64_t n = 0; n < n_end; ++n)
      total += sum_in_pieces(dy + (n * channels + k) * positions, positions);
    db[k] = static_cast<T>(total);
  });
}

template void conv2d_backward_weight_direct<float>(const Context&, const Conv2dShape&, const float*,
                                                   const float*, float*);
template void conv2d_backward_weight_direct<double>(const Context&, const Conv2dShape&,
                                                    const double*, const double*, double*);
template void conv2d_backward_bias<float>(const Context&, const Conv2dShape&, const float*, float*);
template void conv2d_backward_bias<double>(const Context&, const Conv2dShape&, const double*,
                                           double*);

}  // namespace limulus::cpu::LIMULUS_ISA
