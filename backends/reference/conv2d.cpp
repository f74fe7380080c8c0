// Convolution of images, as all frameworks mean it (strictly a cross-correlation: the filter is not
// flipped), with its three gradients.
//
//     y[n, k, oh, ow] = b[k] + sum over c, fh, fw of  x[n, c, ih, iw] w[k, c, fh, fw]
//
//         ih = oh S + fh D - P,   iw = ow S + fw D - P,    x = 0 outside of the image
//
// or max(0, that), with s.relu.
//
//     n  image of the batch      k   filter = output channel     oh, ow  position in the output
//     c  input channel           fh, fw  tap of the filter       ih, iw  position in the input
//
// With `groups` the channels are cut into so many equal runs, and a filter sees only the run of its
// own group: w is [k, c / groups, fh, fw]. AlexNet used two, one per GPU.
//
// The gradients are the same triple product x w y, summed over what each of them lacks:
//
//     dx[n, c, ih, iw] = sum over k, fh, fw of   dy[n, k, oh, ow] w[k, c, fh, fw]
//     dw[k, c, fh, fw] = sum over n, oh, ow of   dy[n, k, oh, ow] x[n, c, ih, iw]
//     db[k]            = sum over n, oh, ow of   dy[n, k, oh, ow]
#include "backends/reference/dispatch.h"
#include "backends/reference/reference_backend.h"

namespace limulus {
namespace reference {
namespace {

// The input position under a tap; it may lie outside of [0, in).
std::int64_t position(const Window1d& w, std::int64_t out, std::int64_t tap) {
  return out * w.stride + tap * w.dilation - w.pad;
}

bool inside(std::int64_t i, std::int64_t size) { return 0 <= i && i < size; }

// The other way round: the output whose tap lies on input `in`, or -1 where there is none.
std::int64_t output_under(const Window1d& w, std::int64_t in, std::int64_t tap) {
  const std::int64_t steps = in + w.pad - tap * w.dilation;  // out * stride
  if (steps < 0 || steps % w.stride != 0) return -1;
  return steps / w.stride < w.out ? steps / w.stride : -1;
}

// Sizes by the letters of the formulas above, and where an element stands in its array.
struct Sizes {
  std::int64_t N, C, K, CG, KG, H, W, FH, FW, OH, OW;

  explicit Sizes(const Conv2dShape& s)
      : N(s.n),
        C(s.c),
        K(s.k),
        CG(s.c / s.groups),  // input channels of a group
        KG(s.k / s.groups),  // filters of a group
        H(s.window.h.in),
        W(s.window.w.in),
        FH(s.window.h.kernel),
        FW(s.window.w.kernel),
        OH(s.window.h.out),
        OW(s.window.w.out) {}

  std::int64_t x(std::int64_t n, std::int64_t c, std::int64_t ih, std::int64_t iw) const {
    return ((n * C + c) * H + ih) * W + iw;
  }
  std::int64_t w(std::int64_t k, std::int64_t cg, std::int64_t fh, std::int64_t fw) const {
    return ((k * CG + cg) * FH + fh) * FW + fw;
  }
  std::int64_t y(std::int64_t n, std::int64_t k, std::int64_t oh, std::int64_t ow) const {
    return ((n * K + k) * OH + oh) * OW + ow;
  }
};

template <class T>
void forward(const Conv2dShape& s,
             const T* x,  // [N, C, H, W]
             const T* w,  // [K, C / groups, FH, FW]
             const T* b,  // [K], or null
             T* y) {      // [N, K, OH, OW]
  const Sizes z(s);
  for (std::int64_t n = 0; n < z.N; ++n)
    for (std::int64_t k = 0; k < z.K; ++k)
      for (std::int64_t oh = 0; oh < z.OH; ++oh)
        for (std::int64_t ow = 0; ow < z.OW; ++ow) {
          const std::int64_t first = k / z.KG * z.CG;  // the first channel that filter k sees
          Sum sum = b == nullptr ? Sum{0} : Sum{b[k]};
          for (std::int64_t cg = 0; cg < z.CG; ++cg)
            for (std::int64_t fh = 0; fh < z.FH; ++fh)
              for (std::int64_t fw = 0; fw < z.FW; ++fw) {
                const std::int64_t ih = position(s.window.h, oh, fh);
                const std::int64_t iw = position(s.window.w, ow, fw);
                if (!inside(ih, z.H) || !inside(iw, z.W)) continue;
                sum += Sum{x[z.x(n, first + cg, ih, iw)]} * w[z.w(k, cg, fh, fw)];
              }
          if (s.relu && sum < 0) sum = 0;  // NaN stays, as in relu
          y[z.y(n, k, oh, ow)] = static_cast<T>(sum);
        }
}

// One could walk over dy and scatter dy w into dx, as forward gathers from x. Asking instead, for
// each input element, which outputs it took part in, gives each dx as one sum.
template <class T>
void backward_input(const Conv2dShape& s, const T* dy, const T* w, T* dx) {
  const Sizes z(s);
  for (std::int64_t n = 0; n < z.N; ++n)
    for (std::int64_t c = 0; c < z.C; ++c)
      for (std::int64_t ih = 0; ih < z.H; ++ih)
        for (std::int64_t iw = 0; iw < z.W; ++iw) {
          const std::int64_t cg = c % z.CG,
                             first = c / z.CG * z.KG;  // the first filter that sees c
          Sum sum = 0;
          for (std::int64_t k = first; k < first + z.KG; ++k)
            for (std::int64_t fh = 0; fh < z.FH; ++fh)
              for (std::int64_t fw = 0; fw < z.FW; ++fw) {
                const std::int64_t oh = output_under(s.window.h, ih, fh);
                const std::int64_t ow = output_under(s.window.w, iw, fw);
                if (oh < 0 || ow < 0) continue;
                sum += Sum{dy[z.y(n, k, oh, ow)]} * w[z.w(k, cg, fh, fw)];
              }
          dx[z.x(n, c, ih, iw)] = static_cast<T>(sum);
        }
}

template <class T>
void backward_weight(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
  const Sizes z(s);
  for (std::int64_t k = 0; k < z.K; ++k)
    for (std::int64_t cg = 0; cg < z.CG; ++cg)
      for (std::int64_t fh = 0; fh < z.FH; ++fh)
        for (std::int64_t fw = 0; fw < z.FW; ++fw) {
          const std::int64_t c = k / z.KG * z.CG + cg;
          Sum sum = 0;
          for (std::int64_t n = 0; n < z.N; ++n)
            for (std::int64_t oh = 0; oh < z.OH; ++oh)
              for (std::int64_t ow = 0; ow < z.OW; ++ow) {
                const std::int64_t ih = position(s.window.h, oh, fh);
                const std::int64_t iw = position(s.window.w, ow, fw);
                if (!inside(ih, z.H) || !inside(iw, z.W)) continue;
                sum += Sum{dy[z.y(n, k, oh, ow)]} * x[z.x(n, c, ih, iw)];
              }
          dw[z.w(k, cg, fh, fw)] = static_cast<T>(sum);
        }
}

template <class T>
void backward_bias(const Conv2dShape& s, const T* dy, T* db) {
  const Sizes z(s);
  for (std::int64_t k = 0; k < z.K; ++k) {
    Sum sum = 0;
    for (std::int64_t n = 0; n < z.N; ++n)
      for (std::int64_t oh = 0; oh < z.OH; ++oh)
        for (std::int64_t ow = 0; ow < z.OW; ++ow) sum += dy[z.y(n, k, oh, ow)];
    db[k] = static_cast<T>(sum);
  }
}

}  // namespace
}  // namespace reference

void ReferenceBackend::conv2d_forward(DType dtype, const Conv2dShape& s, const void* x,
                                      const void* w, const void* b, void* y) {
  using namespace reference;
  const auto trace = traced("conv2d_forward", s);
  dispatch(dtype, [&]<class T>() { forward(s, as<T>(x), as<T>(w), as<T>(b), as<T>(y)); });
}

void ReferenceBackend::conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy,
                                             const void* w, void* dx) {
  using namespace reference;
  const auto trace = traced("conv2d_backward_input", s);
  dispatch(dtype, [&]<class T>() { backward_input(s, as<T>(dy), as<T>(w), as<T>(dx)); });
}

void ReferenceBackend::conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x,
                                              const void* dy, void* dw) {
  using namespace reference;
  const auto trace = traced("conv2d_backward_weight", s);
  dispatch(dtype, [&]<class T>() { backward_weight(s, as<T>(x), as<T>(dy), as<T>(dw)); });
}

void ReferenceBackend::conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy,
                                            void* db) {
  using namespace reference;
  const auto trace = traced("conv2d_backward_bias", s);
  dispatch(dtype, [&]<class T>() { backward_bias(s, as<T>(dy), as<T>(db)); });
}

}  // namespace limulus
