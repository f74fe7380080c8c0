// The update rules, the schedules and the metrics against numbers worked out by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "backends/registry.h"
#include "core/error.h"
#include "training/metrics.h"
#include "training/schedule.h"
#include "training/sgd.h"

using namespace limulus;

namespace {

// One weight that begins at 1 and has the gradient 0.5 in every step.
std::vector<double> two_steps(SgdOptions options, double second_lr) {
  Tensor w = Tensor::from(std::vector<double>{1.0}, {1}, device("cpu"));
  w.set_requires_grad();
  Sgd sgd({{"w", w}}, options);
  std::vector<double> values;
  for (const double lr : {options.lr, second_lr}) {
    sgd.set_lr(lr);
    w.set_grad(Tensor::full({1}, 0.5, DType::f64, device("cpu")));
    sgd.step();
    values.push_back(w.item());
  }
  return values;
}

}  // namespace

TEST_CASE("the paper's rule: v <- m v - d lr w - lr g, w <- w + v") {
  // v1 = -0.1*0.01*1 - 0.1*0.5 = -0.051            w1 = 0.949
  // v2 = 0.9*(-0.051) - 0.1*0.01*0.949 - 0.05 = -0.096849   w2 = 0.852151
  const auto w = two_steps({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}, 0.1);
  CHECK(w[0] == doctest::Approx(0.949).epsilon(1e-14));
  CHECK(w[1] == doctest::Approx(0.852151).epsilon(1e-14));
}

TEST_CASE("PyTorch's rule: v <- m v + (g + d w), w <- w - lr v") {
  // v1 = 0.5 + 0.01 = 0.51          w1 = 0.949
  // v2 = 0.459 + 0.5 + 0.00949 = 0.96849   w2 = 0.949 - 0.01*0.96849 = 0.9393151
  const auto w =
      two_steps({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .rule = SgdRule::pytorch}, 0.01);
  CHECK(w[0] == doctest::Approx(0.949).epsilon(1e-14));
  CHECK(w[1] == doctest::Approx(0.9393151).epsilon(1e-14));
}

TEST_CASE("the two rules part when the rate changes") {
  // paper: v2 = 0.9*(-0.051) - 0.01*0.01*0.949 - 0.01*0.5 = -0.0509949   w2 = 0.8980051
  const auto w = two_steps({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}, 0.01);
  CHECK(w[1] == doctest::Approx(0.8980051).epsilon(1e-14));
}

TEST_CASE("a parameter without a gradient stays as it is") {
  Tensor w = Tensor::from(std::vector<float>{1, 2}, {2}, device("cpu"));
  w.set_requires_grad();
  Sgd sgd({{"w", w}}, {});
  sgd.step();
  CHECK(w.to_vector<float>() == std::vector<float>{1, 2});
}

TEST_CASE("impossible settings are refused, with the range") {
  CHECK_THROWS_WITH_AS(Sgd({}, {.lr = -1}), "sgd: the learning rate is -1, but must be at least 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(Sgd({}, {.momentum = 1}), "sgd: momentum is 1, but must be in [0, 1)",
                       ValueError);
  CHECK_THROWS_AS(Sgd({}, {.weight_decay = std::nan("")}), ValueError);
}

TEST_CASE("schedules") {
  SUBCASE("step divides at its milestones") {
    const Schedule s(0.1, {.kind = ScheduleKind::step, .milestones = {0.5, 0.75}}, 100);
    CHECK(s.rate(0) == doctest::Approx(0.1));
    CHECK(s.rate(49) == doctest::Approx(0.1));
    CHECK(s.rate(50) == doctest::Approx(0.01));
    CHECK(s.rate(75) == doctest::Approx(0.001));
  }
  SUBCASE("cosine halves in the middle and ends near zero, after a rise from zero") {
    const Schedule s(0.1, {.kind = ScheduleKind::cosine, .warmup = 0.1}, 100);
    CHECK(s.rate(0) == doctest::Approx(0.1 / 11));
    CHECK(s.rate(9) == doctest::Approx(0.1 * 10 / 11));
    CHECK(s.rate(10) == doctest::Approx(0.1));
    CHECK(s.rate(55) == doctest::Approx(0.05));
    CHECK(s.rate(99) < 0.0001);
  }
  SUBCASE("plateau divides after `patience` epochs without a better error") {
    Schedule s(0.1, {.kind = ScheduleKind::plateau, .patience = 2}, 100);
    for (const double error : {0.8, 0.7, 0.7}) s.after_epoch(error);
    CHECK(s.rate(3) == doctest::Approx(0.1));
    s.after_epoch(0.75);
    CHECK(s.rate(4) == doctest::Approx(0.01));
    for (const double error : {0.6, 0.65, 0.65}) s.after_epoch(error);
    CHECK(s.rate(7) == doctest::Approx(0.001));
  }
  SUBCASE("words") {
    CHECK(parse_schedule("plateau") == ScheduleKind::plateau);
    CHECK_THROWS_WITH_AS(
        parse_schedule("cosin"),
        "schedule: there is no 'cosin'; did you mean 'cosine'? There are constant, step, cosine, "
        "plateau",
        ValueError);
  }
}

TEST_CASE("top-k takes the smaller index of equal scores, and never a NaN before a number") {
  const float scores[] = {0.1F, 0.5F, std::numeric_limits<float>::quiet_NaN(), 0.5F, -1};
  CHECK(top_k(scores, 5, 3) == std::vector<std::int64_t>{1, 3, 0});
  CHECK(top_k(scores, 5, 9).size() == 5);
}

TEST_CASE("metrics count top-1, top-5 and who is taken for whom") {
  Metrics m(6);
  const float scores[] = {9, 1, 2, 3, 4, 5,   // guess 0; class 1 is last
                          0, 9, 2, 3, 4, 5};  // guess 1
  const std::int64_t labels[] = {1, 1};
  m.add(scores, labels, 2);
  CHECK(m.top1() == doctest::Approx(0.5));
  CHECK(m.top5() == doctest::Approx(0.5));
  CHECK(m.confusion(1, 0) == 1);
  CHECK(m.confusion(1, 1) == 1);
  CHECK(m.confusions().size() == 2);
  CHECK(std::isnan(Metrics(6).top1()));
  CHECK(std::isnan(Metrics(6).top5()));
  const std::int64_t wrong[] = {6};
  CHECK_THROWS_WITH_AS(m.add(scores, wrong, 1), "metrics: label 6 is not one of 6 classes",
                       ValueError);
}

TEST_CASE("metrics of 200,000 classes take the memory of the images, not of the square") {
  const std::int64_t classes = 200'000;
  Metrics m(classes);
  std::vector<float> scores(static_cast<std::size_t>(classes));
  scores[199'999] = 1;
  for (const std::int64_t label : {std::int64_t{199'999}, std::int64_t{7}})
    m.add(scores.data(), &label, 1);
  CHECK(m.top1() == doctest::Approx(0.5));
  CHECK(m.confusion(7, 199'999) == 1);
  CHECK(m.confusion(8, 199'999) == 0);
  CHECK(m.confusions().size() == 2);
}
