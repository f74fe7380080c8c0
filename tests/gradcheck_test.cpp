// Does the gradient checker find what it is there to find?
#include "gradcheck/gradcheck.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/autograd.h"
#include "core/error.h"
#include "core/rng.h"

using namespace limulus;

namespace {

using Values = std::vector<double>;
using Inputs = std::vector<Tensor>;

Backend& reference() { return device("reference"); }

Tensor normal(const Shape& shape, std::uint64_t stream, double mean = 0) {
  Tensor t = Tensor::empty(shape, DType::f64, reference());
  Rng rng(5, stream);
  fill_normal(t, mean, 1, rng);
  return t;
}

// y = x^2, with a backward as a student might hand it in.
using Backward = std::function<Values(const Values& dy, const Values& x)>;

struct StudentSquare : Op {
  explicit StudentSquare(Backward b) : formula(std::move(b)) {}
  const char* name() const override { return "student's square"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const auto [x] = saved<1>();
    return {Tensor::from(formula(dy.to_vector<double>(), x.to_vector<double>()), x.shape(),
                         x.backend())};
  }
  Backward formula;
};

Tensor student_square(const Tensor& x, const Backward& backward) {
  return record<StudentSquare>(square(x.detach()), {x}, {x}, backward);
}

GradcheckReport check_square(const Backward& backward) {
  return gradcheck([&](const Inputs& in) { return in[1] + student_square(in[0], backward); },
                   {{"x", normal({3, 4}, 1)}, {"shift", normal({3, 4}, 2)}});
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a right gradient is OK") {
  const GradcheckReport r =
      gradcheck([](const Inputs& in) { return exp(in[0] * in[1]) / (square(in[1]) + 1.0); },
                {{"a", normal({4, 1}, 1)}, {"b", normal({4, 3}, 2)}});
  CHECK_MESSAGE(r.ok(), r.text());
  REQUIRE(r.tensors.size() == 2);
  CHECK(r.tensors[0].compared == 4);
  CHECK(r.tensors[1].compared == 12);
  for (const GradcheckTensor& t : r.tensors)
    for (const GradcheckEntry& e : t.worst) {
      CHECK(std::abs(e.analytic - e.numeric) <= e.uncertainty + 1e-9);
      CHECK(e.uncertainty < 1e-5 * std::max(1.0, std::abs(e.numeric)));
    }
}

TEST_CASE("the right square passes, so that the wrong ones below fail for their mistake") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= 2 * x[i];
    return dy;
  });
  CHECK_MESSAGE(r.ok(), r.text());
}

TEST_CASE("a missing factor is named, with its size, for the right tensor") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= x[i];
    return dy;
  });
  CHECK(r.verdict() == GradcheckVerdict::wrong);
  CHECK(r.tensors[0].verdict == GradcheckVerdict::wrong);
  CHECK(r.tensors[0].wrong == 12);
  CHECK(r.tensors[1].verdict == GradcheckVerdict::ok);
  CHECK(mentions(r.tensors[0].diagnosis, "your gradient is 0.5 x the numeric one everywhere"));
}

TEST_CASE("a wrong sign is named") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= -2 * x[i];
    return dy;
  });
  CHECK(mentions(r.tensors[0].diagnosis, "sign"));
}

TEST_CASE("a mistake of 1 in 100,000 is found") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= 2 * x[i] * 1.00001;
    return dy;
  });
  CHECK(r.tensors[0].verdict == GradcheckVerdict::wrong);
  CHECK(r.tensors[0].wrong > 6);
}

TEST_CASE("a gradient that ignores dy is found: the cotangent is not all ones") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] = 2 * x[i];
    return dy;
  });
  CHECK(r.verdict() == GradcheckVerdict::wrong);
}

TEST_CASE("no factor is named where none fits all entries") {
  // Right wherever the true gradient is not zero.
  const Tensor half = Tensor::from(Values{1, 1, 0, 0}, {4}, reference());
  const GradcheckReport r = gradcheck(
      [&](const Inputs& in) {
        return record<StudentSquare>(square(in[0].detach() * half), {in[0]}, {in[0]},
                                     [](Values dy, const Values& x) {
                                       for (std::size_t i = 0; i < 4; ++i) dy[i] *= 2 * x[i];
                                       return dy;
                                     });
      },
      {{"x", normal({4}, 1)}});
  CHECK(r.tensors[0].wrong == 2);
  CHECK(!mentions(r.tensors[0].diagnosis, "everywhere"));
}

TEST_CASE("a mistake at one border is located") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= i % 4 == 3 ? x[i] : 2 * x[i];
    return dy;
  });
  CHECK(r.tensors[0].wrong == 3);
  CHECK(mentions(r.tensors[0].diagnosis, "last index of axis 1"));
  REQUIRE(!r.tensors[0].worst.empty());
  CHECK(r.tensors[0].worst[0].index[1] == 3);
}

TEST_CASE("an entry that was never written cannot pass, not even where zero would be right") {
  // max(x, 0) of a negative value has gradient 0: fresh memory often is 0.
  struct Forgetful : Op {
    const char* name() const override { return "forgetful"; }
    std::vector<Tensor> backward(const Tensor& dy) override {
      Tensor dx = Tensor::empty(dy.shape(), dy.dtype(), dy.backend());
      // Copies all but the last value, whose gradient is 0.
      dy.backend().copy_block(dy.dtype(), {1, dy.numel() - 1, 0, 0, 0, 0}, dy.data(),
                              dx.mutable_data());
      return {dx};
    }
  };
  const Tensor mask = Tensor::from(Values{1, 1, 1, 0}, {4}, reference());
  const GradcheckReport r = gradcheck(
      [&](const Inputs& in) { return record<Forgetful>(in[0].detach() * mask, {in[0]}, {}); },
      {{"x", normal({4}, 1)}});
  CHECK(r.verdict() == GradcheckVerdict::wrong);
  CHECK(r.tensors[0].wrong == 1);
  CHECK(mentions(r.tensors[0].diagnosis, "never written"));

  const GradcheckReport at_a_kink = gradcheck(
      [&](const Inputs& in) { return record<Forgetful>(abs(in[0].detach()), {in[0]}, {}); },
      {{"x", Tensor::from(Values{1, 2, 3, 0}, {4}, reference())}});
  CHECK(at_a_kink.tensors[0].wrong == 1);
}

TEST_CASE("a result that was never written is WRONG") {
  const GradcheckReport r = gradcheck(
      [&](const Inputs& in) {
        Tensor y = Tensor::empty({4}, DType::f64, reference());
        return y + in[0];
      },
      {{"x", normal({4}, 1)}});
  CHECK(r.verdict() == GradcheckVerdict::wrong);
  CHECK(mentions(r.tensors[0].diagnosis, "4 of 4 values of the result are NaN"));
}

TEST_CASE("NaN that forward or backward computes is told from memory that was never written") {
  const Tensor x = Tensor::from<double>({1, 0, 4}, {3}, reference());
  const GradcheckReport y = gradcheck([](const Inputs& in) { return in[0] / in[0]; }, {{"x", x}});
  CHECK_MESSAGE(y.tensors[0].mistake == "not a number", y.text());
  CHECK(mentions(y.text(), "1 of 3 values of the result are NaN: forward computes them"));
  const GradcheckReport dx = gradcheck(
      [](const Inputs& in) {
        return student_square(in[0], [](Values dy, const Values& v) {
          for (std::size_t i = 0; i < v.size(); ++i) dy[i] *= 2 * v[i] * v[i] / v[i];
          return dy;
        });
      },
      {{"x", x}});
  CHECK_MESSAGE(dx.tensors[0].mistake == "not a number", dx.text());
  CHECK(mentions(dx.text(), "1 of 3 gradients are NaN, also when fresh memory holds zeros"));
}

TEST_CASE("a right gradient is not called wrong where forward rounds to f32") {
  const auto right = [](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= 2 * x[i];
    return dy;
  };
  const auto rounded = [](const Tensor& t) { return t.to_dtype(DType::f32).to_dtype(DType::f64); };
  for (const bool inside : {true, false}) {
    const GradcheckReport r = gradcheck(
        [&](const Inputs& in) {
          const Tensor x = in[0].detach();
          return record<StudentSquare>(inside ? square(rounded(x)) : rounded(square(x)), {in[0]},
                                       {in[0]}, right);
        },
        {{"x", normal({3, 4}, 1)}});
    CHECK_MESSAGE(r.verdict() == GradcheckVerdict::vacuous, r.text());
    CHECK(r.tensors[0].mistake == "rounded");
    CHECK(mentions(r.text(), "compute all of it in f64"));
  }
}

TEST_CASE("slopes that drown in the rounding of the result are not called zero") {
  const GradcheckReport r =
      gradcheck([](const Inputs& in) { return in[0] * 1e-3 + 1e15; }, {{"x", normal({3}, 1)}});
  CHECK(r.verdict() == GradcheckVerdict::vacuous);
  CHECK(!mentions(r.text(), "zero everywhere"));
  CHECK_MESSAGE(mentions(r.text(), "bring inputs and result to a size of about 1"), r.text());
}

TEST_CASE("a forward that changes its input in place is named, and the input has its values back") {
  const Tensor x = normal({2, 3}, 1), label = Tensor::from<std::int64_t>({1}, {1}, reference());
  const Values before = x.to_vector<double>();
  CHECK_THROWS_WITH_AS(gradcheck(
                           [](const Inputs& in) {
                             const NoGrad changing;
                             Tensor same = in[0];
                             same.copy_(same * 2.0);
                             return same + 0.0;
                           },
                           {{"x", x}}),
                       doctest::Contains("forward changed its input 'x' in place: at [0, 0]"),
                       ValueError);
  CHECK(x.to_vector<double>() == before);
  CHECK_THROWS_WITH_AS(gradcheck([&](const Inputs&) { return x + 0.0; }, {{"label", label}}),
                       doctest::Contains("no input is f64"), DTypeError);
  CHECK_THROWS_WITH_AS(gradcheck([](const Inputs& in) { return in[0] + 0.0; },
                                 {{"x", Tensor::from<double>({1, INFINITY}, {1, 2}, reference())}}),
                       doctest::Contains("'x' is inf at [0, 1]"), ValueError);
}

TEST_CASE("a check can be stopped before any pass") {
  const Tensor x = normal({2, 3}, 1);
  GradcheckOptions options;
  int passes = 0;
  options.before_pass = [&] {
    if (++passes > 7) throw ValueError("enough");
  };
  const Values before = x.to_vector<double>();
  CHECK_THROWS_WITH_AS(
      gradcheck([](const Inputs& in) { return square(in[0]); }, {{"x", x}}, options), "enough",
      ValueError);
  CHECK(passes == 8);
  CHECK(x.to_vector<double>() == before);
}

TEST_CASE("a different result each time is NONDETERMINISTIC") {
  int calls = 0;
  const GradcheckReport forward = gradcheck(
      [&](const Inputs& in) { return in[0] * (1 + 1e-15 * ++calls); }, {{"x", normal({4}, 1)}});
  CHECK(forward.verdict() == GradcheckVerdict::nondeterministic);
  CHECK(mentions(forward.tensors[0].diagnosis, "forward"));

  const GradcheckReport backward = check_square([&](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= 2 * x[i] * (1 + 1e-15 * ++calls);
    return dy;
  });
  CHECK(backward.tensors[0].verdict == GradcheckVerdict::nondeterministic);
  CHECK(backward.tensors[1].verdict == GradcheckVerdict::ok);
}

TEST_CASE("comparing nothing with nothing is VACUOUS") {
  SUBCASE("constant by construction") {
    const GradcheckReport r = gradcheck(
        [](const Inputs& in) {
          const Tensor e = exp(in[0]);
          return sum(e / sum(e, 1, true), 1);  // rows of a softmax add up to 1
        },
        {{"x", normal({2, 5}, 1)}});
    CHECK_MESSAGE(r.verdict() == GradcheckVerdict::vacuous, r.text());
  }
  SUBCASE("does not use the tensor") {
    const GradcheckReport r = gradcheck([](const Inputs& in) { return square(in[0]); },
                                        {{"x", normal({4}, 1)}, {"unused", normal({4}, 2)}});
    CHECK(r.tensors[0].verdict == GradcheckVerdict::ok);
    CHECK(r.tensors[1].verdict == GradcheckVerdict::vacuous);
    CHECK(r.verdict() == GradcheckVerdict::vacuous);
  }
  SUBCASE("dead ReLUs") {
    const GradcheckReport r = gradcheck(
        [](const Inputs& in) { return unary(UnaryOp::relu, in[0]); }, {{"x", normal({4}, 1, -50)}});
    CHECK(r.verdict() == GradcheckVerdict::vacuous);
  }
  SUBCASE("no entries, no tensors") {
    CHECK(gradcheck([](const Inputs& in) { return square(in[0]); }, {{"x", normal({0, 3}, 1)}})
              .verdict() == GradcheckVerdict::vacuous);
    CHECK(GradcheckReport{}.verdict() == GradcheckVerdict::vacuous);
  }
}

TEST_CASE("a result that was cut off from the graph is WRONG: backward never reached the tensor") {
  const GradcheckReport r =
      gradcheck([](const Inputs& in) { return square(in[0].detach()) + in[1]; },
                {{"x", normal({4}, 1)}, {"shift", normal({4}, 2)}});
  CHECK(r.tensors[0].verdict == GradcheckVerdict::wrong);
  CHECK(mentions(r.tensors[0].diagnosis, "never reached"));
  CHECK(r.tensors[1].verdict == GradcheckVerdict::ok);
}

TEST_CASE("kinks are skipped and counted; values near one are not") {
  const Tensor x = Tensor::from(Values{-1, 0, 2, 3e-5, -1e-4, 0.5}, {6}, reference());
  const GradcheckReport r =
      gradcheck([](const Inputs& in) { return unary(UnaryOp::relu, in[0]); }, {{"x", x}});
  CHECK_MESSAGE(r.ok(), r.text());
  CHECK(r.tensors[0].skipped == 1);
  CHECK(r.tensors[0].compared == 5);
}

TEST_CASE("too many kinks are VACUOUS") {
  const Tensor x = Tensor::from(Values{0, 0, 0, 0, 0, 1}, {6}, reference());
  const GradcheckReport r = gradcheck([](const Inputs& in) { return abs(in[0]); }, {{"x", x}});
  CHECK(r.verdict() == GradcheckVerdict::vacuous);
  CHECK(r.tensors[0].skipped == 5);
  CHECK(mentions(r.tensors[0].diagnosis, "only 1 of 6"));
}

TEST_CASE("a wrong gradient is not excused by curvature") {
  // exp(9 x) bends so much that the first step is far too long.
  const auto steep = [](double factor) {
    return gradcheck(
        [=](const Inputs& in) {
          const Tensor y = exp(in[0] * 9.0);
          return y + y.detach() * (factor - 1);
        },
        {{"x", normal({6}, 1)}});
  };
  CHECK_MESSAGE(steep(1).ok(), steep(1).text());
  CHECK(steep(1).tensors[0].compared == 6);
  CHECK(steep(1.001).verdict() == GradcheckVerdict::wrong);
}

TEST_CASE("large tensors are sampled, corners included") {
  GradcheckOptions options;
  options.max_entries = 30;
  options.show = 1000;
  const GradcheckReport r = gradcheck([](const Inputs& in) { return square(in[0]); },
                                      {{"x", normal({5, 6, 7}, 1)}}, options);
  CHECK(r.tensors[0].compared == 30);
  int corners = 0;
  for (const GradcheckEntry& e : r.tensors[0].worst)
    corners += (e.index[0] % 4 == 0) && (e.index[1] % 5 == 0) && (e.index[2] % 6 == 0);
  CHECK(corners >= 8);
}

TEST_CASE("inputs are left as they were") {
  const Tensor x = normal({4}, 1);
  Tensor w = normal({4}, 2);
  w.set_requires_grad();
  w.set_grad(Tensor::full({4}, 7, DType::f64, reference()));
  const Values before = x.to_vector<double>();
  gradcheck([](const Inputs& in) { return in[0] * in[1]; }, {{"x", x}, {"w", w}});
  CHECK(x.to_vector<double>() == before);
  CHECK(!x.requires_grad());
  CHECK(!x.grad().defined());
  CHECK(w.requires_grad());
  CHECK(w.grad().to_vector<double>() == Values(4, 7));
  CHECK_THROWS_AS(gradcheck([](const Inputs&) -> Tensor { throw ValueError("no"); }, {{"x", x}}),
                  ValueError);
  CHECK(!x.requires_grad());
}

TEST_CASE("where nothing is recorded there is no gradient to check, and that is said") {
  const NoGrad scope;
  CHECK_THROWS_WITH_AS(gradcheck([](const Inputs& in) { return square(in[0]); },
                                 {{"x", Tensor::full({2}, 1, DType::f64, reference())}}),
                       doctest::Contains("gradcheck: nothing is recorded here"), GraphError);
}

TEST_CASE("f32 is refused, and the message says why") {
  const Tensor x = Tensor::full({2}, 1, DType::f32, reference());
  try {
    gradcheck([](const Inputs& in) { return square(in[0]); }, {{"x", x}});
    FAIL("no exception");
  } catch (const DTypeError& e) {
    CHECK(mentions(e.what(), "'x' is f32"));
    CHECK(mentions(e.what(), "to_dtype"));
  }
}

TEST_CASE("integer inputs come along unchecked") {
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 0}, {2}, reference());
  const GradcheckReport r = gradcheck([](const Inputs& in) { return square(in[1]); },
                                      {{"labels", labels}, {"x", normal({2}, 1)}});
  CHECK(r.tensors.size() == 1);
  CHECK(r.ok());
}

TEST_CASE("the report as text and as JSON") {
  const GradcheckReport r = check_square([](Values dy, const Values& x) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] *= x[i];
    return dy;
  });
  const std::string text = r.text();
  for (const char* part :
       {"tensor", "index", "your gradient", "numeric +- uncertainty", "relative error", "verdict",
        "5.0e-01", "WRONG", "OK", "x [3, 4]: 12 compared, 12 wrong", "gradcheck: WRONG\n"})
    CHECK_MESSAGE(mentions(text, part), part << "\n" << text);
  const auto json = nlohmann::json::parse(r.json());
  CHECK(json["verdict"] == "WRONG");
  CHECK(json["tensors"][0]["name"] == "x");
  CHECK(json["tensors"][0]["shape"] == std::vector<int>{3, 4});
  CHECK(json["tensors"][0]["worst"].size() == 10);
  CHECK(json["tensors"][0]["worst"][0]["wrong"] == true);
  CHECK(json["tensors"][1]["verdict"] == "OK");
}
