// What the judge can call of assignment 8: without ranks, and as one of several.
#include "runner.h"

#include <algorithm>
#include <limits>

#include "machines.h"
#include "model.h"
#include "towers.h"

namespace course {
namespace {

Floats floats(const Doubles& values) { return {values.begin(), values.end()}; }

// A result: NaN before the call. Writing outside of a span is what its assertions notice.
Floats room(std::int64_t count) {
  return Floats(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN());
}
void put(Record& out, const std::string& name, const Floats& values) {
  out.put(name, {static_cast<std::int64_t>(values.size())}, {values.begin(), values.end()});
}
Rank rank_of(const Record& in) { return {in.integer("rank"), in.integer("ranks")}; }

// ---- 8.1 and 8.2 -----------------------------------------------------------------------------

void call_crossing(const Record& in, Record& out) {
  const Integers& v = in.integers("numbers");
  Layer layer;
  layer.kind = v[0] < 2    ? Kind::kConvolution
               : v[0] == 2 ? Kind::kNormalization
                           : Kind::kFullyConnected;
  layer.channels = v[1], layer.h = v[2], layer.w = v[3];
  layer.groups = v[0] == 1 ? 2 : 1;
  layer.window = v[0] == 2 ? v[4] : 1;
  out.put("values", crossing(layer, v[5]));
}
void put_sent(Record& out, const Sent& sent) {
  out.put("messages", sent.messages);
  out.put("values", sent.values);
}
void call_sent_gather(const Record& in, Record& out) {
  const Integers& v = in.integers("numbers");
  put_sent(out, sent_by_gather(v[0], v[1], v[2]));
}
void call_sent_ring(const Record& in, Record& out) {
  const Integers& v = in.integers("numbers");
  put_sent(out, sent_by_ring(v[0], v[1], v[2]));
}
void call_costs(const Record& in, Record& out) {
  const Integers& v = in.integers("numbers");
  const Costs costs = costs_of_cuts(v[0], v[1], v[2], v[3]);
  out.put("pictures", costs.pictures);
  out.put("outputs", costs.outputs);
}

void call_order(const Record& in, Record& out) {
  const std::array<float, 3> y = order_matters(static_cast<float>(in.number("x")));
  put(out, "y", {y.begin(), y.end()});
}
void call_sum(const Record& in, Record& out, void (*sum)(std::int64_t, In, Out)) {
  const Sizes& shape = in.shape("x");
  Floats y = room(shape[1]);
  sum(shape[0], floats(in.doubles("x")), y);
  put(out, "y", y);
}
void call_in_order(const Record& in, Record& out) { call_sum(in, out, sum_in_order); }
void call_tree(const Record& in, Record& out) { call_sum(in, out, sum_tree); }

// ---- 8.3 and 8.4 -----------------------------------------------------------------------------

void call_reduce(const Record& in, Record& out, void (*reduce)(Rank&, Out)) {
  Rank me = rank_of(in);
  Floats values = floats(in.doubles("x"));
  reduce(me, values);
  put(out, "y", values);
}
void call_gather(const Record& in, Record& out) { call_reduce(in, out, all_reduce_gather); }
void call_ring(const Record& in, Record& out) { call_reduce(in, out, all_reduce_ring); }
void call_owners(const Record& in, Record& out) { call_reduce(in, out, all_reduce_owners); }
void call_broadcast(const Record& in, Record& out) { call_reduce(in, out, broadcast); }

// ---- 8.5 and 8.6 -----------------------------------------------------------------------------

void call_exchange(const Record& in, Record& out) {
  const Integers& v = in.integers("sizes");
  Rank me = rank_of(in);
  Floats seen = room((v[0] + v[1]) * v[2]);
  exchange(me, v[1], v[2], floats(in.doubles("x")), seen);
  put(out, "y", seen);
}
void call_exchange_backward(const Record& in, Record& out) {
  const Integers& v = in.integers("sizes");
  Rank me = rank_of(in);
  Floats dx = room(v[0] * v[2]);
  exchange_backward(me, v[1], v[2], floats(in.doubles("x")), dx);
  put(out, "y", dx);
}

constexpr std::array<std::pair<Floats Tower::*, const char*>, 8> kWeightsOfTower = {
    {{&Tower::w1, "w1"},
     {&Tower::b1, "b1"},
     {&Tower::w2, "w2"},
     {&Tower::b2, "b2"},
     {&Tower::w3, "w3"},
     {&Tower::b3, "b3"},
     {&Tower::w4, "w4"},
     {&Tower::b4, "b4"}}};

struct Pass {  // forward
  Rank me;
  Tower weights;
  Kept kept;
  Floats logits;
  explicit Pass(const Record& in) : me(rank_of(in)) {
    for (const auto& [member, name] : kWeightsOfTower) weights.*member = floats(in.doubles(name));
    const Floats picture = me.index() == 0 ? floats(in.doubles("picture")) : Floats();
    if (me.index() == 0) logits = room(10);
    towers_forward(me, weights, picture, kept, logits);
  }
};
void call_forward(const Record& in, Record& out) { put(out, "logits", Pass(in).logits); }
void call_backward(const Record& in, Record& out) {
  Pass pass(in);
  Tower gradients;
  for (const auto& [member, name] : kWeightsOfTower)
    gradients.*member = room(static_cast<std::int64_t>((gradients.*member).size()));
  const Floats dlogits = pass.me.index() == 0 ? floats(in.doubles("dlogits")) : Floats();
  towers_backward(pass.me, pass.weights, pass.kept, dlogits, gradients);
  for (const auto& [member, name] : kWeightsOfTower)
    put(out, "d" + std::string(name), gradients.*member);
}

// ---- 8.7 -------------------------------------------------------------------------------------

Rule rule_of(const Record& in) {
  const Floats v = floats(in.doubles("rule"));
  return {v[0], v[1], v[2]};
}
void call_step(const Record& in, Record& out) {
  Rank me = rank_of(in);
  Floats w = floats(in.doubles("w")), v = floats(in.doubles("v"));
  const float loss = data_parallel_step(me, rule_of(in), floats(in.doubles("pictures")),
                                        in.integers("labels"), w, v);
  put(out, "w", w);
  put(out, "v", v);
  put(out, "loss", {loss});
}
void call_training(const Record& in, Record& out) {
  Rank me = rank_of(in);
  Floats w = in.has("w") ? floats(in.doubles("w")) : room(kWeights);
  data_parallel_training(me, rule_of(in), in.integer("steps"), floats(in.doubles("pictures")),
                         in.integers("labels"), w);
  put(out, "w", w);
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {{"crossing", call_crossing},
                                                    {"sent_by_gather", call_sent_gather},
                                                    {"sent_by_ring", call_sent_ring},
                                                    {"costs_of_cuts", call_costs},
                                                    {"order_matters", call_order},
                                                    {"sum_in_order", call_in_order},
                                                    {"sum_tree", call_tree},
                                                    {"broadcast", call_broadcast},
                                                    {"all_reduce_gather", call_gather},
                                                    {"all_reduce_ring", call_ring},
                                                    {"all_reduce_owners", call_owners},
                                                    {"exchange", call_exchange},
                                                    {"exchange_backward", call_exchange_backward},
                                                    {"towers_forward", call_forward},
                                                    {"towers_backward", call_backward},
                                                    {"data_parallel_step", call_step},
                                                    {"data_parallel_training", call_training}};
  return table;
}

}  // namespace course
