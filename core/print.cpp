// How tensors, shapes and types are printed: as NumPy prints arrays, so that nobody has to learn
// another notation.
//
//   Tensor [2, 3] f32 on cpu
//   [[ 1.   2.5  nan]
//    [-0.   3.  -inf]]
//
// All elements of a tensor have one width and one number of decimals: the fewest that tell its
// values apart, at most 8. Where the largest is 1e8 or more, the smallest (but 0) below 1e-4, or
// one more than 1,000 times the other, all are written with an exponent.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include "core/tensor.h"

namespace limulus {
namespace {

constexpr std::int64_t most_elements = 1000;  // of more than these, only corners are shown:
constexpr std::int64_t edge = 3;              // so many elements at both ends of an axis
constexpr std::size_t line_width = 75;
constexpr int most_decimals = 8;

using Texts = std::vector<std::string>;

// ---- numbers ------------------------------------------------------------------------------------

template <class T, class... Format>
std::string written(T x, Format... format) {
  char text[400];  // the largest double has 309 digits
  return {text, std::to_chars(text, text + sizeof(text), x, format...).ptr};
}

// The digits before and after the point, and the exponent ("e-05", or nothing).
struct Digits {
  std::string whole, decimals, exponent;
};

Digits cut(const std::string& text) {
  Digits d;
  const std::size_t e = std::min(text.find('e'), text.size()), point = std::min(text.find('.'), e);
  d.whole = text.substr(0, point);
  if (point < e) d.decimals = text.substr(point + 1, e - point - 1);
  d.exponent = text.substr(e);
  return d;
}

// The shortest decimals that give the same T again; rounded where those are too many.
template <class T>
Digits digits_of(T x, std::chars_format format) {
  Digits d = cut(written(x, format));
  if (d.decimals.size() > most_decimals) {
    d = cut(written(x, format, most_decimals));
    d.decimals.erase(d.decimals.find_last_not_of('0') + 1);
  }
  return d;
}

template <class T>
Texts texts_of(const std::vector<T>& values) {
  T largest = 0, smallest = 0;
  for (const T x : values) {
    const T size = std::abs(x);
    if (!std::isfinite(x) || size == 0) continue;
    largest = std::max(largest, size);
    smallest = smallest == 0 ? size : std::min(smallest, size);
  }
  const bool exponents = largest >= T(1e8) || (smallest > 0 && smallest < T(1e-4)) ||
                         (smallest > 0 && largest / smallest > T(1000));
  const auto format = exponents ? std::chars_format::scientific : std::chars_format::fixed;
  std::vector<Digits> all;
  std::size_t whole = 0, decimals = 0, exponent = 0;
  for (const T x : values) {
    if (!std::isfinite(x)) {
      all.push_back({std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf", "", ""});
      continue;
    }
    all.push_back(digits_of(x, format));
    whole = std::max(whole, all.back().whole.size());
    decimals = std::max(decimals, all.back().decimals.size());
    exponent = std::max(exponent, all.back().exponent.size());
  }
  Texts texts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Digits d = all[i];
    if (std::isfinite(values[i])) {
      if (exponents) {  // as many decimals for all, and as many digits of the exponent, behind "e+"
        d = cut(written(values[i], format, static_cast<int>(decimals)));
        d.exponent.insert(2, exponent - d.exponent.size(), '0');
      }
      d.whole.insert(0, whole - d.whole.size(), ' ');
      d.decimals.append(decimals - d.decimals.size(), ' ');
      d.whole += "." + d.decimals + d.exponent;
    }
    texts.push_back(d.whole);
  }
  return texts;
}

template <class T>
requires std::is_integral_v<T> Texts texts_of(const std::vector<T>& values) {
  Texts texts;
  for (const T x : values) texts.push_back(written(x));
  return texts;
}

Texts texts_of(const std::vector<Bf16>& values) {
  std::vector<float> wide;
  for (const Bf16 x : values) wide.push_back(widen(x));
  return texts_of(wide);
}

// ---- arrays -------------------------------------------------------------------------------------

// The part of a tensor that is shown: [begin, end) of an axis, or its two ends.
struct Corners {
  explicit Corners(const Shape& s) : shape(s), shortened(s.numel() > most_elements) {}

  bool cut(int axis) const { return shortened && shape[axis] > 2 * edge; }

  // Calls f(i) for the indices that are shown; i = -1 stands for those that are not.
  template <class F>
  void each(int axis, F f) const {
    const std::int64_t size = shape[axis];
    for (std::int64_t i = 0; i < (cut(axis) ? edge : size); ++i) f(i);
    if (!cut(axis)) return;
    f(std::int64_t{-1});
    for (std::int64_t i = size - edge; i < size; ++i) f(i);
  }

  // The flat places of all elements that are shown, in their order.
  void collect(int axis, std::int64_t begin, std::vector<std::int64_t>& at) const {
    if (axis == shape.rank()) return at.push_back(begin);
    each(axis, [&](std::int64_t i) {
      if (i >= 0) collect(axis + 1, begin * shape[axis] + i, at);
    });
  }

  const Shape& shape;
  bool shortened;
};

// Writes the elements between brackets: one row per line, one empty line more between the blocks of
// each further axis. `next` runs over the texts.
class Writer {
 public:
  Writer(const Corners& corners, const Texts& texts) : corners_(corners), texts_(texts) {
    for (const std::string& text : texts) width_ = std::max(width_, text.size());
  }

  std::string array(int axis) {
    const int last = corners_.shape.rank() - 1;
    if (axis > last) return padded();
    if (axis == last) return row(axis);
    std::string out = "[";
    bool first = true;
    corners_.each(axis, [&](std::int64_t i) {
      if (!first) out += std::string(static_cast<std::size_t>(last - axis), '\n') + indent(axis);
      first = false;
      out += i < 0 ? "..." : array(axis + 1);
    });
    return out + "]";
  }

 private:
  static std::string indent(int axis) {
    return std::string(1 + static_cast<std::size_t>(axis), ' ');
  }

  std::string padded() {
    const std::string& text = texts_[next_++];
    return std::string(width_ - text.size(), ' ') + text;
  }

  // A long row is broken, and goes on below its first element. Each axis has a bracket at its end.
  std::string row(int axis) {
    const std::size_t room = line_width - static_cast<std::size_t>(axis) - 1;
    const std::string margin = indent(axis);
    std::string out, line;
    corners_.each(axis, [&](std::int64_t i) {
      const std::string word = i < 0 ? "..." : padded();
      if (!line.empty() && margin.size() + line.size() + 1 + word.size() > room) {
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n" + margin;
        line.clear();
      }
      line += (line.empty() ? "" : " ") + word;
    });
    return "[" + out + line + "]";
  }

  const Corners& corners_;
  const Texts& texts_;
  std::size_t width_ = 0, next_ = 0;
};

// The values at these places. Memory of the host is read where it is.
template <class T>
Texts texts_at(const Tensor& t, const std::vector<std::int64_t>& at) {
  std::vector<T> copy, shown;
  if (!t.backend().host_memory()) copy = t.to_vector<T>();
  const T* values = t.backend().host_memory() ? t.values<T>().data() : copy.data();
  for (const std::int64_t i : at) shown.push_back(values[i]);
  return texts_of(shown);
}

Texts texts_at(const Tensor& t, const std::vector<std::int64_t>& at) {
  switch (t.dtype()) {
    case DType::f32:
      return texts_at<float>(t, at);
    case DType::f64:
      return texts_at<double>(t, at);
    case DType::i64:
      return texts_at<std::int64_t>(t, at);
    case DType::i32:
      return texts_at<std::int32_t>(t, at);
    case DType::bf16:
      return texts_at<Bf16>(t, at);
  }
  return {};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

std::ostream& operator<<(std::ostream& out, const Tensor& t) {
  if (!t.defined()) return out << "Tensor (undefined)";
  std::string text =
      "Tensor " + t.shape().str() + " " + name_of(t.dtype()) + " on " + t.backend().name() + "\n";
  if (t.numel() == 0) return out << text + "[]";
  const Corners corners(t.shape());
  std::vector<std::int64_t> at;
  corners.collect(0, 0, at);
  const Texts texts = texts_at(t, at);
  std::string values = Writer(corners, texts).array(0);
  if (t.shape().rank() == 0) {  // "1.0" and "1e-07", as numbers are written outside of arrays
    if (values.back() == '.') values += '0';
    if (const auto point = values.find(".e"); point != values.npos) values.erase(point, 1);
  }
  return out << text << values;
}

}  // namespace limulus
