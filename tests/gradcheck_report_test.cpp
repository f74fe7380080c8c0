// What a gradient check tells besides its verdict: where the errors are, how they are distributed,
// the V of the step; and the ways in which it refuses to be fooled.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/autograd.h"
#include "core/rng.h"
#include "gradcheck/cases/mutations.h"
#include "gradcheck/gradcheck.h"
#include "gradcheck/layer.h"
#include "gradcheck/page.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/max_pool2d.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

using Values = std::vector<double>;
using Inputs = std::vector<Tensor>;

Backend& reference() { return device("reference"); }

Tensor normal(const Shape& shape, std::uint64_t stream) {
  Tensor t = Tensor::empty(shape, DType::f64, reference());
  Rng rng(5, stream);
  fill_normal(t, 0, 1, rng);
  return t;
}

const Mutation& mutation(const std::string& name) {
  const auto found = std::find_if(mutations().begin(), mutations().end(),
                                  [&](const Mutation& m) { return m.name == name; });
  REQUIRE(found != mutations().end());
  return *found;
}

// y = x^2 whose gradient is wrong in one element.
struct OneWrong : Op {
  explicit OneWrong(std::size_t i) : at(i) {}
  const char* name() const override { return "one wrong"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x] = saved<1>();
    Values d = dy.to_vector<double>();
    const Values v = x.to_vector<double>();
    for (std::size_t i = 0; i < d.size(); ++i) d[i] *= (i == at ? 2.5 : 2) * v[i];
    return {Tensor::from(d, x.shape(), x.backend())};
  }
  std::size_t at;
};

}  // namespace

TEST_CASE("one wrong entry among 20,000 that were not compared one by one is found") {
  const auto f = [](std::size_t at) {
    return [at](const Inputs& in) {
      return record<OneWrong>(square(in[0].detach()), {in[0]}, {in[0]}, at);
    };
  };
  const Tensor x = normal({100, 200}, 1);
  const GradcheckReport r = gradcheck(f(7777), {{"x", x}});
  CHECK(r.tensors[0].wrong == 0);
  CHECK(r.verdict() == GradcheckVerdict::wrong);
  CHECK(r.tensors[0].together_error > 1e-4);
  CHECK(has(r.tensors[0].diagnosis, "along one direction through all 20000"));
  const GradcheckReport right = gradcheck(f(20000), {{"x", x}});
  CHECK_MESSAGE(right.ok(), right.text());
  CHECK(right.tensors[0].together_error < 1e-9);
}

TEST_CASE("of a large tensor every channel, row and column is compared") {
  GradcheckOptions options;
  options.show = 1000;
  const GradcheckReport r = gradcheck([](const Inputs& in) { return square(in[0]); },
                                      {{"x", normal({50, 3, 17, 40}, 1)}}, options);
  CHECK(r.tensors[0].compared == 200);
  for (int axis = 0; axis < 4; ++axis) {
    std::vector<int> seen(static_cast<std::size_t>(r.tensors[0].shape[axis]));
    for (const GradcheckEntry& e : r.tensors[0].worst)
      ++seen[static_cast<std::size_t>(e.index[static_cast<std::size_t>(axis)])];
    CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
  }
}

TEST_CASE("kinks are seen where another element becomes the maximum, exactly or nearly") {
  // Two windows of two: one tie, and one that is decided by less than the step.
  const Tensor x = Tensor::from(Values{1, 1, 0.5, 0.5 + 1e-5}, {1, 1, 1, 4}, reference());
  const GradcheckReport r = gradcheck(
      [](const Inputs& in) {
        return max_pool2d(in[0], {.kernel = {1, 2}, .stride = Size2d(1, 2)});
      },
      {{"x", x}});
  CHECK_MESSAGE(r.ok(), r.text());
  CHECK(r.tensors[0].skipped == 2);
  CHECK(r.tensors[0].compared == 2);
  for (const GradcheckEntry& e : r.tensors[0].worst) CHECK(e.step < 1e-5);
}

TEST_CASE("rounding inside of a function is not taken for a wrong gradient") {
  // The loss is log(1 + z) with a z of 1e-9: its rounding is that of the 1.
  const Tensor x = Tensor::from(Values{20, 0, -5, -10}, {1, 4}, reference());
  const Tensor label = Tensor::from(std::vector<std::int64_t>{0}, {1}, reference());
  const GradcheckReport r = gradcheck([](const Inputs& in) { return cross_entropy(in[0], in[1]); },
                                      {{"x", x}, {"label", label}});
  CHECK_MESSAGE(r.ok(), r.text());
}

TEST_CASE("a gradient that was added to fresh memory is told apart from one that was not written") {
  CHECK(check_mutation(mutation("conv2d-w-accumulated")).tensors[1].mistake == "accumulated");
  CHECK(check_mutation(mutation("conv2d-x-unwritten")).tensors[0].mistake == "unwritten");
}

TEST_CASE("a histogram counts each compared entry once") {
  const GradcheckReport r = check_mutation(mutation("avg_pool2d-inside"));
  const GradcheckTensor& t = r.tensors[0];
  CHECK(std::accumulate(t.histogram.begin(), t.histogram.end(), std::int64_t{0}) == t.compared);
  // Right ones are below 1e-10, wrong ones above 1e-6, and there is nothing in between.
  CHECK(std::accumulate(t.histogram.begin() + 11, t.histogram.end(), std::int64_t{0}) == t.wrong);
  CHECK(std::accumulate(t.histogram.begin() + 7, t.histogram.begin() + 11, std::int64_t{0}) == 0);
}

TEST_CASE("maps say where in a weight the errors are: which taps, which filters and channels") {
  const GradcheckReport r = check_mutation(mutation("conv2d-w-group"));
  const GradcheckTensor& t = r.tensors[1];  // [6, 2, 3, 3], of which filters 3 to 5 are zero
  REQUIRE(t.maps.size() == 2);
  const GradcheckMap &taps = t.maps[0], &filters = t.maps[1];
  CHECK(taps.row_axis == 2);
  CHECK(taps.rows * taps.columns == 9);
  CHECK(filters.row_axis == 0);
  CHECK(filters.column_axis == 1);
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(taps.compared[i] == 12);
    CHECK(taps.wrong[i] == 6);
  }
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(filters.wrong[i] == (i < 6 ? 0 : 9));
    CHECK((filters.error[i] > 0.9) == (i >= 6));
  }
  CHECK(has(r.text(), "    ..\n    ..\n    ..\n    ##\n    ##\n    ##\n"));
}

TEST_CASE("the error over the step is a V, and its bottom is the mistake where there is one") {
  GradcheckOptions options;
  options.curves = true;
  const auto curve = [&](double factor) {
    return gradcheck(
               [=](const Inputs& in) {
                 const Tensor y = exp(in[0]);
                 return y * factor + y.detach() * (1 - factor);
               },
               {{"x", Tensor::from(Values{0.3}, {1}, reference())}}, options)
        .tensors[0]
        .curve;
  };
  const GradcheckCurve right = curve(1), wrong = curve(1.001);
  REQUIRE(right.step.size() == 28);
  CHECK(right.step.front() == doctest::Approx(0.1));
  CHECK(right.step.back() == doctest::Approx(1e-10));
  const auto lowest = [](const Values& v) { return *std::min_element(v.begin(), v.end()); };
  // Truncation: h/2 and h^2/6. Rounding: 1e-16/h. They meet near 1e-8, and near 1e-5.
  CHECK(right.forward.front() == doctest::Approx(0.05).epsilon(0.1));
  CHECK(right.central.front() == doctest::Approx(0.01 / 6).epsilon(0.01));
  CHECK(lowest(right.forward) < 1e-7);
  CHECK(lowest(right.central) < 1e-9);
  CHECK(right.central.back() > 100 * lowest(right.central));
  CHECK(right.central[12] < 1e-9);  // at 1e-5
  CHECK(wrong.central[12] == doctest::Approx(1e-3).epsilon(0.01));
}

TEST_CASE("ten worst entries, with index, both gradients, uncertainty and step, as JSON") {
  const auto json =
      nlohmann::json::parse(check_mutation(mutation("conv2d-w-flipped"), true).json());
  const auto& w = json["tensors"][1];
  CHECK(w["mistake"] == "flipped");
  CHECK(w["worst"].size() == 10);
  for (const char* key : {"index", "analytic", "numeric", "uncertainty", "step", "wrong"})
    CHECK(w["worst"][0].contains(key));
  CHECK(w["histogram"].size() == GradcheckTensor::bins);
  CHECK(w["maps"][0]["rows"] == 3);
  CHECK(w["curve"]["step"].size() == 28);
}

TEST_CASE("the page shows verdicts, the diagnosis, the worst entries and three pictures") {
  CheckedRun run{.title = "A <test>", .machine = "here", .seconds = 1};
  run.cases.push_back({"conv2d w[4, 3, 3, 3]", "conv2d", "cpu",
                       check_mutation(mutation("conv2d-w-flipped"), true)});
  Mutation right = mutation("conv2d-w-flipped");
  right.primitives = {};
  run.cases.push_back({"conv2d, right", "conv2d", "cpu", check_mutation(right, true)});
  const TemporaryFolder folder;
  write_gradcheck_page(folder / "page.html", run);
  const std::string page = get_bytes(folder / "page.html");
  for (const char* part :
       {"A &lt;test&gt;", "WRONG", "the filter is flipped", "1 of 2", "What is wrong",
        "A closer look at what is right", "bars-of-errors", "class=\"plot map\"",
        "(L(x + h) - L(x - h)) / 2h", "viewport", "prefers-color-scheme:dark"})
    CHECK_MESSAGE(has(page, part), part);
  for (const char* outside : {"http://", "https://", "<script", "@import"})
    CHECK_MESSAGE(!has(page, outside), outside);
}

TEST_CASE("a module is checked with its parameters, under their names") {
  Sequential net;
  net.add<Conv2d>("conv", 2, 3, Conv2dOptions{.kernel = 3, .pad = 1}, reference(), DType::f64);
  net.add<Dropout>("drop", 0.3);
  {
    const NoGrad by_hand;
    for (auto& [name, parameter] : net.parameters()) parameter.copy_(normal(parameter.shape(), 3));
  }
  const GradcheckReport r = gradcheck(net, normal({2, 2, 4, 5}, 1));
  CHECK_MESSAGE(r.ok(), r.text());
  REQUIRE(r.tensors.size() == 3);
  CHECK(r.tensors[0].name == "input");
  CHECK(r.tensors[1].name == "conv.weight");
  CHECK(r.tensors[2].name == "conv.bias");
}
