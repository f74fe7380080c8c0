// Assignment 8, task 8.7: steps on several ranks have the bits of steps on one device.
#include "judge_bits.h"
#include "model.h"

namespace course {
namespace {

Record make_training(Rng& rng, const char* call, std::int64_t ranks, std::int64_t count,
                     std::int64_t steps) {
  Record r = named(call, std::to_string(ranks) + (ranks == 1 ? " rank" : " ranks") + ", " +
                             std::to_string(count) + " pictures each" +
                             (steps > 1 ? ", " + std::to_string(steps) + " steps" : ""));
  r.put("ranks", ranks);
  r.put("steps", steps);
  const auto weights = [&] {
    Doubles w = normal(rng, static_cast<std::int64_t>(kWeights));
    for (double& v : w) v = static_cast<float>(0.3 * v);
    return w;
  };
  const bool training = std::string(call) == "data_parallel_training";
  r.put(training ? "w@0" : "w", {static_cast<std::int64_t>(kWeights)}, weights());
  if (!training) {  // small: what the sum of the gradients has in its last place, v has, too
    Doubles v = weights();
    for (double& value : v) value = static_cast<float>(0.001 * value);
    r.put("v", {static_cast<std::int64_t>(kWeights)}, v);
  }
  r.put("rule", {3},
        doubles({static_cast<float>(rng.uniform(0.01, 0.1)), static_cast<float>(0.9),
                 static_cast<float>(rng.uniform(0.0005, 0.01))}));
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    Doubles pictures = normal(rng, steps * count * static_cast<std::int64_t>(kPicture));
    r.put(of_rank("pictures", rank), {steps * count, static_cast<std::int64_t>(kPicture)},
          doubles(floats(pictures)));
    Integers labels;
    while (static_cast<std::int64_t>(labels.size()) < steps * count)
      labels.push_back(between(rng, 0, 2));
    r.put(of_rank("labels", rank), labels);
  }
  return r;
}

std::vector<Record> make_step_two(Rng& rng) {
  return {make_training(rng, "data_parallel_step", 2, 8, 1),
          make_training(rng, "data_parallel_step", 1, 16, 1)};
}
std::vector<Record> make_step(Rng& rng) {
  return {make_training(rng, "data_parallel_step", 3, 8, 1),
          make_training(rng, "data_parallel_step", 4, 8, 1),
          make_training(rng, "data_parallel_step", 3, 1, 1)};
}
std::vector<Record> make_steps(Rng& rng) {
  return {make_training(rng, "data_parallel_training", 3, 8, 4),
          make_training(rng, "data_parallel_training", 4, 8, between(rng, 3, 5))};
}

// A step of one device, which has all pictures: the ranks' one behind the other.
float one_step(const Record& in, std::int64_t step, Floats& w, Floats& v) {
  const Doubles& numbers = in.doubles("rule");
  const Rule rule = {static_cast<float>(numbers[0]), static_cast<float>(numbers[1]),
                     static_cast<float>(numbers[2])};
  std::vector<Floats> rows;
  for (std::int64_t rank = 0; rank < in.integer("ranks"); ++rank) {
    const Floats pictures = floats(in.doubles(of_rank("pictures", rank)));
    const Integers& labels = in.integers(of_rank("labels", rank));
    const std::size_t count = labels.size() / static_cast<std::size_t>(in.integer("steps"));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t n = static_cast<std::size_t>(step) * count + i;
      Floats row(kWeights + 1);
      row[kWeights] = gradient(w, In(pictures).subspan(n * kPicture, kPicture), labels[n],
                               Out(row).first(kWeights));
      rows.push_back(row);
    }
  }
  const Floats total = tree(rows);
  const auto batch = static_cast<std::int64_t>(rows.size());
  update(rule, batch, In(total).first(kWeights), w, v);
  return total[kWeights] / static_cast<float>(batch);
}

// An all-reduce by owners for each step; before the first, rank 0's weights to all if they are to
// be.
Traffic traffic_of(const Record& in, bool broadcast) {
  const std::int64_t ranks = in.integer("ranks"), n = static_cast<std::int64_t>(kWeights) + 1;
  Traffic traffic(ranks);
  const auto length = [&](std::int64_t p) { return (p + 1) * n / ranks - p * n / ranks; };
  for (std::int64_t r = 0; r < ranks; ++r)
    for (std::int64_t s = 0; s < ranks; ++s) {
      if (r == s) continue;
      for (std::int64_t step = 0; step < in.integer("steps"); ++step)
        traffic.add(r, s, length(s)), traffic.add(r, s, length(r));
      if (broadcast && r == 0) traffic.add(0, s, static_cast<std::int64_t>(kWeights));
    }
  return traffic;
}

void compare_all(const Record& out, std::int64_t ranks, const std::string& name,
                 const Floats& expected) {
  for (std::int64_t r = 0; r < ranks; ++r)
    compare_bits("rank " + std::to_string(r) + "'s " + name,
                 Shape{static_cast<std::int64_t>(expected.size())}, expected,
                 out.doubles(of_rank(name, r)));
}

void check_step(const Record& in, const Record& out) {
  const std::int64_t ranks = in.integer("ranks");
  Floats w = floats(in.doubles("w")), v = floats(in.doubles("v"));
  const float loss = one_step(in, 0, w, v);
  compare_all(out, ranks, "v", v);
  compare_all(out, ranks, "w", w);
  compare_all(out, ranks, "loss", {loss});
  compare_traffic(traffic_of(in, false), out);
}
void check_training(const Record& in, const Record& out) {
  Floats w = floats(in.doubles("w@0")), v(w.size());
  for (std::int64_t step = 0; step < in.integer("steps"); ++step) one_step(in, step, w, v);
  compare_all(out, in.integer("ranks"), "w", w);
  compare_traffic(traffic_of(in, true), out);
}

}  // namespace

std::vector<Case> step_cases() {
  return {{"step_two", make_step_two, check_step},
          {"step_many", make_step, check_step},
          {"training", make_steps, check_training}};
}

}  // namespace course
