// The learning-rate sweep: what it reads from losses that are known, and from a real network.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "core/error.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/rate_sweep.h"
#include "training/report/rate_page.h"

using namespace limulus;

namespace {

// The sweep of a network whose loss at each rate is `loss(log10 rate)`.
RateSweep swept(const std::function<double(double)>& loss, double start = 2.3) {
  const RateSweepOptions o;
  RateSweep sweep;
  sweep.start = start;
  sweep.set = 100;
  for (const double rate : rates_of(o))
    if (!add_rate(sweep, rate, loss(std::log10(rate)), o)) break;
  conclude(sweep, o);
  return sweep;
}

// Falls around 10^-3, is flat from 10^-2 on, and grows a hundredfold per decade above 10^0.
double typical(double x) {
  return 1.4 + 0.9 / (1 + std::exp(8 * (x + 3))) + std::pow(10.0, 2 * (x - 0.2));
}

TrainerOptions into(const std::filesystem::path& out) {
  TrainerOptions o;
  o.out = out;
  o.checkpoint_seconds = 1e9;
  return o;
}

}  // namespace

TEST_CASE("rates grow by the same factor") {
  const auto rates = rates_of({});
  REQUIRE(rates.size() == 121);
  CHECK(rates.front() == 1e-5);
  CHECK(rates.back() == doctest::Approx(10));
  for (std::size_t i = 1; i < rates.size(); ++i)
    CHECK(rates[i] / rates[i - 1] == doctest::Approx(std::pow(10.0, 0.05)));
  CHECK_THROWS_AS(rates_of({.lowest = 0}), ValueError);
  CHECK_THROWS_AS(rates_of({.lowest = 1, .highest = 1}), ValueError);
  CHECK_THROWS_AS(rates_of({.highest = INFINITY}), ValueError);
  CHECK_THROWS_AS(rates_of({.steps = 1}), ValueError);
  CHECK_THROWS_AS(rates_of({.lowest = NAN}), ValueError);
}

TEST_CASE("the smoothed loss is the weighted mean of the last ones") {
  const RateSweepOptions o = {.keep = 0.5};
  RateSweep sweep;
  sweep.start = 9;
  for (const double loss : {4.0, 2.0, 1.0}) add_rate(sweep, 1, loss, o);
  CHECK(sweep.steps[0].smoothed == 4);
  CHECK(sweep.steps[1].smoothed == doctest::Approx((0.5 * 4 + 2) / 1.5));
  CHECK(sweep.steps[2].smoothed == doctest::Approx((0.25 * 4 + 0.5 * 2 + 1) / 1.75));
}

TEST_CASE("the steepest fall is found where it is, without the mean's delay") {
  const RateSweep s = swept(typical);
  REQUIRE(s.steepest);
  CHECK(std::log10(s.steps[*s.steepest].rate) == doctest::Approx(-3).epsilon(0.03));
  CHECK(s.blew_up);
  CHECK(s.reason == RateReason::steepest);
  CHECK(s.suggestion == doctest::Approx(0.001).epsilon(0.2));
  CHECK(s.steps.back().smoothed > 4 * s.steps[*s.least].smoothed);
  CHECK(s.steps.size() < 121);  // what comes behind is not tried
}

TEST_CASE("where the fall comes late, a tenth of the blow-up is the more careful rate") {
  const RateSweep s = swept([](double x) {  // falls at 10^-0.7, and blows up at once
    return x < 0 ? 2.3 - 0.8 / (1 + std::exp(-12 * (x + 0.7))) : 1000;
  });
  REQUIRE(s.steepest);
  CHECK(s.blew_up);
  CHECK(s.reason == RateReason::tenth_of_blow_up);
  CHECK(s.suggestion == doctest::Approx(s.steps.back().rate / 10).epsilon(0.05));
}

TEST_CASE("a loss that never blows up, and one that does nothing") {
  const RateSweep falls = swept([](double x) { return 2.3 - 0.2 * (x + 5); });
  CHECK_FALSE(falls.blew_up);
  CHECK(falls.steps.size() == 121);
  CHECK(falls.reason == RateReason::steepest);
  CHECK(rates_told(falls, {}).find("has not blown up at any rate to 10") != std::string::npos);
  // Noise alone falls somewhere by chance: not three times its error.
  const RateSweep flat = swept([](double x) { return 2.3 + 0.2 * std::sin(1e4 * x); });
  CHECK_FALSE(flat.steepest);
  CHECK(flat.reason == RateReason::none);
  CHECK(flat.suggestion == 0);
  CHECK(rate_suggested(flat).find("none: in so short a sweep the loss neither falls clearly") == 0);
}

TEST_CASE("a loss that falls nowhere clearly and blows up: a tenth of that, at most") {
  const RateSweep s =
      swept([](double x) { return x < 0.5 ? 2.3 + 0.2 * std::sin(1e4 * x) : 1000.0; });
  CHECK_FALSE(s.steepest);
  CHECK(s.suggestion == doctest::Approx(s.steps.back().rate / 10).epsilon(0.05));
  CHECK(rate_suggested(s).find(" at most: a tenth of the rate") != std::string::npos);
}

TEST_CASE("a loss near nothing does not blow up by noise: it has to exceed the start's") {
  const RateSweep s = swept([](double x) { return x < -3 ? 2.3 : 0.001 + 0.5 * (x > -1); });
  CHECK_FALSE(s.blew_up);
}

TEST_CASE("a loss that becomes no number ends the sweep, and is told") {
  const RateSweep s = swept([](double x) { return x < 0 ? typical(x) : NAN; });
  CHECK(s.blew_up);
  CHECK(std::isnan(s.steps.back().loss));
  CHECK(s.suggestion > 0);
  CHECK(rates_told(s, {}).find("to no number any more") != std::string::npos);
  const std::string page = rate_page(s, {}, TrainConfig(), "limulus");
  for (const char* no_number : {">nan", " nan", "\"nan", "inf "}) CHECK_FALSE(has(page, no_number));
}

TEST_CASE("a real network: a suggestion, a page, and no checkpoint") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  Trainer t(config, into(folder.path / "out"));
  int seen = 0;
  const RateSweep s = sweep_rates(t, {}, [&](const RateSweep&) { ++seen; });
  CHECK(seen == static_cast<int>(s.steps.size()));
  CHECK(s.batches == seen + 1);
  CHECK(s.images == 8 * s.batches);
  CHECK(s.set == 40);
  CHECK(s.steepest);
  CHECK(s.suggestion > 1e-4);
  CHECK(s.suggestion < 1);
  CHECK(std::filesystem::is_empty(folder.path / "out"));
  const std::string page = rate_page(s, {}, config, "limulus train --find-rate");
  for (const char* part : {"<svg", "suggested", "limulus train --find-rate", "5 passes"})
    CHECK(page.find(part == std::string("5 passes") ? "passes over its 40" : part) !=
          std::string::npos);
  // The same sweep again has the same bits.
  Trainer again(config, into(folder.path / "out"));
  const RateSweep other = sweep_rates(again);
  REQUIRE(other.steps.size() == s.steps.size());
  for (std::size_t i = 0; i + 1 < s.steps.size(); ++i)
    CHECK(other.steps[i].loss == s.steps[i].loss);
}

TEST_CASE("errors: too few pictures, and a loss that blows up at once") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  config.batch = 41;
  Trainer few(config, into(folder.path / "out"));
  CHECK(has(message_of<FileError>([&] { sweep_rates(few); }),
            "has 40 usable images, fewer than a batch of 41: every step would see all of them"));
  config.batch = 8;
  Trainer wild(config, into(folder.path / "out"));
  CHECK(has(message_of<Error>([&] { sweep_rates(wild, {.lowest = 1e6, .highest = 1e7}); }),
            "at the lowest rate, 1e+06: no rate of this sweep is small enough"));
  Trainer broken(config, into(folder.path / "out"));
  const NoGrad in_place;
  Tensor w = broken.model().parameters()[0].second;
  w.copy_(Tensor::full(w.shape(), NAN, w.dtype(), w.backend()));
  CHECK(has(message_of<Error>([&] { sweep_rates(broken); }), "before any step was made"));
}
