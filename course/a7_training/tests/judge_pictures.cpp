// Assignment 7: crops, mirror images, the shift of colours, ten views.
#include <algorithm>
#include <array>

#include "backends/registry.h"
#include "core/algebra.h"
#include "judge_statistics.h"
#include "layers/softmax.h"

namespace course {
namespace {

std::string box(std::int64_t h, std::int64_t w, std::int64_t side) {
  return std::to_string(h) + " x " + std::to_string(w) + " pixels, views of " +
         std::to_string(side) + " x " + std::to_string(side);
}

// ---- crops, at every place -------------------------------------------------------------------

// Of the value at (c, row, column), so that a value says where it came from.
double code(std::int64_t c, std::int64_t row, std::int64_t column) {
  return static_cast<double>(10000 * c + 100 * row + column);
}

template <bool mirror>
std::vector<Record> make_cut(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t c = between(rng, 1, 3), side = between(rng, 3, 5);
    const std::int64_t h = side + between(rng, 0, 2), w = h + between(rng, 1, 2);
    Doubles x;
    for (std::int64_t k = 0; k < c * h * w; ++k) x.push_back(code(k / (h * w), k / w % h, k % w));
    Integers views;
    for (std::int64_t top = 0; top + side <= h; ++top)
      for (std::int64_t left = 0; left + side <= w; ++left)
        views.insert(views.end(), {top, left, mirror ? 1 : 0});
    Record r;
    r.put("call", std::string("cut"));
    r.put("what", "cut: " + box(h, w, side) + (mirror ? ", mirrored" : "") + ", at every place");
    r.put("x", {c, h, w}, x);
    r.put("side", side);
    r.put("views", views);
    calls.push_back(r);
  }
  return calls;
}

void check_cut(const Record& in, const Record& out) {
  const std::int64_t side = in.integer("side"), c = in.shape("x")[0];
  const Integers& views = in.integers("views");
  const Doubles& y = out.doubles("y");
  std::size_t at = 0;
  for (std::size_t n = 0; n < views.size(); n += 3)
    for (std::int64_t k = 0; k < c * side * side; ++k, ++at) {
      const std::int64_t channel = k / (side * side), i = k / side % side, j = k % side;
      const std::int64_t column = views[n + 1] + (views[n + 2] == 1 ? side - 1 - j : j);
      if (y.at(at) == code(channel, views[n] + i, column)) continue;
      const auto from = static_cast<std::int64_t>(std::isnan(y[at]) ? 0 : y[at]);
      throw Wrong("top " + std::to_string(views[n]) + ", left " + std::to_string(views[n + 1]) +
                  ": y" + written(Sizes{channel, i, j}) + " must be x" +
                  written(Sizes{channel, views[n] + i, column}) + "; it is " +
                  (std::isnan(y[at])
                       ? written(y[at])
                       : "x" + written(Sizes{from / 10000, from / 100 % 100, from % 100})));
    }
}

// ---- where random views lie ------------------------------------------------------------------

constexpr std::int64_t kDrawn = 1000;  // for each place

std::vector<Record> make_views(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t side = between(rng, 3, 6), rows = between(rng, 2, 4);
    const std::int64_t columns = i == 0 ? 1 : rows % 3 + 1;
    Record r;
    r.put("call", std::string("random_view"));
    r.put("what", "random_view: " + box(side + rows - 1, side + columns - 1, side));
    r.put("sizes", Integers{side + rows - 1, side + columns - 1, side});
    r.put("count", kDrawn * rows * columns * 2);
    r.put("seed", between(rng, 0, 1000000));
    calls.push_back(r);
  }
  return calls;
}

void check_views(const Record& in, const Record& out) {
  const Integers &sizes = in.integers("sizes"), &views = out.integers("views");
  const std::int64_t rows = sizes[0] - sizes[2] + 1, columns = sizes[1] - sizes[2] + 1;
  Integers found(static_cast<std::size_t>(rows * columns * 2));
  compare("the number of views", 3 * in.integer("count"), static_cast<std::int64_t>(views.size()));
  for (std::size_t n = 0; n < views.size(); n += 3) {
    if (views[n] < 0 || views[n] >= rows || views[n + 1] < 0 || views[n + 1] >= columns)
      throw Wrong("a view at top " + std::to_string(views[n]) + ", left " +
                  std::to_string(views[n + 1]) + " is not within the picture");
    ++found[static_cast<std::size_t>((views[n] * columns + views[n + 1]) * 2 + views[n + 2])];
  }
  const double p = 1 / static_cast<double>(found.size());
  for (std::int64_t i = 0; i < rows * columns * 2; ++i)
    within("views at top " + std::to_string(i / 2 / columns) + ", left " +
               std::to_string(i / 2 % columns) + (i % 2 == 1 ? ", mirrored" : ", not mirrored") +
               ", among " + std::to_string(views.size() / 3),
           {kDrawn, std::sqrt(kDrawn * (1 - p))},
           static_cast<double>(found[static_cast<std::size_t>(i)]),
           "sqrt(1000 * (1 - 1/" + std::to_string(found.size()) + "))");
}

// ---- colours ---------------------------------------------------------------------------------

using Row = std::array<double, 3>;

double dot(const double* a, const double* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// Three directions at right angles, of these lengths.
Doubles right_angles(Rng& rng, const Row& lengths) {
  Doubles axes = normal(rng, 9);
  for (int k = 0; k < 3; ++k) {
    double* axis = axes.data() + 3 * k;
    for (int other = 0; other < k; ++other) {
      const double* before = axes.data() + 3 * other;
      const double part = dot(axis, before) / dot(before, before);
      for (int c = 0; c < 3; ++c) axis[c] -= part * before[c];
    }
    const double longer = lengths[static_cast<std::size_t>(k)] / std::sqrt(dot(axis, axis));
    for (int c = 0; c < 3; ++c) axis[c] *= longer;
  }
  return axes;
}

// Pixels at mean + sqrt(3) axis and mean - sqrt(3) axis, equally many for each of three axes: their
// covariance is the sum of 2 * 3/6 axis axis^T, so that the axes are what PCA must find.
std::vector<Record> make_axes(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const double third = std::sqrt(3);  // the first call is the handout's
    const Doubles axes =
        i == 0 ? Doubles{18 / third, 24 / third, 0, -12 / third, 9 / third, 0, 0, 0, 6 / third}
               : right_angles(rng, {rng.uniform(30, 40), rng.uniform(10, 20), rng.uniform(2, 8)});
    const std::int64_t count = i == 0 ? 1 : 2, plane = i == 0 ? 6 : 3 * between(rng, 2, 5);
    Doubles mean = {100, 80, 60}, pictures(static_cast<std::size_t>(count * 3 * plane));
    for (double& m : mean) m += i == 0 ? 0 : rng.uniform(-50, 50);
    for (std::int64_t n = 0; n < count * plane; ++n)
      for (std::int64_t c = 0; c < 3; ++c) {
        const double away = std::sqrt(3) * (n / 3 % 2 == 0 ? 1 : -1);
        pictures[static_cast<std::size_t>((n / plane * 3 + c) * plane + n % plane)] =
            mean[static_cast<std::size_t>(c)] +
            away * axes[static_cast<std::size_t>(n % 3 * 3 + c)];
      }
    Record r;
    r.put("call", std::string("colour_axes"));
    r.put("what", "colour_axes: pictures " + written(Sizes{count, 3, plane}));
    r.put("pictures", {count, 3, plane}, pictures);
    r.put("axes", {3, 3}, axes);
    calls.push_back(r);
  }
  return calls;
}

void check_axes(const Record& in, const Record& out) {
  const Doubles& axes = in.doubles("axes");
  Doubles got = out.doubles("axes");
  for (std::size_t k = 0; k < 9; k += 3)  // a direction's sign is anyone's choice
    if (dot(got.data() + k, axes.data() + k) < 0)
      for (std::size_t c = k; c < k + 3; ++c) got[c] = -got[c];
  compare("axes (signs apart)", Shape{3, 3}, axes, got);
}

std::vector<Record> make_shift(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 3; ++i) {
    const double sigma = i == 0 ? 0.1 : rng.uniform(0.05, 0.5);
    Record r;
    r.put("call", std::string("shift_colours"));
    r.put("what", "shift_colours: sigma " + written(sigma) + ", 4000 pictures of 4 pixels");
    r.put("axes", {3, 3}, right_angles(rng, {30, 10, 5}));
    r.put("sigma", {}, {sigma});
    r.put("x", {3, 4}, normal(rng, 12));
    r.put("count", 4000);
    r.put("seed", between(rng, 0, 1000000));
    calls.push_back(r);
  }
  return calls;
}

void check_shift(const Record& in, const Record& out) {
  const Doubles &axes = in.doubles("axes"), &x = in.doubles("x"), &y = out.doubles("y");
  std::array<Doubles, 3> drawn;
  for (std::size_t n = 0; n < y.size(); n += x.size()) {
    Row shift;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double moved = y[n + i] - x[i];
      if (i % 4 == 0) shift[i / 4] = moved;
      if (!(std::abs(moved - shift[i / 4]) < 1e-9))
        throw Wrong("in channel " + std::to_string(i / 4) +
                    " of one picture, pixel 0 is shifted by " + written(shift[i / 4]) +
                    " and pixel " + std::to_string(i % 4) + " by " + written(moved));
    }
    for (std::size_t k = 0; k < 3; ++k) {
      const double* axis = axes.data() + 3 * k;
      drawn[k].push_back(dot(shift.data(), axis) / dot(axis, axis));
    }
  }
  const double sigma = in.number("sigma"), n = static_cast<double>(drawn[0].size());
  const std::string count = std::to_string(drawn[0].size());
  for (std::size_t k = 0; k < 3; ++k) {
    const std::string a = "a_" + std::to_string(k + 1);
    const Moments m = moments(drawn[k]);
    within("the mean of " + a, {0, sigma / std::sqrt(n)}, m.mean,
           written(sigma) + "/sqrt(" + count + ")");
    within("the deviation of " + a, {sigma, sigma / std::sqrt(2 * n)}, m.deviation,
           written(sigma) + "/sqrt(2 * " + count + ")");
    independent(a + " and a_" + std::to_string((k + 1) % 3 + 1), drawn[k], drawn[(k + 1) % 3]);
    independent(a + " of one picture and the next", {drawn[k].begin(), drawn[k].end() - 1},
                {drawn[k].begin() + 1, drawn[k].end()});
  }
}

// ---- ten views, and one answer ---------------------------------------------------------------

std::vector<Record> make_ten(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 6; ++i) {
    const std::int64_t side = i == 0 ? 227 : between(rng, 3, 30);
    const std::int64_t h = i == 0 ? 256 : side + between(rng, 0, 9), w = i == 0 ? 256 : h + i;
    Record r;
    r.put("call", std::string("ten_views"));
    r.put("what", "ten_views: " + box(h, w, side));
    r.put("sizes", Integers{h, w, side});
    calls.push_back(r);
  }
  return calls;
}

void check_ten(const Record& in, const Record& out) {
  static const std::array<const char*, 5> names = {"top left", "top right", "bottom left",
                                                   "bottom right", "middle"};
  const Integers &sizes = in.integers("sizes"), &views = out.integers("views");
  const auto first = [&](std::size_t axis, std::size_t place, bool far) {  // 0: top, 1: left
    const std::int64_t room = sizes[axis] - sizes[2];
    return place == 4 ? room / 2 : far ? room : 0;
  };
  for (std::size_t i = 0; i < 10; ++i) {
    const std::size_t place = i % 5;
    const Integers expected = {first(0, place, place >= 2), first(1, place, place % 2 == 1),
                               i < 5 ? 0 : 1};
    const Integers got = {views.at(3 * i), views.at(3 * i + 1), views.at(3 * i + 2)};
    if (got != expected)
      throw Wrong("view " + std::to_string(i) + " (" + names[place] + (i < 5 ? "" : ", mirrored") +
                  "): expected top, left, mirror " + written(expected) + ", got " + written(got));
  }
}

template <bool large>
std::vector<Record> make_prediction(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t classes = between(rng, 2, 7), views = i == 0 ? 2 : 10;
    Doubles logits = normal(rng, views * classes);
    for (double& z : logits) z = large ? 1000 * z : 3 * z;
    Record r;
    r.put("call", std::string("mean_prediction"));
    r.put("what", "mean_prediction: logits " + written(Sizes{views, classes}) +
                      (large ? " of about 1000" : ""));
    r.put("logits", {views, classes}, logits);
    calls.push_back(r);
  }
  return calls;
}

void check_prediction(const Record& in, const Record& out) {
  const Shape shape(in.shape("logits"));
  const limulus::Tensor z =
      limulus::Tensor::from(in.doubles("logits"), shape, limulus::device("reference"));
  const Doubles each = limulus::softmax(z).to_vector<double>();
  Doubles p(static_cast<std::size_t>(shape[1]));
  for (std::size_t i = 0; i < each.size(); ++i)
    p[i % p.size()] += each[i] / static_cast<double>(shape[0]);
  compare("p", Shape{shape[1]}, p, out.doubles("p"));
}

}  // namespace

std::vector<Case> picture_cases() {
  return {{"cut_plain", make_cut<false>, check_cut},
          {"cut_mirror", make_cut<true>, check_cut},
          {"views", make_views, check_views},
          {"colour_axes", make_axes, check_axes},
          {"colour_shift", make_shift, check_shift},
          {"ten_views", make_ten, check_ten},
          {"prediction", make_prediction<false>, check_prediction},
          {"prediction_large", make_prediction<true>, check_prediction}};
}

}  // namespace course
