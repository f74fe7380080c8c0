#pragma once
// The sizes of a tensor, outermost first: [N, C, H, W] for a batch of images.
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace limulus {

class Shape {
 public:
  Shape() = default;  // rank 0: a scalar, one element
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::vector<std::int64_t>(sizes)) {}
  explicit Shape(std::vector<std::int64_t> sizes);  // ShapeError when a size is negative

  int rank() const { return static_cast<int>(sizes_.size()); }
  std::int64_t operator[](int axis) const;  // a negative axis counts from the end
  std::int64_t numel() const;               // product of the sizes; 1 for a scalar
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  std::string str() const;  // "[32, 96, 55, 55]"

  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> sizes_;
};
std::ostream& operator<<(std::ostream& out, const Shape& shape);  // as str()

// The place of an element in a row-major array, as an index per axis and as one number.
std::vector<std::int64_t> index_of(std::int64_t flat, const Shape& shape);
std::int64_t flat_of(const std::vector<std::int64_t>& index, const Shape& shape);

// The shape of `a op b` by the usual rule: sizes are aligned at the right, and a missing size or a
// size of 1 is stretched. ShapeError, naming `op`, when two sizes differ and neither is 1.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

}  // namespace limulus
