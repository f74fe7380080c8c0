// 6.1, 6.6 and 6.7: convolution, with and without local memory, and the sizes of its work-groups.
#include <algorithm>
#include <cmath>

#include "backends/registry.h"
#include "judge_layers.h"
#include "layers/conv2d.h"

namespace course {
namespace {

using namespace limulus;

// What a class of cases may have; all else is as simple as it can be.
struct Class {
  std::int64_t images = 1, pad = 0, stride = 1, groups = 1;
};
constexpr Class kPlain{.images = 2}, kPadding{.pad = 3}, kStride{.pad = 1, .stride = 3},
    kGroups{.pad = 1, .groups = 3}, kAll{.images = 2, .pad = 2, .stride = 2, .groups = 2};

struct Sized {  // one call's sizes under their names, in the order in which "shape" lists them
  explicit Sized(const Integers& v)
      : n(v[0]),
        c(v[1]),
        h(v[2]),
        w(v[3]),
        k(v[4]),
        fh(v[5]),
        fw(v[6]),
        stride(v[7]),
        pad(v[8]),
        groups(v[9]),
        oh(v[10]),
        ow(v[11]) {}
  std::int64_t n, c, h, w, k, fh, fw, stride, pad, groups, oh, ow;

  Shape x() const { return {n, c, h, w}; }
  Shape weight() const { return {k, c / groups, fh, fw}; }
  Shape y() const { return {n, k, oh, ow}; }
  Conv2dOptions options() const { return {.stride = stride, .pad = pad, .groups = groups}; }
  std::string described() const {
    return "x " + x().str() + ", w " + weight().str() + ", stride " + std::to_string(stride) +
           ", pad " + std::to_string(pad) + ", groups " + std::to_string(groups);
  }
};

Integers with_output(Integers v) {
  const auto out = [&](std::int64_t size, std::int64_t taps, const char* what) {
    return Window1d::make(size, taps, v[7], v[8], 1, false, "conv2d", what).out;
  };
  v.push_back(out(v[2], v[5], "height"));
  v.push_back(out(v[3], v[6], "width"));
  return v;
}

// From 1 to `most`, but never 1 where the class is about more than that.
std::int64_t of_class(Rng& rng, std::int64_t most) { return most == 1 ? 1 : between(rng, 2, most); }

// Planes that a group of 4 x 2 divides, or that no group divides.
enum class Plane { kWhole, kOdd };

Integers random_sizes(Rng& rng, const Class& c, Plane plane) {
  // Never a square, so that rows and columns cannot be exchanged unnoticed.
  const std::int64_t fh = between(rng, 1, 3), fw = fh % 3 + 1;
  const std::int64_t g = of_class(rng, c.groups), s = of_class(rng, c.stride);
  const std::int64_t p = c.pad == 0 ? 0 : between(rng, 1, c.pad);
  std::int64_t h = fh + between(rng, 1, 7), w = fw + between(rng, 1, 7);
  if (plane == Plane::kWhole)
    h = fh - 1 + 2 * between(rng, 1, 3), w = fw - 1 + 4 * between(rng, 1, 3);
  if (h == w) w += plane == Plane::kWhole ? 4 : 1;
  const std::int64_t cg = between(rng, 1, 3), kg = between(rng, 1, 3);
  return with_output({between(rng, c.images, c.images + 1), g * cg, h, w, g * kg, fh, fw, s, p, g});
}

Record call(Rng& rng, const char* function, const Integers& sizes, const Integers& group,
            const Where& where) {
  const Sized s(sizes);
  Record r = begin_call(function, s.described(), sizes, group, where);
  const auto random = [&](const char* name, const Shape& shape) {
    r.put(name, shape.sizes(), floats(rng, shape.numel()));
  };
  random("x", s.x());
  random("w", s.weight());
  random("b", {s.k});
  return r;
}

const Integers kFourByTwo = {4, 2, 1};

template <const Class& c, Plane plane, const Where& where>
Calls convolutions(Rng& rng, const char* function) {
  Calls calls;
  for (int i = 0; i < where.calls; ++i) {
    const Integers sizes = random_sizes(rng, c, plane);
    // A group of conv2d_tiled is one plane deep.
    Integers group = plane == Plane::kWhole ? kFourByTwo : some_group(rng);
    if (std::string(function) != "conv2d_forward") group[2] = 1;
    calls.push_back(call(rng, function, sizes, group, where));
  }
  return calls;
}

void check_y(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  const auto tensor = [&](const char* name) {
    return Tensor::from(in.doubles(name), Shape(in.shape(name)), device("reference"));
  };
  const Tensor y = conv2d(tensor("x"), tensor("w"), tensor("b"), s.options());
  // A single-precision sum of t terms differs from the exact one by about sqrt(t) times 6e-8.
  const double terms = static_cast<double>(s.c / s.groups * s.fh * s.fw);
  for (const std::string& place : places(in))
    compare("y", s.y(), y.to_vector<double>(), out.doubles("y" + place),
            1e-6 * (2 + std::sqrt(terms)));
}

// ---- how much is read: Oclgrind counts --------------------------------------------------------

Calls one_large(Rng& rng) {
  // A group of 8 x 8 outputs with 5 x 5 taps reads 12 x 12 values of each channel.
  Record r = call(rng, "conv2d_tiled", with_output({1, 2, 18, 18, 2, 5, 5, 1, 1, 1}), {8, 8, 1},
                  kInOclgrind);
  r.put("counted", 1);
  return {r};
}

void check_reads(const Record& in, const Record& out) {
  check_y(in, out);
  const Sized s(in.integers("shape"));
  const Integers& group = in.integers("group");
  const std::int64_t taps = s.c / s.groups * s.fh * s.fw, outputs = s.n * s.k * s.oh * s.ow;
  const std::int64_t groups = outputs / (group[0] * group[1]);
  const std::int64_t patch = (group[0] - 1 + s.fw) * (group[1] - 1 + s.fh) * s.c / s.groups;
  // Each item reads its weights and the bias, and each group one patch a channel.
  const std::int64_t most = 4 * (outputs * (taps + 1) + groups * patch);
  const std::int64_t got = out.integer("bytes read");
  if (got > most)
    throw Wrong("its items read " + std::to_string(got) + " bytes of global memory; with each " +
                "value of a patch read once by each group, they read " + std::to_string(most) +
                " at most, and without local memory " +
                std::to_string(4 * outputs * (2 * taps + 1)));
}

// ---- 6.7: sizes -------------------------------------------------------------------------------

struct Choice {
  Integers sizes;
  std::int64_t most_items, local_bytes;
};

Record choice(const Choice& c) {
  Record r;
  r.put("call", std::string("choose_work_groups"));
  r.put("what", "choose_work_groups: " + Sized(c.sizes).described() + "; at most " +
                    std::to_string(c.most_items) + " items, " + std::to_string(c.local_bytes) +
                    " bytes");
  r.put("shape", c.sizes);
  r.put("device", Integers{c.most_items, c.local_bytes});
  return r;
}

Integers plane_of(Rng& rng, std::int64_t oh, std::int64_t ow, std::int64_t most_taps = 5) {
  const std::int64_t fh = between(rng, 1, most_taps), fw = between(rng, 1, most_taps);
  const std::int64_t s = between(rng, 1, 3);
  return with_output({between(rng, 1, 3), 2, (oh - 1) * s + fh, (ow - 1) * s + fw,
                      between(rng, 1, 4), fh, fw, s, 0, 1});
}

// Few items in a group, or little local memory.
Calls limited(Rng& rng) {
  Calls calls;
  for (const std::int64_t most : {1, 8, 31, 64, 256, 1024})
    calls.push_back(
        choice({plane_of(rng, between(rng, 10, 60), between(rng, 10, 60)), most, 32768}));
  for (int i = 0; i < 4; ++i) {  // room for a few items only
    const Integers sizes = plane_of(rng, between(rng, 10, 60), between(rng, 10, 60), 7);
    const Sized s(sizes);
    calls.push_back(choice({sizes, 256, 4 * s.fh * s.fw * between(rng, 1, 6)}));
  }
  return calls;
}
// One row, one column, a few places: where a fixed size leaves most items idle.
Calls thin(Rng& rng) {
  return {choice({plane_of(rng, 1, between(rng, 2, 90)), 256, 32768}),
          choice({plane_of(rng, between(rng, 2, 90), 1), 256, 32768}),
          choice({plane_of(rng, 1, 1), 256, 32768}),
          choice({plane_of(rng, between(rng, 2, 5), between(rng, 2, 5)), 256, 32768}),
          choice({plane_of(rng, 3, between(rng, 17, 90)), 64, 32768}),
          choice({plane_of(rng, 9, 9), 256, 32768}),
          choice({plane_of(rng, 33, 17), 256, 32768})};
}

std::int64_t whole(std::int64_t size, std::int64_t tile) { return (size + tile - 1) / tile * tile; }
std::int64_t patch_bytes(const Sized& s, std::int64_t columns, std::int64_t rows) {
  return 4 * ((columns - 1) * s.stride + s.fw) * ((rows - 1) * s.stride + s.fh);
}

constexpr std::int64_t kEnough = 32;

// The most items, up to kEnough, that a group can have with no more than half of all idle.
std::int64_t possible(const Sized& s, std::int64_t most_items, std::int64_t local_bytes) {
  std::int64_t best = 0;
  for (std::int64_t columns = 1; columns <= most_items; ++columns)
    for (std::int64_t rows = 1; rows * columns <= most_items; ++rows) {
      if (patch_bytes(s, columns, rows) > local_bytes) break;
      if (whole(s.ow, columns) * whole(s.oh, rows) <= 2 * s.ow * s.oh)
        best = std::max(best, std::min(kEnough, columns * rows));
    }
  return best;
}

void check_choice(const Record& in, const Record& out) {
  const Sized s(in.integers("shape"));
  const Integers& device = in.integers("device");
  const Integers &local = out.integers("local"), &global = out.integers("global");
  const auto shown = [&] {
    return "local " + written(local) + ", global " + written(global) + ": ";
  };
  if (local[0] < 1 || local[1] < 1) throw Wrong(shown() + "a group has no items");
  const std::int64_t items = local[0] * local[1];
  if (items > device[0])
    throw Wrong(shown() + "a group has " + std::to_string(items) + " items; the device allows " +
                std::to_string(device[0]));
  const std::int64_t bytes = patch_bytes(s, local[0], local[1]);
  compare("patch_bytes", bytes, out.integer("patch"));
  if (bytes > device[1])
    throw Wrong(shown() + "a patch has " + std::to_string(bytes) + " bytes; the device allows " +
                std::to_string(device[1]));
  const Integers wanted = {whole(s.ow, local[0]), whole(s.oh, local[1]), s.n * s.k};
  compare("global", wanted, global);
  const std::int64_t started = wanted[0] * wanted[1], busy = s.ow * s.oh;
  if (started > 2 * busy)
    throw Wrong(shown() + "of " + std::to_string(started) + " items for a plane " +
                std::to_string(started - busy) + " are idle, more than half");
  const std::int64_t most = possible(s, device[0], device[1]);
  if (items < most)
    throw Wrong(shown() + "a group has " + std::to_string(items) + " items; " +
                std::to_string(most) + " are possible here");
}

Calls as_chosen(Rng& rng) {
  Calls calls;
  for (int i = 0; i < 3; ++i)
    calls.push_back(call(rng, "conv2d_tiled, as chosen", random_sizes(rng, kAll, Plane::kOdd),
                         {1, 1, 1}, kOnDevice));
  return calls;
}

template <const Class& c, Plane plane = Plane::kOdd, const Where& where = kOnDevice>
void add(std::vector<Case>& all, const std::string& name) {
  all.push_back({"forward_" + name,
                 +[](Rng& r) { return convolutions<c, plane, where>(r, "conv2d_forward"); },
                 check_y});
  all.push_back({"tiled_" + name,
                 +[](Rng& r) { return convolutions<c, plane, where>(r, "conv2d_tiled"); },
                 check_y});
}

}  // namespace

void add_convolutions(std::vector<Case>& all) {
  add<kPlain, Plane::kWhole>(all, "whole");
  add<kPlain>(all, "odd");
  add<kPadding>(all, "padding");
  add<kStride>(all, "stride");
  add<kGroups>(all, "groups");
  add<kAll>(all, "all");
  add<kAll, Plane::kOdd, kInOclgrind>(all, "oclgrind");
  all.push_back({"tiled_reads", one_large, check_reads});
  all.push_back({"groups_limits", limited, check_choice});
  all.push_back({"groups_thin", thin, check_choice});
  all.push_back({"groups_run", as_chosen, check_y});
}

}  // namespace course
