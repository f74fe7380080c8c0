// dx[n, c, ih, iw] = sum over k, fh, fw with ih = oh*S + fh*D - P, iw alike, of dy[n, k, oh, ow]
// w[k, c, fh, fw], with stride S, dilation D, padding P and F taps a side
//
// Two ways, chosen by how many multiplications they need:
//
//     as a convolution   With a stride of 1 the sum is itself a convolution: of dy, padded by
//                        D (F - 1) - P, with the filters flipped on both axes and the channels'
//                        roles exchanged. All of conv2d_forward.cpp serves again. It multiplies
//                        once per tap and input pixel.
//     by columns         col = w^T dy, the gradient of the column matrix X of image.h, then each of
//                        its entries is added to the pixel that it came from (col2im). It
//                        multiplies once per tap and output position: fewer, where the map shrinks.
#include "backends/cpu/kernels/matmul/gemm.h"
#include "backends/cpu/kernels/matrix_kernels.h"

namespace limulus::cpu::LIMULUS_ISA {
namespace {

template <class T>
void as_convolution(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w, T* dx) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t area = wh.kernel * ww.kernel;
  const std::int64_t group_c = s.c / s.groups, group_k = s.k / s.groups;
  const Scratch scratch(ctx, bytes_of<T>(s.k * group_c * area));
  T* flipped = scratch.as<T>();  // [c, k/groups, fh, fw]
  parallel_for(ctx, s.c, s.k * group_c * area * static_cast<std::int64_t>(sizeof(T)),
               [=](std::int64_t c, int) {
                 const std::int64_t group = c / group_c;
                 const T* from = w + (group * group_k * group_c + c % group_c) * area;
                 T* to = flipped + c * group_k * area;
                 for (std::int64_t k = 0; k < group_k; ++k, from += group_c * area, to += area)
                   for (std::int64_t f = 0; f < area; ++f) to[f] = from[area - 1 - f];
               });
  conv2d_forward_direct<T>(ctx, input_gradient(s), dy, flipped, nullptr, dx);
}

// The output indices [begin, end) whose tap at `shift` = f*D - P falls inside the image.
struct Inside {
  std::int64_t begin, end;
  Inside(const Window1d& w, std::int64_t shift)
      : begin(shift >= 0 ? 0 : ceil_div(-shift, w.stride)),
        end(shift >= w.in ? 0 : smaller(w.out, (w.in - 1 - shift) / w.stride + 1)) {}
};

// Adds col [channels * fh * fw, rows * ow], of output rows [oh0, oh0 + rows), to sums [channels, h,
// w].
template <class T, class Sum>
void add_columns(const Window2d& window, std::int64_t channels, std::int64_t oh0, std::int64_t rows,
                 const T* col, Sum* sums) {
  const Window1d &wh = window.h, &ww = window.w;
  for (std::int64_t c = 0; c < channels; ++c, sums += wh.in * ww.in)
    for (std::int64_t fh = 0; fh < wh.kernel; ++fh)
      for (std::int64_t fw = 0; fw < ww.kernel; ++fw, col += rows * ww.out) {
        const std::int64_t down = fh * wh.dilation - wh.pad, right = fw * ww.dilation - ww.pad;
        const Inside in_h(wh, down), in_w(ww, right);
        const std::int64_t last = smaller(in_h.end, oh0 + rows);
        for (std::int64_t oh = larger(in_h.begin, oh0); oh < last; ++oh) {
          const T* from = col + (oh - oh0) * ww.out;
          Sum* to = sums + (oh * wh.stride + down) * ww.in + right;
          if (ww.stride == 1)
            for (std::int64_t ow = in_w.begin; ow < in_w.end; ++ow) to[ow] += from[ow];
          else
            for (std::int64_t ow = in_w.begin; ow < in_w.end; ++ow) to[ow * ww.stride] += from[ow];
        }
      }
}

// A task is a range of input channels of a group of an image: no two add to the same pixel. It goes
// through the output rows in chunks, so that its columns stay in L2. A pixel may lie under each tap
// of a window once; where these are many, their sum is formed in double (Sum).
template <class T, class Sum>
void by_columns(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w, T* dx) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  const std::int64_t area = wh.kernel * ww.kernel, positions = wh.out * ww.out;
  const std::int64_t pixels = wh.in * ww.in;
  const std::int64_t group_c = s.c / s.groups, group_k = s.k / s.groups;
  const std::int64_t channels = smaller(group_c, larger(1, ceil_div(384, area)));
  const std::int64_t parts = ceil_div(group_c, channels);
  const std::int64_t rows = smaller(wh.out, larger(1, 384 / larger(1, ww.out)));

  const std::int64_t panel_bytes = Panels<T>::bytes(channels * area, rows * ww.out, group_k);
  const std::int64_t col_bytes = bytes_of<T>(channels * area * rows * ww.out);
  const bool apart = sizeof(Sum) != sizeof(T);
  const std::int64_t bytes = panel_bytes + col_bytes + bytes_of<Sum>(apart ? channels * pixels : 0);
  const Scratch scratch(ctx, ctx.threads * bytes);
  char* memory = scratch.as<char>();
  const std::int64_t work = s.n * s.k * positions * group_c * area / 4;
  parallel_for(ctx, s.n * s.groups * parts, work, [=](std::int64_t task, int thread) {
    const std::int64_t n = task / parts / s.groups, group = task / parts % s.groups;
    const std::int64_t c0 = task % parts * channels, count = smaller(channels, group_c - c0);
    char* workspace = memory + thread * bytes;
    T* col = reinterpret_cast<T*>(workspace + panel_bytes);
    T* to = dx + (n * s.c + group * group_c + c0) * pixels;
    Sum* sums = reinterpret_cast<Sum*>(apart ? workspace + panel_bytes + col_bytes
                                             : reinterpret_cast<char*>(to));
    for (std::int64_t i = 0; i < count * pixels; ++i) sums[i] = 0;
    StoredA<T> from_a{w + (group * group_k * group_c + c0) * area, group_c * area, true};
    for (std::int64_t oh = 0; oh < s.window.h.out; oh += rows) {
      const std::int64_t height = smaller(rows, s.window.h.out - oh), width = s.window.w.out;
      StoredB<T> from_b{dy + (n * s.k + group * group_k) * positions + oh * width, positions,
                        false};
      StoredC<T> to_col{col, height * width};
      multiply_block<T>(from_a, from_b, to_col, 0, count * area, 0, height * width, group_k, false,
                        Panels<T>(workspace, channels * area, rows * width, group_k));
      add_columns(s.window, count, oh, height, col, sums);
    }
    if (apart)
      for (std::int64_t i = 0; i < count * pixels; ++i) to[i] = static_cast<T>(sums[i]);
  });
}

}  // namespace

template <class T>
void conv2d_backward_input_direct(const Context& ctx, const Conv2dShape& s, const T* dy, const T* w,
                                  T* dx) {
  const Window1d &wh = s.window.h, &ww = s.window.w;
  if (s.n * s.c * wh.in * ww.in == 0) return;
  const auto padding_of_dy = [](const Window1d& a) { return a.dilation * (a.kernel - 1) - a.pad; };
  // The convolution multiplies for each of in x in pixels, by_columns for each of out x out
  // positions; but by_columns then has its columns to add up, so the convolution may multiply 15 %
  // more.
  const bool few_more = 100 * wh.in * ww.in <= 115 * wh.out * ww.out;
  const bool convolution = wh.stride == 1 && ww.stride == 1 && padding_of_dy(wh) >= 0 &&
                           padding_of_dy(ww) >= 0 && few_more;
  if (convolution)
    as_convolution(ctx, s, dy, w, dx);
  else if (wh.kernel * ww.kernel > 256)
    by_columns<T, double>(ctx, s, dy, w, dx);
  else
    by_columns<T, T>(ctx, s, dy, w, dx);
}

template void conv2d_backward_input_direct<float>(const Context&, const Conv2dShape&, const float*,
                                                  const float*, float*);
template void conv2d_backward_input_direct<double>(const Context&, const Conv2dShape&,
                                                   const double*, const double*, double*);

}  // namespace limulus::cpu::LIMULUS_ISA
