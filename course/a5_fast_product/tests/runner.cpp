// What the judge can call of assignment 5. Every array is between pages that may not be touched
// (common/guarded.h), and a call is made twice: with the arrays at the end of their pages, and at
// their beginning.
#include "runner.h"

#include <memory>

#include "fast_product.h"
#include "guarded.h"

namespace course {
namespace {

// A matrix whose rows are `stride` values apart; what lies between them is poisoned with NaN.
class Rows {
 public:
  Rows(const char* name, std::int64_t rows, std::int64_t cols, std::int64_t stride, Place place)
      : name_(name),
        rows_(rows),
        cols_(cols),
        stride_(stride),
        room_(name, rows == 0 || cols == 0 ? 0 : (rows - 1) * stride + cols, place) {}

  float* data() const { return room_.data(); }
  std::int64_t stride() const { return stride_; }
  void fill(const Doubles& values) {
    for (std::int64_t i = 0; i < rows_; ++i)
      for (std::int64_t j = 0; j < cols_; ++j)
        data()[i * stride_ + j] =
            static_cast<float>(values[static_cast<std::size_t>(i * cols_ + j)]);
  }
  void protect() { room_.protect(); }
  Doubles values() const {
    room_.check();
    Doubles found;
    for (std::int64_t i = 0; i < rows_; ++i) {
      for (std::int64_t j = 0; j < cols_; ++j) found.push_back(data()[i * stride_ + j]);
      for (std::int64_t j = cols_; j < stride_ && i + 1 < rows_ && cols_ > 0; ++j)
        if (!Guarded::is_poison(data()[i * stride_ + j]))
          throw std::runtime_error(std::string("wrote between the rows of ") + name_ +
                                   ": after row " + std::to_string(i));
    }
    return found;
  }

 private:
  const char* name_;
  std::int64_t rows_, cols_, stride_;
  Guarded room_;
};

void put_both(const Record& in, Record& out,
              void (*once)(const Record&, Record&, Place, const std::string&)) {
  Guarded::explain_crashes();
  once(in, out, Place::kEnd, "end");
  once(in, out, Place::kBegin, "begin");
}

Product sizes_of(const Record& in) {
  const Integers& s = in.integers("sizes");  // m, n, k, lda, ldb, ldc
  Product p;
  p.m = s[0], p.n = s[1], p.k = s[2], p.lda = s[3], p.ldb = s[4], p.ldc = s[5];
  return p;
}

template <void (*multiply)(const Product&)>
void product_once(const Record& in, Record& out, Place place, const std::string& name) {
  Product p = sizes_of(in);
  Rows a("A", p.m, p.k, p.lda, place), b("B", p.k, p.n, p.ldb, place),
      c("C", p.m, p.n, p.ldc, place);
  a.fill(in.doubles("a")), b.fill(in.doubles("b"));
  if (in.has("c")) c.fill(in.doubles("c"));  // otherwise it holds NaN
  a.protect(), b.protect();
  p.a = a.data(), p.b = b.data(), p.c = c.data();
  p.alpha = static_cast<float>(in.number("alpha")), p.beta = static_cast<float>(in.number("beta"));
  multiply(p);
  out.put(name, {p.m, p.n}, c.values());
}
template <void (*multiply)(const Product&)>
void product(const Record& in, Record& out) {
  put_both(in, out, product_once<multiply>);
}

std::int64_t whole_tiles(std::int64_t size, std::int64_t tile) {
  return (size + tile - 1) / tile * tile;
}

// pack_a or pack_b of a block of a matrix [m, k] or [k, n].
template <bool of_a>
void pack_once(const Record& in, Record& out, Place place, const std::string& name) {
  const Integers& s =
      in.integers("block");  // rows and columns of the matrix, its stride, the block's
  Rows matrix(of_a ? "A" : "B", s[0], s[1], s[2], place);
  matrix.fill(in.doubles("matrix"));
  matrix.protect();
  const std::int64_t top = s[3], rows = s[4], left = s[5], cols = s[6];
  const std::int64_t size =
      of_a ? whole_tiles(rows, kTileRows) * cols : rows * whole_tiles(cols, kTileCols);
  Guarded panels("the panels", size, place);
  Product p;
  if (of_a) {
    p.m = s[0], p.k = s[1], p.a = matrix.data(), p.lda = s[2];
    pack_a(p, top, rows, left, cols, panels.data());
  } else {
    p.k = s[0], p.n = s[1], p.b = matrix.data(), p.ldb = s[2];
    pack_b(p, top, rows, left, cols, panels.data());
  }
  panels.check();
  out.put(name, {size}, Doubles(panels.data(), panels.data() + size));
}
template <bool of_a>
void pack(const Record& in, Record& out) {
  put_both(in, out, pack_once<of_a>);
}

void tile_once(const Record& in, Record& out, Place place, const std::string& name) {
  const Integers& s = in.integers("tile");  // depth, rows, columns, ldc
  Guarded a("the panel of A", s[0] * kTileRows, place),
      b("the panel of B", s[0] * kTileCols, place);
  Rows c("C", s[1], s[2], s[3], place);
  std::copy(in.doubles("a").begin(), in.doubles("a").end(), a.data());
  std::copy(in.doubles("b").begin(), in.doubles("b").end(), b.data());
  if (in.has("c")) c.fill(in.doubles("c"));
  a.protect(), b.protect();
  multiply_tile(s[0], a.data(), b.data(), static_cast<float>(in.number("alpha")),
                static_cast<float>(in.number("beta")), c.data(), s[3], s[1], s[2]);
  out.put(name, {s[1], s[2]}, c.values());
}
void tile(const Record& in, Record& out) { put_both(in, out, tile_once); }

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {{"multiply_loops", product<multiply_loops>},
                                                    {"multiply_blocked", product<multiply_blocked>},
                                                    {"multiply_fast", product<multiply_fast>},
                                                    {"pack_a", pack<true>},
                                                    {"pack_b", pack<false>},
                                                    {"multiply_tile", tile}};
  return table;
}

}  // namespace course
