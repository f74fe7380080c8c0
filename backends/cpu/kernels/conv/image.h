#pragma once
// Convolution as a matrix product, without the matrix.
//
// With r = (c, fh, fw) a tap of a filter of F taps a side, p = (n, oh, ow) an output position, and
// stride S, dilation D and padding P,
//
//     y[k, p] = sum over r of w[k, r] X[r, p],
//     X[r, p] = x[n, c, oh*S + fh*D - P, ow*S + fw*D - P]
//
// is a product of w, which lies in memory as it is, and the "column matrix" X (im2col). X holds
// each pixel F*F/(S*S) times: writing it out costs memory and time. Here it is never stored: the
// routine that packs panels for the register tile reads the image itself.
//
// To make that a matter of plain copies, a strip of the image is first laid out so that one tap's
// pixels for neighbouring positions are neighbours: rows get their padding as real zeros, and with
// a stride of S a row is parted into S phases: columns 0, S, 2S ... then 1, S + 1 ... (The zeros
// are multiplied like pixels, so that one product serves the whole map:
// docs/performance/winograd.md.)
//
//     address of X[r, p] = offset(r) + position(p)
//     offset(c, fh, fw)  = c * plane + fh*D * pitch + (fw*D % S) * phase + fw*D / S
//     position(oh, ow)   = oh*S * pitch + ow
//
// Consecutive p are consecutive in memory as long as they stay in one output row: a panel of 32
// columns of X consists of a few runs, the same ones for every tap.
#include "backends/cpu/kernels/matmul/gemm.h"

namespace limulus::cpu::LIMULUS_ISA {

// Consecutive columns of X, [begin, begin + size) of the strip, `first` columns after some start.
struct Run {
  std::int32_t first, begin, size;
};

// dst[i] = src[i * step]
template <class T>
LIMULUS_INLINE void gather_row(std::int64_t n, const T* src, std::int64_t step, T* dst) {
  if (step == 1) return copy_row(n, src, dst);
  if (step == 2) {
    for (std::int64_t i = 0; i < n; ++i) dst[i] = src[2 * i];
  } else if (step == 4) {
    for (std::int64_t i = 0; i < n; ++i) dst[i] = src[4 * i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) dst[i] = src[i * step];
  }
}

// Where things lie in a strip: `images` images, `channels` channels and the input rows that
// `rows` output rows see.
struct StripLayout {
  Window1d h, w;
  std::int64_t images, channels, rows;
  std::int64_t phase, pitch;    // numbers of a row's phase, and of a row
  std::int64_t in_rows, plane;  // input rows of a channel, and its numbers

  StripLayout(const Window2d& window, std::int64_t images_, std::int64_t channels_,
              std::int64_t rows_)
      : h(window.h), w(window.w), images(images_), channels(channels_), rows(rows_) {
    phase = ceil_div((w.out - 1) * w.stride + w.dilation * (w.kernel - 1) + 1, w.stride);
    pitch = phase * w.stride;
    in_rows = (rows - 1) * h.stride + h.dilation * (h.kernel - 1) + 1;
    plane = in_rows * pitch;
  }
  // Copies move whole registers and may read this far beyond the end.
  static constexpr std::int64_t slack = 32;
  std::int64_t count() const { return images * channels * plane + slack; }
  std::int64_t taps() const { return channels * h.kernel * w.kernel; }

  void offsets(std::int32_t* out) const {  // [taps]
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t fh = 0; fh < h.kernel; ++fh)
        for (std::int64_t fw = 0; fw < w.kernel; ++fw) {
          const std::int64_t column = fw * w.dilation;
          *out++ = static_cast<std::int32_t>(c * plane + fh * h.dilation * pitch +
                                             column % w.stride * phase + column / w.stride);
        }
  }
};

// A filled strip, and the packing of X from it.
template <class T>
class Strip {
 public:
  Strip(const StripLayout& layout, const std::int32_t* offset, T* memory)
      : l_(layout), offset_(offset), data_(memory) {}

  // Output rows [oh, oh + rows) of `images` images. x: the first image's first channel [h, w];
  // images lie image_stride apart.
  void fill(const T* x, std::int64_t image_stride, std::int64_t images, std::int64_t oh,
            std::int64_t rows) {
    rows_ = rows;
    const std::int64_t top = oh * l_.h.stride - l_.h.pad;
    const std::int64_t in_rows = l_.in_rows - (l_.rows - rows) * l_.h.stride;
    for (std::int64_t n = 0; n < images; ++n)
      for (std::int64_t c = 0; c < l_.channels; ++c) {
        const T* from = x + n * image_stride + c * l_.h.in * l_.w.in;
        T* to = data_ + (n * l_.channels + c) * l_.plane;
        for (std::int64_t i = 0; i < in_rows; ++i, to += l_.pitch) {
          const bool inside = top + i >= 0 && top + i < l_.h.in;
          fill_row(inside ? from + (top + i) * l_.w.in : nullptr, to);
        }
      }
  }

  // The runs of columns [p, p + n); returns how many.
  int find_runs(std::int64_t p, std::int64_t n, Run* out) const {
    const std::int64_t per_image = rows_ * l_.w.out;
    std::int64_t image = p / per_image, rest = p % per_image;
    std::int64_t oh = rest / l_.w.out, ow = rest % l_.w.out;
    int count = 0;
    for (std::int64_t first = 0; first < n;) {
      const std::int64_t begin = image * l_.channels * l_.plane + oh * l_.h.stride * l_.pitch + ow;
      const std::int64_t size = smaller(n - first, l_.w.out - ow);
      if (count > 0 && out[count - 1].begin + out[count - 1].size == begin)
        out[count - 1].size += static_cast<std::int32_t>(size);
      else
        out[count++] = {static_cast<std::int32_t>(first), static_cast<std::int32_t>(begin),
                        static_cast<std::int32_t>(size)};
      first += size;
      ow = 0;
      if (++oh == rows_) oh = 0, ++image;
    }
    return count;
  }

  // One row of X over the runs. Whole registers are moved: what is written past a run's end is
  // overwritten by the next run, and the last one's excess lands in the caller's slack.
  LIMULUS_INLINE void copy_runs(std::int64_t r, const Run* run, int count, T* dst) const {
    const T* from = data_ + offset_[r];
    for (const Run* end = run + count; run != end; ++run)
      for (std::int32_t i = 0; i < run->size; i += Vec<T>::width)
        Vec<T>::load(from + run->begin + i).store(dst + run->first + i);
  }

  // Rows r .. r + rows of X over the runs, for a panel of the right operand. Where they come to
  // `Count` registers or fewer the inner loop has a fixed length: nothing to count, nothing to
  // guess. (conv5, AVX-512: the whole convolution is a tenth faster for it.)
  template <int Count = 1>
  void copy_panel(std::int64_t r, std::int64_t rows, const Run* run, int count, T* dst) const {
    constexpr int cols = Blocking<T>::cols, width = Vec<T>::width;
    std::int32_t from[Count + 1], to[Count + 1];
    int moves = 0;
    for (int k = 0; k < count; ++k)
      for (std::int32_t i = 0; i < run[k].size; i += width, ++moves)
        if (moves < Count) from[moves] = run[k].begin + i, to[moves] = run[k].first + i;
    if constexpr (Count < 8)
      if (moves > Count) return copy_panel<Count + 1>(r, rows, run, count, dst);
    for (std::int64_t s = 0; s < rows; ++s, dst += cols) {
      if (moves > Count) {
        copy_runs(r + s, run, count, dst);
        continue;
      }
      const T* x = data_ + offset_[r + s];
#pragma GCC unroll 8
      for (int k = 0; k < Count; ++k) Vec<T>::load(x + from[k]).store(dst + to[k]);
    }
  }

 private:
  // Pixel t * S + q - P of the row goes to phase q, place t.
  void fill_row(const T* row, T* to) const {
    const std::int64_t s = l_.w.stride, pad = l_.w.pad;
    for (std::int64_t q = 0; q < s; ++q, to += l_.phase) {
      std::int64_t begin = 0, end = 0;  // the places whose pixel is inside
      if (row) {
        begin = q >= pad ? 0 : smaller(l_.phase, ceil_div(pad - q, s));
        end = larger(begin, smaller(l_.phase, ceil_div(l_.w.in + pad - q, s)));
        gather_row(end - begin, row + begin * s + q - pad, s, to + begin);
      }
      for (std::int64_t t = 0; t < begin; ++t) to[t] = 0;
      for (std::int64_t t = end; t < l_.phase; ++t) to[t] = 0;
    }
  }

  const StripLayout& l_;
  const std::int32_t* offset_;
  T* data_;
  std::int64_t rows_ = 0;
};

// X as the right operand: steps are taps, columns are positions.
template <class T>
struct ImageB {
  const Strip<T>& strip;

  void pack(std::int64_t p, std::int64_t depth, std::int64_t j, std::int64_t n, T* dst) {
    constexpr int cols = Blocking<T>::cols;
    for (std::int64_t q = 0; q < n; q += cols) {
      Run run[cols];
      const int runs = strip.find_runs(j + q, smaller(cols, n - q), run);
      strip.copy_panel(p, depth, run, runs, dst);
      if (n - q < cols) clear_columns(n - q, depth, dst);
      dst += depth * cols;
    }
  }
};

// X as the left operand: rows are taps, steps are positions.
template <class T>
struct ImageA {
  const Strip<T>& strip;
  std::int64_t known = -1;  // the runs at hand are those from here
  int runs = 0;
  Run run[Blocking<T>::depth];

  explicit ImageA(const Strip<T>& s) : strip(s) {}

  void pack(std::int64_t i, std::int64_t rows, std::int64_t p, std::int64_t depth, T* dst) {
    if (known != p) runs = strip.find_runs(p, depth, run);
    known = p;
    for (std::int64_t r = 0; r < rows; ++r)
      strip.copy_runs(i + r, run, runs, dst + r * Blocking<T>::row_stride);
  }
};

}  // namespace limulus::cpu::LIMULUS_ISA
