#include "browser/few_outputs.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace limulus::browser {

Span window_of(const Window1d& w, Span out) {
  return {out.first * w.stride - w.pad, out.last * w.stride - w.pad + w.dilation * (w.kernel - 1)};
}

namespace {

// The rows and columns outside of which dy [1, K, OH, OW] is 0 in every map; none: the first.
std::pair<Span, Span> not_zero(const Tensor& dy) {
  const auto values = dy.values<double>();
  const std::int64_t rows = dy.size(2), columns = dy.size(3);
  Span r = {rows, -1}, c = {columns, -1};
  for (std::int64_t i = 0; i < dy.numel(); ++i) {
    if (values[static_cast<std::size_t>(i)] == 0) continue;
    r = {std::min(r.first, i / columns % rows), std::max(r.last, i / columns % rows)};
    c = {std::min(c.first, i % columns), std::max(c.last, i % columns)};
  }
  return r.last < 0 ? std::pair{Span{0, 0}, Span{0, 0}} : std::pair{r, c};
}

// Copies between a map of [rows, columns] and the part of it that begins at (top, left) and has the
// size of `part`; what of the part lies outside of the map is left out.
struct Part {
  std::int64_t maps, rows, columns, top, left, part_rows, part_columns;
  template <class Visit>  // visit(index in the map, index in the part)
  void each(Visit visit) const {
    for (std::int64_t m = 0; m < maps; ++m)
      for (std::int64_t r = std::max<std::int64_t>(0, -top); r < std::min(part_rows, rows - top);
           ++r)
        for (std::int64_t c = std::max<std::int64_t>(0, -left);
             c < std::min(part_columns, columns - left); ++c)
          visit(static_cast<std::size_t>((m * rows + top + r) * columns + left + c),
                static_cast<std::size_t>((m * part_rows + r) * part_columns + c));
  }
};

}  // namespace

Tensor input_gradient_of_few(const Conv2d& conv, const Tensor& x, const Tensor& dy) {
  const Conv2dShape s = conv2d_shape(x.shape(), conv.weight.shape(), conv.options);
  const auto [rows, columns] = not_zero(dy);
  const Span in_rows = window_of(s.window.h, rows), in_columns = window_of(s.window.w, columns);
  const std::int64_t out_h = rows.last - rows.first + 1, out_w = columns.last - columns.first + 1;
  const Shape part = {1, s.c, in_rows.last - in_rows.first + 1,
                      in_columns.last - in_columns.first + 1};
  Conv2dOptions options = conv.options;
  options.pad = 0;
  const Conv2dShape few = conv2d_shape(part, conv.weight.shape(), options);

  std::vector<double> few_dy(static_cast<std::size_t>(s.k * out_h * out_w));
  const auto all_dy = dy.values<double>();
  Part{s.k, s.window.h.out, s.window.w.out, rows.first, columns.first, out_h, out_w}.each(
      [&](std::size_t all, std::size_t one) { few_dy[one] = all_dy[all]; });
  const Tensor above = Tensor::from(few_dy, {1, s.k, out_h, out_w}, x.backend());
  Tensor below = Tensor::empty(part, DType::f64, x.backend());
  x.backend().conv2d_backward_input(DType::f64, few, above.data(), conv.weight.data(),
                                    below.mutable_data());

  std::vector<double> dx(static_cast<std::size_t>(x.numel()));
  const auto few_dx = below.values<double>();
  Part{s.c, s.window.h.in, s.window.w.in, in_rows.first, in_columns.first, part[2], part[3]}.each(
      [&](std::size_t all, std::size_t one) { dx[all] = few_dx[one]; });
  return Tensor::from(dx, x.shape(), x.backend());
}

}  // namespace limulus::browser
