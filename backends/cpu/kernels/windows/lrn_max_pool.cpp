// Local response normalization across channels, and the maximum over windows of its result: what
// AlexNet does after its first two convolutions.
//
// In two steps the normalized image is written to memory and read back, although each of its values
// is needed once. Here four of its planes at a time (48 KiB at 55 x 55) are made in a workspace
// that stays in the L2 cache, pooled from there, and overwritten by the next four. Of 37 + 37 + 37
// + 9 MB at batch 32, 37 + 9 are left. A task is 32 channels of an image, so that a single image
// keeps several threads busy; the two channels before and the two behind are read by its neighbours
// too.
//
// The loops are those of the two steps, so that the maxima have the same bits.
#include "backends/cpu/kernels/kernels.h"
#include "backends/cpu/kernels/windows/lrn_five.h"
#include "backends/cpu/kernels/windows/max_pool_plane.h"

namespace limulus::cpu::LIMULUS_ISA {

template <class T>
void lrn_across_max_pool2d_forward(const Context& ctx, const LrnShape& s, const Pool2dShape& pool,
                                   const T* x, T* y, std::int32_t* argmax) {
  constexpr std::int64_t item = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t channels = s.c, plane = s.h * s.w;
  if (!is_paper_lrn(s)) {  // another window or exponent: in two steps
    const Scratch normalized(ctx, s.n * channels * plane * item);
    lrn_across_forward<T>(ctx, s, x, normalized.template as<T>());
    return max_pool2d_forward<T>(ctx, pool, normalized.template as<T>(), y, argmax);
  }
  constexpr std::int64_t chunk = 32;  // channels; whole groups of four (lrn_five.h)
  const Window2d win = pool.window;
  const std::int64_t out = win.h.out * win.w.out, chunks = ceil_div(channels, chunk);
  const PoolPlane<T> pool_plane = pool_plane_for<T>(win, argmax != nullptr);
  const LrnFactors<T> factors(s);
  // Four planes and one of zeros; the first four are read beyond their ends (row_maxima).
  const std::int64_t per_thread = lines_apart<T>(5 * plane + 64);
  const Scratch scratch(ctx, ctx.threads * per_thread * item);
  T* all = scratch.template as<T>();

  const std::int64_t bytes = s.n * channels * (plane + out) * item;
  parallel_for(ctx, s.n * chunks, bytes, [=](std::int64_t task, int thread) {
    const std::int64_t image = task / chunks, first = task % chunks * chunk;
    T* normalized = all + thread * per_thread;  // [4, plane]
    T* zeros = normalized + 4 * plane;
    for_lanes<T>(0, plane + 64, [=](auto at) { at.store(zeros, Vec<T>::zero()); });
    T* const to[4] = {normalized, normalized + plane, normalized + 2 * plane,
                      normalized + 3 * plane};
    const std::int64_t end = smaller(channels, first + chunk);
    for (std::int64_t i = first; i < end; i += 4) {
      normalize_group(s, x + image * channels * plane, i, 0, plane, factors, zeros, to);
      for (std::int64_t t = 0; t < smaller(4, end - i); ++t) {
        const std::int64_t at = (image * channels + i + t) * out;
        pool_plane(win, to[t], zeros + 64, y + at, argmax == nullptr ? nullptr : argmax + at);
      }
    }
  });
}

template void lrn_across_max_pool2d_forward<float>(const Context&, const LrnShape&,
                                                   const Pool2dShape&, const float*, float*,
                                                   std::int32_t*);
template void lrn_across_max_pool2d_forward<double>(const Context&, const LrnShape&,
                                                    const Pool2dShape&, const double*, double*,
                                                    std::int32_t*);

}  // namespace limulus::cpu::LIMULUS_ISA
