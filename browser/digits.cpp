#include "browser/digits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace limulus::browser {
namespace {

struct Box {  // ends are exclusive
  std::int64_t top, left, bottom, right;
};

Box ink_of(std::span<const std::uint8_t> drawing, std::int64_t side) {
  Box box = {side, side, 0, 0};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      if (drawing[static_cast<std::size_t>(y * side + x)] > 0) {
        box.top = std::min(box.top, y);
        box.left = std::min(box.left, x);
        box.bottom = std::max(box.bottom, y + 1);
        box.right = std::max(box.right, x + 1);
      }
  return box;
}

// The mean of the drawing over [top, bottom) x [left, right), of which the edges cut pixels; what
// lies outside of the drawing is black.
double mean_over(std::span<const std::uint8_t> drawing, std::int64_t side, double top, double left,
                 double bottom, double right) {
  const auto clipped = [&](double a) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(a)), 0, side);
  };
  double sum = 0;
  for (std::int64_t y = clipped(top); y < clipped(bottom + 1); ++y)
    for (std::int64_t x = clipped(left); x < clipped(right + 1); ++x) {
      const auto overlap = [](double a, double b, std::int64_t i) {
        return std::max(
            0.0, std::min(b, static_cast<double>(i + 1)) - std::max(a, static_cast<double>(i)));
      };
      sum += overlap(top, bottom, y) * overlap(left, right, x) *
             drawing[static_cast<std::size_t>(y * side + x)];
    }
  return sum / ((bottom - top) * (right - left));
}

std::uint32_t big_endian(std::span<const std::uint8_t> file, std::size_t at) {
  return std::uint32_t{file[at]} << 24 | std::uint32_t{file[at + 1]} << 16 |
         std::uint32_t{file[at + 2]} << 8 | std::uint32_t{file[at + 3]};
}

}  // namespace

std::vector<double> centred(std::span<const std::uint8_t> drawing, std::int64_t side) {
  if (side < 1 || static_cast<std::int64_t>(drawing.size()) != side * side)
    throw ShapeError(fmt::format("digit: {} x {} pixels are not the {} that were handed over", side,
                                 side, drawing.size()));
  std::vector<double> image(digit_side * digit_side);
  const Box box = ink_of(drawing, side);
  if (box.bottom == 0) return image;
  // One pixel of the image covers `unit` of the drawing's, both ways.
  const double unit =
      static_cast<double>(std::max(box.bottom - box.top, box.right - box.left)) / 20;
  double mass = 0, mass_y = 0, mass_x = 0;
  for (std::int64_t y = box.top; y < box.bottom; ++y)
    for (std::int64_t x = box.left; x < box.right; ++x) {
      const double ink = drawing[static_cast<std::size_t>(y * side + x)];
      mass += ink;
      mass_y += ink * (static_cast<double>(y) + 0.5);
      mass_x += ink * (static_cast<double>(x) + 0.5);
    }
  const double middle_y = mass_y / mass, middle_x = mass_x / mass;
  for (std::int64_t y = 0; y < digit_side; ++y)
    for (std::int64_t x = 0; x < digit_side; ++x) {
      const double top = middle_y + static_cast<double>(y - digit_side / 2) * unit,
                   left = middle_x + static_cast<double>(x - digit_side / 2) * unit;
      image[static_cast<std::size_t>(y * digit_side + x)] =
          mean_over(drawing, side, top, left, top + unit, left + unit);
    }
  return image;
}

std::span<const std::uint8_t> idx_images(std::span<const std::uint8_t> file) {
  constexpr std::size_t header = 16;
  constexpr auto side = static_cast<std::uint32_t>(digit_side);
  if (file.size() < header || big_endian(file, 0) != 0x803 || big_endian(file, 8) != side ||
      big_endian(file, 12) != side)
    throw FileError("digits: this is no IDX file of images of 28 x 28");
  const std::uint64_t expected = std::uint64_t{big_endian(file, 4)} * side * side;
  if (file.size() - header != expected)
    throw FileError(fmt::format("digits: {} images have {} bytes, not {}", big_endian(file, 4),
                                expected, file.size() - header));
  return file.subspan(header);
}

std::span<const std::uint8_t> idx_labels(std::span<const std::uint8_t> file) {
  constexpr std::size_t header = 8;
  if (file.size() < header || big_endian(file, 0) != 0x801 ||
      file.size() - header != big_endian(file, 4))
    throw FileError("digits: this is no IDX file of labels");
  const std::span<const std::uint8_t> labels = file.subspan(header);
  for (const std::uint8_t label : labels)
    if (label > 9) throw FileError(fmt::format("digits: a label is {}, not 0 to 9", label));
  return labels;
}

}  // namespace limulus::browser
