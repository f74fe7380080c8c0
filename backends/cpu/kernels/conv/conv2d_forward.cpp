// y[n, k, p] = b[k] + sum over taps r of w[k, r] X[r, (n, p)], one product per group (image.h).
//
// The columns of the product are the output positions of all images. They are cut into strips of
// about 512: some rows of one large map (11 of conv1's 55 rows), or several small maps at once
// (three of conv3's 13 x 13 = 169 positions, a number that no register width divides). A task takes
// a strip, a group and a range of output channels, lays out its strip and multiplies; strips are
// made again for each range of channels, which costs far less than making threads wait for one
// another.
#include "backends/cpu/kernels/conv/image.h"
#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

// How the work is cut into tasks: a task computes some output channels of one group for one strip,
// which is some rows of some images.
struct ForwardTasks {
  std::int64_t images, rows;         // of a strip
  std::int64_t strips_n, strips_oh;  // how many strips
  std::int64_t channels, parts;      // output channels of a task, and parts per group
  std::int64_t strip_rows() const { return images * rows; }  // of w.out columns each
};

template <class T>
ForwardTasks forward_tasks(const Conv2dShape& s) {
  constexpr std::int64_t target = 512;
  const Window1d &h = s.window.h, &w = s.window.w;
  const std::int64_t group_k = s.k / s.groups, positions = h.out * w.out;
  ForwardTasks plan{1, h.out, s.n, 1, group_k, 1};
  if (positions <= target) {
    plan.images = smaller(s.n, larger(1, target / positions));
    plan.strips_n = ceil_div(s.n, plan.images);
  } else {
    // Of the ways to share the rows evenly, that whose panels have the fewest idle lanes.
    std::int64_t best = INT64_MAX;
    const std::int64_t least = ceil_div(positions, target + target / 2);
    for (std::int64_t parts = least; parts <= smaller(h.out, 2 * least + 1); ++parts) {
      const std::int64_t rows = ceil_div(h.out, parts), count = ceil_div(h.out, rows);
      const std::int64_t last = h.out - (count - 1) * rows;
      const std::int64_t lanes = (count - 1) * round_up(rows * w.out, Blocking<T>::width) +
                                 round_up(last * w.out, Blocking<T>::width);
      if (lanes < best) best = lanes, plan.rows = rows, plan.strips_oh = count;
    }
  }
  // With few strips (one image), the output channels are shared as well.
  for (std::int64_t parts = 2; plan.channels > 4 * Blocking<T>::rows; ++parts) {
    if (s.groups * plan.strips_n * plan.strips_oh * plan.parts >= 16) break;
    plan.channels = round_up(ceil_div(group_k, parts), Blocking<T>::rows);
    plan.parts = ceil_div(group_k, plan.channels);
  }
  return plan;
}

// C of one group and strip: column j is position j % per_image of image j / per_image.
template <class T>
struct ImageC {
  T* y;  // the strip's first position in the group's first channel of the first image
  const T* bias;
  bool relu;
  std::int64_t per_image, image_stride, channel_stride;

  void put(int rows, std::int64_t depth, const T* a, const T* b, std::int64_t i, std::int64_t j,
           int cols, bool add, bool last, const Lost<T>& lost) {
    const std::int64_t image = j / per_image, rest = j % per_image;
    T* c = y + image * image_stride + i * channel_stride + rest;
    const T* shift = bias && !add ? bias + i : nullptr;
    const bool is_long = add && lost.values != nullptr;
    if (rest + cols <= per_image && !is_long)
      return multiply_tile<T>(rows, depth, a, b,
                              Target<T>{c, channel_stride, cols, add, shift, false, relu && last});
    // A tile of long sums, or with the seam between two images, is formed aside.
    alignas(64) T tile[Blocking<T>::rows * Blocking<T>::cols];
    multiply_tile<T>(rows, depth, a, b, PackedC<T>{tile, cols, false});
    for (int r = 0; r < rows; ++r) {
      const T* from = tile + r * Blocking<T>::cols;
      for (std::int64_t q = 0, place = rest, n = image; q < cols; ++q) {
        T* to = y + n * image_stride + (i + r) * channel_stride + place;
        T sum = from[q];
        if (is_long)
          sum = add_compensated(*to, sum, lost.at(r, q).values);
        else if (add)
          sum = sum + *to;
        if (shift) sum = sum + shift[r];
        *to = relu && last && sum < 0 ? T(0) : sum;
        if (++place == per_image) place = 0, ++n;
      }
    }
  }
};

}  // namespace

template <class T>
void conv2d_forward_direct(const Context& ctx, const Conv2dShape& s, const T* x, const T* w,
                           const T* b, T* y) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t positions = wh.out * ww.out, pixels = wh.in * ww.in;
  if (s.n * s.k * positions == 0) return;
  const std::int64_t group_c = s.c / s.groups, group_k = s.k / s.groups;
  const std::int64_t taps = group_c * wh.kernel * ww.kernel;
  const ForwardTasks plan = forward_tasks<T>(s);
  const StripLayout layout(s.window, plan.images, group_c, plan.rows);

  const std::int64_t panel_bytes =
      Panels<T>::bytes(plan.channels, plan.strip_rows() * ww.out, taps);
  const std::int64_t bytes = panel_bytes + bytes_of<T>(layout.count());
  const std::int64_t table = bytes_of<std::int32_t>(taps);
  const Scratch scratch(ctx, table + ctx.threads * bytes);
  char* memory = scratch.as<char>() + table;
  std::int32_t* offset = scratch.as<std::int32_t>();
  layout.offsets(offset);

  const std::int64_t tasks = plan.strips_n * plan.strips_oh * s.groups * plan.parts;
  const std::int64_t work = s.n * s.k * positions * taps / 4;
  const bool relu = s.relu;
  const StripLayout* l = &layout;
  parallel_for(ctx, tasks, work, [=](std::int64_t task, int thread) {
    const std::int64_t part = task % plan.parts, group = task / plan.parts % s.groups;
    const std::int64_t strip_index = task / plan.parts / s.groups;
    const std::int64_t n = strip_index / plan.strips_oh * plan.images;
    const std::int64_t oh = strip_index % plan.strips_oh * plan.rows;
    const std::int64_t images = smaller(plan.images, s.n - n);
    const std::int64_t rows = smaller(plan.rows, wh.out - oh);
    const std::int64_t k = part * plan.channels, channels = smaller(plan.channels, group_k - k);

    char* workspace = memory + thread * bytes;
    Strip<T> strip(*l, offset, reinterpret_cast<T*>(workspace + panel_bytes));
    strip.fill(x + (n * s.c + group * group_c) * pixels, s.c * pixels, images, oh, rows);

    StoredA<T> from_a{w + group * group_k * taps, taps, false};
    ImageB<T> from_b{strip};
    ImageC<T> to{y + (n * s.k + group * group_k) * positions + oh * ww.out,
                 b ? b + group * group_k : nullptr,
                 relu,
                 rows * ww.out,
                 s.k * positions,
                 positions};
    multiply_block<T>(from_a, from_b, to, k, channels, 0, images * rows * ww.out, taps, false,
                      Panels<T>(workspace, plan.channels, plan.strip_rows() * ww.out, taps));
  });
}

template void conv2d_forward_direct<float>(const Context&, const Conv2dShape&, const float*,
                                           const float*, const float*, float*);
template void conv2d_forward_direct<double>(const Context&, const Conv2dShape&, const double*,
                                            const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA
