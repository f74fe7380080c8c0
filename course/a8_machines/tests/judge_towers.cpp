// Assignment 8, tasks 8.5 and 8.6: two towers compute what one device does, to the last bit. That
// device's network is the library's, with two groups, but for rounding.
#include <array>
#include <cmath>

#include "backends/registry.h"
#include "core/algebra.h"
#include "judge_bits.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "towers.h"

namespace course {
namespace {

// ---- 8.5 -------------------------------------------------------------------------------------

struct Border {
  std::int64_t channels, reach, plane;  // channels of a tower
};

std::vector<Record> make_borders(Rng& rng, const char* call, bool all) {
  std::vector<Record> calls;
  for (std::int64_t i = 0; i < 3; ++i) {
    const std::int64_t channels = between(rng, 3, 6), plane = between(rng, 4, 9);
    const std::int64_t reach = all ? channels : i == 1 ? 0 : i == 2 ? 1 : 2;
    Record r = named(call, std::to_string(channels) + " channels in each tower, reach " +
                               std::to_string(reach) + ", planes of " + std::to_string(plane));
    r.put("ranks", 2);
    r.put("sizes", Integers{channels, reach, plane});
    const std::int64_t given = std::string(call) == "exchange" ? channels : channels + reach;
    for (const std::int64_t rank : {0, 1})
      r.put(of_rank("x", rank), {given, plane}, uneven(rng, given * plane));
    calls.push_back(r);
  }
  return calls;
}
Border border_of(const Record& in) {
  const Integers& v = in.integers("sizes");
  return {v[0], v[1], v[2]};
}
Traffic border_traffic(const Border& b) {
  Traffic traffic(2);
  if (b.reach > 0) traffic.add(0, 1, b.reach * b.plane), traffic.add(1, 0, b.reach * b.plane);
  return traffic;
}

Floats part(const Floats& all, std::int64_t begin, std::int64_t count) {
  return {all.begin() + begin, all.begin() + begin + count};
}
Floats joined(const Floats& first, const Floats& second) {
  Floats all = first;
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

void check_exchange(const Record& in, const Record& out) {
  const Border b = border_of(in);
  const std::int64_t half = b.channels * b.plane, more = b.reach * b.plane;
  const Floats whole = joined(floats(in.doubles("x@0")), floats(in.doubles("x@1")));
  const Shape shape{b.channels + b.reach, b.plane};
  compare_bits("rank 0's seen", shape, part(whole, 0, half + more), out.doubles("y@0"));
  compare_bits("rank 1's seen", shape, part(whole, half - more, half + more), out.doubles("y@1"));
  compare_traffic(border_traffic(b), out);
}

void check_exchange_backward(const Record& in, const Record& out) {
  const Border b = border_of(in);
  const std::int64_t half = b.channels * b.plane, more = b.reach * b.plane;
  // Both towers' gradients where they belong in the whole, and their sum.
  const Floats zeros(static_cast<std::size_t>(half - more));
  const Floats first = joined(floats(in.doubles("x@0")), zeros),
               second = joined(zeros, floats(in.doubles("x@1"))), sum = in_order({first, second});
  const Shape shape{b.channels, b.plane};
  for (const std::int64_t rank : {0, 1}) {
    const Floats& own = rank == 0 ? first : second;
    compare_bits("rank " + std::to_string(rank) + "'s dx", shape, part(sum, rank * half, half),
                 out.doubles(of_rank("y", rank)),
                 {{"what was not sent back: this tower's own part", part(own, rank * half, half)}});
  }
  compare_traffic(border_traffic(b), out);
}

// ---- 8.6: one device -------------------------------------------------------------------------

struct Halves {
  Floats Tower::*member;
  const char* name;
  Sizes shape;  // of one half
};
const std::array<Halves, 8>& halves() {
  static const std::array<Halves, 8> all = {{{&Tower::w1, "w1", {4, 3, 3, 3}},
                                             {&Tower::b1, "b1", {4}},
                                             {&Tower::w2, "w2", {4, 4, 3, 3}},
                                             {&Tower::b2, "b2", {4}},
                                             {&Tower::w3, "w3", {6, 8, 3, 3}},
                                             {&Tower::b3, "b3", {6}},
                                             {&Tower::w4, "w4", {5, 48}},
                                             {&Tower::b4, "b4", {5}}}};
  return all;
}
using Towers = std::array<Tower, 2>;

Towers towers_of(const Record& in) {
  Towers t;
  for (std::size_t r = 0; r < 2; ++r)
    for (const Halves& h : halves())
      t[r].*h.member = floats(in.doubles(of_rank(h.name, static_cast<std::int64_t>(r))));
  return t;
}
Floats whole(const Towers& t, Floats Tower::*member) { return joined(t[0].*member, t[1].*member); }

struct Device {  // one, with all weights
  Floats conv1 = Floats(512), norm1 = Floats(512), pool1 = Floats(128), conv2 = Floats(128),
         conv3 = Floats(192), pool3 = Floats(48), logits = Floats(10);
  Towers gradients;
};

Device forward(const Towers& t, const Floats& picture) {
  Device d;
  conv(whole(t, &Tower::w1), whole(t, &Tower::b1), 8, picture, d.conv1);
  relu(d.conv1);
  normalize(0, 64, d.conv1, d.norm1);
  pool(8, d.norm1, d.pool1);
  for (std::size_t g = 0; g < 2; ++g)
    conv(t[g].w2, t[g].b2, 4, In(d.pool1).subspan(g * 64, 64), Out(d.conv2).subspan(g * 64, 64));
  relu(d.conv2);
  conv(whole(t, &Tower::w3), whole(t, &Tower::b3), 4, d.conv2, d.conv3);
  relu(d.conv3);
  pool(4, d.conv3, d.pool3);
  linear(whole(t, &Tower::w4), whole(t, &Tower::b4), d.pool3, d.logits);
  return d;
}

// An input that both halves of a layer read has two gradients, which are added.
template <class Half>
Floats both(std::size_t size, Half half) {
  Floats first(size), second(size);
  half(0, first);
  half(1, second);
  return in_order({first, second});
}

void backward(const Towers& t, const Floats& picture, const Floats& dlogits, Device& d) {
  Towers& g = d.gradients;
  const Floats dpool3 = both(48, [&](std::size_t r, Floats& dx) {
    linear_backward(t[r].w4, d.pool3, In(dlogits).subspan(5 * r, 5), g[r].w4, g[r].b4, dx);
  });
  Floats dconv3(192);
  pool_backward(4, d.conv3, dpool3, dconv3);
  relu_backward(d.conv3, dconv3);
  Floats dconv2 = both(128, [&](std::size_t r, Floats& dx) {
    conv_backward(t[r].w3, 4, d.conv2, In(dconv3).subspan(96 * r, 96), g[r].w3, g[r].b3, dx);
  });
  relu_backward(d.conv2, dconv2);
  Floats dpool1(128), dnorm1(512);
  for (std::size_t r = 0; r < 2; ++r)
    conv_backward(t[r].w2, 4, In(d.pool1).subspan(64 * r, 64), In(dconv2).subspan(64 * r, 64),
                  g[r].w2, g[r].b2, Out(dpool1).subspan(64 * r, 64));
  pool_backward(8, d.norm1, dpool1, dnorm1);
  Floats dconv1 = both(512, [&](std::size_t r, Floats& dx) {
    normalize_backward(static_cast<std::int64_t>(4 * r), 64, d.conv1,
                       In(dnorm1).subspan(256 * r, 256), dx);
  });
  relu_backward(d.conv1, dconv1);
  for (std::size_t r = 0; r < 2; ++r) {
    Floats dpicture(192);
    conv_backward(t[r].w1, 8, picture, In(dconv1).subspan(256 * r, 256), g[r].w1, g[r].b1,
                  dpicture);
  }
}

// ---- 8.6: that device is the library's network -----------------------------------------------

bool near(const Floats& a, const Doubles& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b.at(i)) <= 1e-3 * std::max(1.0, std::abs(b[i])))) return false;
  return true;
}

bool is_the_library_s(const Towers& t, const Floats& picture, const Floats& dlogits,
                      const Device& d) {
  using namespace limulus;
  Backend& reference = device("reference");
  std::array<Tensor, 8> w;
  for (std::size_t i = 0; i < 8; ++i) {
    Sizes shape = halves()[i].shape;
    shape[0] *= 2;
    w[i] = Tensor::from(doubles(whole(t, halves()[i].member)), Shape(shape), reference);
    w[i].set_requires_grad();
  }
  const Tensor x = Tensor::from(doubles(picture), Shape{1, 3, 8, 8}, reference);
  const LrnOptions lrn = {.size = 5, .alpha = kAlpha, .beta = kBeta, .k = 2};
  const Tensor norm1 = local_response_norm(limulus::relu(conv2d(x, w[0], w[1], {.pad = 1})), lrn);
  const Tensor conv2 =
      limulus::relu(conv2d(max_pool2d(norm1, {}), w[2], w[3], {.pad = 1, .groups = 2}));
  const Tensor conv3 = limulus::relu(conv2d(conv2, w[4], w[5], {.pad = 1}));
  const Tensor y = limulus::linear(flatten(max_pool2d(conv3, {})), w[6], w[7]);
  if (!near(d.logits, y.to_vector<double>())) return false;
  y.backward(Tensor::from(doubles(dlogits), Shape{1, 10}, reference));
  for (std::size_t i = 0; i < 8; ++i)
    if (!near(whole(d.gradients, halves()[i].member), w[i].grad().to_vector<double>()))
      return false;
  return true;
}

// ---- 8.6: calls ------------------------------------------------------------------------------

Record make_towers(Rng& rng, const char* call) {
  // Where two values of a window differ by rounding alone, single and double precision choose
  // different maxima: then another network is drawn.
  for (int tries = 0; tries < 4; ++tries) {
    Record r = named(call, "one picture");
    r.put("ranks", 2);
    for (const std::int64_t rank : {0, 1})
      for (const Halves& h : halves()) {
        Doubles w = normal(rng, course::product(h.shape));
        for (double& v : w) v = static_cast<float>(0.3 * v);
        r.put(of_rank(h.name, rank), h.shape, w);
      }
    r.put("picture@0", {3, 8, 8}, doubles(floats(normal(rng, 192))));
    r.put("dlogits@0", {10}, doubles(floats(normal(rng, 10))));
    const Towers t = towers_of(r);
    const Floats picture = floats(r.doubles("picture@0")), dlogits = floats(r.doubles("dlogits@0"));
    Device d = forward(t, picture);
    backward(t, picture, dlogits, d);
    if (is_the_library_s(t, picture, dlogits, d)) return r;
  }
  throw std::runtime_error("judge: the layers of src/layers.h are not Limulus's");
}

template <bool back>
std::vector<Record> make_two(Rng& rng) {
  const char* call = back ? "towers_backward" : "towers_forward";
  std::vector<Record> calls = {make_towers(rng, call)};
  calls.push_back(make_towers(rng, call));
  return calls;
}

Traffic towers_traffic(bool backward) {
  Traffic traffic(2);
  traffic.add(0, 1, 192);  // the picture
  for (const std::int64_t length : {2 * 64, 4 * 16, 6 * 4})
    for (const std::int64_t rank : {0, 1})
      for (int times = 0; times < (backward ? 2 : 1); ++times) traffic.add(rank, 1 - rank, length);
  traffic.add(1, 0, 5);  // half of the logits
  if (backward) traffic.add(0, 1, 5);
  return traffic;
}

void check_forward(const Record& in, const Record& out) {
  const Towers t = towers_of(in);
  compare_bits("rank 0's logits", Shape{10}, forward(t, floats(in.doubles("picture@0"))).logits,
               out.doubles("logits@0"));
  compare_traffic(towers_traffic(false), out);
}
void check_backward(const Record& in, const Record& out) {
  const Towers t = towers_of(in);
  const Floats picture = floats(in.doubles("picture@0"));
  Device d = forward(t, picture);
  backward(t, picture, floats(in.doubles("dlogits@0")), d);
  for (std::size_t i = 8; i-- > 0;)  // from the loss back: the first that is wrong says most
    for (std::size_t r = 0; r < 2; ++r) {
      const Halves& h = halves()[i];
      compare_bits("rank " + std::to_string(r) + "'s gradient of " + h.name, Shape(h.shape),
                   d.gradients[r].*h.member,
                   out.doubles(of_rank("d" + std::string(h.name), static_cast<std::int64_t>(r))));
    }
  compare_traffic(towers_traffic(true), out);
}

}  // namespace

std::vector<Case> tower_cases() {
  return {{"border", [](Rng& r) { return make_borders(r, "exchange", false); }, check_exchange},
          {"border_all", [](Rng& r) { return make_borders(r, "exchange", true); }, check_exchange},
          {"border_backward", [](Rng& r) { return make_borders(r, "exchange_backward", false); },
           check_exchange_backward},
          {"border_all_backward", [](Rng& r) { return make_borders(r, "exchange_backward", true); },
           check_exchange_backward},
          {"towers_forward", make_two<false>, check_forward},
          {"towers_backward", make_two<true>, check_backward}};
}

}  // namespace course
