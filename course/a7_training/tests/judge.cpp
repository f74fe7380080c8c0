// Assignment 7: first weights, the update rule and its rate, dropout. What is a matter of chance is
// judged by its distribution, all else by the library.
#include "judge.h"

#include <algorithm>
#include <iterator>

#include "backends/registry.h"
#include "judge_statistics.h"
#include "training/schedule.h"

namespace course {
namespace {

Record named(const char* call, const std::string& what) {
  Record r;
  r.put("call", std::string(call));
  r.put("what", call + (": " + what));
  return r;
}
std::int64_t new_seed(Rng& rng) { return between(rng, 0, 1000000); }

// ---- 7.1 -------------------------------------------------------------------------------------

std::vector<Record> make_weights(Rng& rng, const char* call) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const Integers shape = i % 2 == 0 ? Integers{between(rng, 40, 60), between(rng, 10, 20), 3, 5}
                                      : Integers{between(rng, 100, 150), between(rng, 200, 300)};
    Record r = named(call, "weight " + written(shape));
    r.put("shape", shape);
    r.put("seed", new_seed(rng));
    calls.push_back(r);
  }
  return calls;
}

// What every draw must fulfil, however it is distributed.
void check_draws(const Record& in, const Record& out, double deviation, double fourth_moment) {
  const Doubles& w = out.doubles("w");
  const double n = static_cast<double>(w.size());
  const std::string count = std::to_string(w.size());
  Rng library(static_cast<std::uint64_t>(in.integer("seed")));
  Integers words;
  for (int i = 0; i < 8; ++i) words.push_back(library.word());
  compare("the generator's words", words, out.integers("words"));
  const Moments m = moments(w);
  within("the mean of " + count + " weights", {0, deviation / std::sqrt(n)}, m.mean,
         written(deviation) + "/sqrt(" + count + ")");
  // The variance of a square is (fourth moment - 1) deviation^4.
  within("the deviation of " + count + " weights",
         {deviation, deviation * std::sqrt((fourth_moment - 1) / (4 * n))}, m.deviation,
         written(deviation) + " * sqrt(" + written((fourth_moment - 1) / 4) + "/" + count + ")");
  independent("neighbouring weights", {w.begin(), w.end() - 1}, {w.begin() + 1, w.end()});
  if (out.doubles("again") != w) throw Wrong("the same seed gave other weights");
  if (out.doubles("other") == w) throw Wrong("another seed gave the same weights");
  Doubles sorted = w;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw Wrong("the same number is there twice, as if it had been drawn once for two weights");
}

void check_share(const Doubles& w, double limit, double share, const std::string& what) {
  const double n = static_cast<double>(w.size());
  const auto below =
      std::count_if(w.begin(), w.end(), [&](double v) { return std::abs(v) < limit; });
  within(
      what, {share, std::sqrt(share * (1 - share) / n)}, static_cast<double>(below) / n,
      "sqrt(" + written(share) + " * " + written(1 - share) + "/" + std::to_string(w.size()) + ")");
}
void check_normal(const Record& in, const Record& out, double deviation) {
  check_draws(in, out, deviation, 3);
  const Doubles& w = out.doubles("w");
  check_share(w, deviation, std::erf(std::sqrt(0.5)), "the share of weights within one deviation");
  check_share(w, 2 * deviation, std::erf(std::sqrt(2)),
              "the share of weights within two deviations");
}

// fan_in, fan_out
std::pair<double, double> fans(const Integers& shape) {
  double taps = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) taps *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * taps, static_cast<double>(shape[0]) * taps};
}

void check_paper(const Record& in, const Record& out) { check_normal(in, out, 0.01); }
void check_he(const Record& in, const Record& out) {
  check_normal(in, out, std::sqrt(2 / fans(in.integers("shape")).first));
}
void check_xavier(const Record& in, const Record& out) {
  const auto [inputs, outputs] = fans(in.integers("shape"));
  const double deviation = std::sqrt(2 / (inputs + outputs)), end = std::sqrt(3) * deviation;
  check_draws(in, out, deviation, 1.8);
  const Doubles& w = out.doubles("w");
  for (const double v : w)
    if (std::abs(v) > end * (1 + 1e-12))
      throw Wrong("a weight is " + written(v) + "; uniform numbers of this variance end at " +
                  written(end));
  check_share(w, end / 2, 0.5, "the share of weights in the inner half");
}

std::vector<Record> make_bias(Rng&) {
  std::vector<Record> calls;
  for (const char* layer : {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"}) {
    calls.push_back(named("paper_bias", layer));
    calls.back().put("layer", std::string(layer));
  }
  return calls;
}
void check_bias(const Record& in, const Record& out) {
  const std::string& layer = in.text("layer");
  const bool one = layer.back() % 2 == 0 || layer == "conv5" || layer == "fc7";
  compare("the bias", Shape{}, {one && layer != "fc8" ? 1.0 : 0.0}, out.doubles("bias"));
}

std::vector<Record> make_fans(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 6; ++i) {
    Integers shape = {between(rng, 2, 9), between(rng, 10, 19)};
    if (i % 2 == 1) shape.insert(shape.end(), {between(rng, 2, 3), between(rng, 4, 5)});
    calls.push_back(named("fans", "weight " + written(shape)));
    calls.back().put("shape", shape);
  }
  return calls;
}
void check_fans(const Record& in, const Record& out) {
  const auto [inputs, outputs] = fans(in.integers("shape"));
  compare("fan_in", static_cast<std::int64_t>(inputs), out.integer("in"));
  compare("fan_out", static_cast<std::int64_t>(outputs), out.integer("out"));
}

// ---- 7.2 -------------------------------------------------------------------------------------

Record sgd_call(std::int64_t n, const Doubles& lr, double momentum, double decay) {
  const auto steps = static_cast<std::int64_t>(lr.size());
  Record r = named("sgd_step", std::to_string(n) + " weights, " + std::to_string(steps) +
                                   " steps, lr " + written(lr.front()) +
                                   (lr.front() != lr.back() ? " ... " + written(lr.back()) : "") +
                                   ", momentum " + written(momentum) + ", decay " + written(decay));
  r.put("lr", {steps}, lr);
  r.put("momentum", {}, {momentum});
  r.put("decay", {}, {decay});
  return r;
}

template <bool momentum, bool decay, bool many>
std::vector<Record> make_sgd(Rng& rng) {
  std::vector<Record> calls;
  if (many) {  // the handout's
    calls.push_back(sgd_call(1, {0.01, 0.01, 0.01}, 0.9, 0.0005));
    calls[0].put("w", {1}, {1});
    calls[0].put("v", {1}, {0});
    calls[0].put("g", {3, 1}, {2, 2, 2});
  }
  while (calls.size() < 5) {
    const std::int64_t n = between(rng, 1, 12), steps = many ? 6 : 1;
    Doubles lr = {rng.uniform(0.01, 0.2)};
    while (static_cast<std::int64_t>(lr.size()) < steps)
      lr.push_back(lr.size() == 3 ? lr.back() / 10 : lr.back());
    Record r = sgd_call(n, lr, momentum ? rng.uniform(0.5, 0.95) : 0,
                        decay ? rng.uniform(0.0005, 0.1) : 0);
    r.put("w", {n}, normal(rng, n));
    r.put("v", {n}, momentum ? normal(rng, n) : Doubles(static_cast<std::size_t>(n)));
    r.put("g", {steps, n}, normal(rng, steps * n));
    calls.push_back(r);
  }
  return calls;
}

void check_sgd(const Record& in, const Record& out) {
  Doubles w = in.doubles("w"), v = in.doubles("v"), all_w, all_v;
  const Doubles &lr = in.doubles("lr"), &g = in.doubles("g");
  limulus::Backend& library = limulus::device("reference");
  for (std::size_t step = 0; step < lr.size(); ++step) {
    library.sgd_step(limulus::DType::f64,
                     {static_cast<std::int64_t>(w.size()), lr[step], in.number("momentum"),
                      in.number("decay"), limulus::SgdRule::paper},
                     w.data(), g.data() + step * w.size(), v.data());
    all_w.insert(all_w.end(), w.begin(), w.end());
    all_v.insert(all_v.end(), v.begin(), v.end());
  }
  // Row k of both is what the arrays hold after step k.
  const Shape shape = {static_cast<std::int64_t>(lr.size()), static_cast<std::int64_t>(w.size())};
  compare("v", shape, all_v, out.doubles("v"), 1e-12);
  compare("w", shape, all_w, out.doubles("w"), 1e-12);
}

std::vector<Record> make_cosine(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t steps = i == 0 ? 4 : between(rng, 1, 40);
    const double lr = i == 0 ? 0.1 : rng.uniform(0.01, 0.5);
    calls.push_back(named("cosine_rate", "lr " + written(lr) + ", steps " + std::to_string(steps)));
    calls.back().put("lr", {}, {lr});
    calls.back().put("steps", steps);
  }
  return calls;
}
void check_cosine(const Record& in, const Record& out) {
  const std::int64_t steps = in.integer("steps");
  const limulus::Schedule library(in.number("lr"), {.kind = limulus::ScheduleKind::cosine}, steps);
  Doubles rates;
  for (std::int64_t i = 0; i < steps; ++i) rates.push_back(library.rate(i));
  compare("the rate of step ", Shape{steps}, rates, out.doubles("rates"));
}

std::vector<Record> make_plateau(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t patience = i + 1;
    Doubles errors;
    for (int epoch = 0; epoch < 24; ++epoch)  // in steps of 1 %, so that some are equal
      errors.push_back(static_cast<double>(between(rng, 2, 9) + std::max(0, 40 - 10 * epoch)) /
                       100);
    std::string text;
    for (const double e : errors) text += (text.empty() ? "" : ", ") + written(e);
    calls.push_back(
        named("plateau_rate", "patience " + std::to_string(patience) + ", errors " + text));
    calls.back().put("patience", patience);
    calls.back().put("errors", {24}, errors);
  }
  return calls;
}
void check_plateau(const Record& in, const Record& out) {
  limulus::Schedule library(0.01,
                            {.kind = limulus::ScheduleKind::plateau,
                             .patience = static_cast<int>(in.integer("patience"))},
                            1);
  Doubles rates;
  for (const double error : in.doubles("errors")) {
    library.after_epoch(error);
    rates.push_back(library.rate(0));
  }
  for (std::size_t i = 0; i < rates.size(); ++i)  // each by itself: they differ by powers of ten
    compare("the rate after epoch " + std::to_string(i), Shape{}, {rates[i]},
            {out.doubles("rates").at(i)});
}

// ---- 7.3 -------------------------------------------------------------------------------------

std::vector<Record> make_dropout(Rng& rng, std::int64_t rows, const Doubles& probabilities) {
  std::vector<Record> calls;
  for (const double p : probabilities) {
    const std::int64_t columns = rows == 1 ? between(rng, 5, 12) : 100;
    Record r = named("dropout_train",
                     "p " + written(p) + ", " + std::to_string(rows * columns) + " values");
    r.put("p", {}, {p});
    r.put("x", {rows, columns}, normal(rng, rows * columns));
    r.put("seed", new_seed(rng));
    calls.push_back(r);
  }
  return calls;
}
std::vector<Record> make_few(Rng& rng) { return make_dropout(rng, 1, {0.5, 0, 0.3, 0.8}); }
std::vector<Record> make_many(Rng& rng) { return make_dropout(rng, 200, {0.5, 0.2, 0.8, 0.35}); }

void check_values(const Record& in, const Record& out) {
  const Doubles &x = in.doubles("x"), &y = out.doubles("y"), &mask = out.doubles("mask");
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::string at = "[" + std::to_string(i) + "]";
    if (mask[i] != 0 && mask[i] != 1)
      throw Wrong("mask" + at + " is " + written(mask[i]) + ", and must be 0 or 1");
    if (mask[i] == 0 && in.number("p") == 0)
      throw Wrong("mask" + at + " is 0, although nothing is dropped with p = 0");
    if (y[i] != (mask[i] == 1 ? x[i] : 0))
      throw Wrong("y" + at + ": expected " + written(mask[i] == 1 ? x[i] : 0) + ", as x" + at +
                  " is " + written(x[i]) + " and mask" + at + " is " + written(mask[i]) + "; got " +
                  written(y[i]));
  }
}
void check_zeros(const Record& in, const Record& out) {
  const Doubles& mask = out.doubles("mask");
  const double n = static_cast<double>(mask.size()), p = in.number("p");
  within("the share of zeros among " + std::to_string(mask.size()) + " values",
         {p, std::sqrt(p * (1 - p) / n)},
         static_cast<double>(std::count(mask.begin(), mask.end(), 0.0)) / n,
         "sqrt(" + written(p) + " * " + written(1 - p) + "/" + std::to_string(mask.size()) + ")");
}
void check_masks(const Record& in, const Record& out) {
  check_zeros(in, out);
  const Doubles& mask = out.doubles("mask");
  if (out.doubles("again") != mask) throw Wrong("the same seed gave another mask");
  independent("this mask and that of the next call", mask, out.doubles("next"));
  independent("this mask and that of another seed", mask, out.doubles("other"));
  for (const std::ptrdiff_t apart : {1, 100})  // neighbours in a row, and in a column
    independent("values of the mask that are " + std::to_string(apart) + " apart",
                {mask.begin(), mask.end() - apart}, {mask.begin() + apart, mask.end()});
}

std::vector<Record> make_dropout_backward(Rng& rng) {
  std::vector<Record> calls;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t n = between(rng, 5, 12);
    Doubles mask = normal(rng, n);
    for (double& m : mask) m = m < 0 ? 0 : 1;
    calls.push_back(named("dropout_backward", std::to_string(n) + " values"));
    calls.back().put("dy", {n}, normal(rng, n));
    calls.back().put("mask", {n}, mask);
  }
  return calls;
}
void check_dropout_backward(const Record& in, const Record& out) {
  Doubles dx = in.doubles("dy");
  for (std::size_t i = 0; i < dx.size(); ++i)
    if (in.doubles("mask")[i] == 0) dx[i] = 0;
  compare("dx", Shape(in.shape("dy")), dx, out.doubles("dx"));
}

std::vector<Record> make_dropout_test(Rng& rng) {
  std::vector<Record> calls;
  for (const double p : {0.5, 0.2, 0.0, 0.9}) {
    const std::int64_t n = between(rng, 5, 12);
    calls.push_back(named("dropout_test", "p " + written(p)));
    calls.back().put("p", {}, {p});
    calls.back().put("x", {n}, normal(rng, n));
  }
  return calls;
}
void check_dropout_test(const Record& in, const Record& out) {
  Doubles y = in.doubles("x");
  for (double& value : y) value -= in.number("p") * value;
  compare("y", Shape(in.shape("x")), y, out.doubles("y"));
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list = {
        {"paper_weights", [](Rng& r) { return make_weights(r, "paper_weights"); }, check_paper},
        {"paper_bias", make_bias, check_bias},
        {"fans", make_fans, check_fans},
        {"he", [](Rng& r) { return make_weights(r, "he_weights"); }, check_he},
        {"xavier", [](Rng& r) { return make_weights(r, "xavier_weights"); }, check_xavier},
        {"update_plain", make_sgd<false, false, false>, check_sgd},
        {"update_momentum", make_sgd<true, false, false>, check_sgd},
        {"update_decay", make_sgd<false, true, false>, check_sgd},
        {"update_steps", make_sgd<true, true, true>, check_sgd},
        {"cosine", make_cosine, check_cosine},
        {"plateau", make_plateau, check_plateau},
        {"dropout_values", make_few, check_values},
        {"dropout_zeros", make_many, check_zeros},
        {"dropout_masks", make_many, check_masks},
        {"dropout_backward", make_dropout_backward, check_dropout_backward},
        {"dropout_test", make_dropout_test, check_dropout_test}};
    for (auto part : {picture_cases(), network_cases()})
      std::move(part.begin(), part.end(), std::back_inserter(list));
    return list;
  }();
  return all;
}

}  // namespace course
