// Diagnoses of where and how much: an offset, an entry, a row, one factor in all inputs. And what
// they must not say: a false name is worse than none.
#include <doctest/doctest.h>

#include <functional>
#include <limits>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/rng.h"
#include "gradcheck/cases/changed_gradient.h"
#include "gradcheck/gradcheck.h"
#include "layers/activation.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

using Inputs = std::vector<Tensor>;

Tensor normal(const Shape& shape, std::uint64_t stream = 1) {
  Tensor t = Tensor::empty(shape, DType::f64, device("reference"));
  Rng rng(7, stream);
  fill_normal(t, 0, 1, rng);
  return t;
}

GradcheckTensor check(const Tensor& x, const Change& change,
                      const std::function<Tensor(const Tensor&)>& f = exp) {
  return gradcheck([&](const Inputs& in) { return f(changed(in[0], change)); }, {{"x", x}})
      .tensors[0];
}

Change multiply(std::vector<std::size_t> at, double c) {
  return [=](Values& d) {
    for (const std::size_t i : at) d[i] *= c;
  };
}
const Change add_a_hundredth = [](Values& d) {
  for (double& v : d) v += 0.01;
};

}  // namespace

TEST_CASE("an added constant is an offset, whatever the function") {
  for (const auto& f :
       {std::function<Tensor(const Tensor&)>(exp), std::function<Tensor(const Tensor&)>(relu)})
    for (const Shape& shape : {Shape{12}, Shape{4, 5}, Shape{5, 1}, Shape{2, 3, 2, 2}}) {
      const GradcheckTensor t = check(normal(shape), add_a_hundredth, f);
      CHECK_MESSAGE(t.mistake == "offset", shape.str() << ": " << t.mistake << ": " << t.diagnosis);
      CHECK(has(t.diagnosis, "your gradient is the numeric one + 0.01 everywhere"));
    }
  const GradcheckTensor channel = check(normal({2, 3, 4}), [](Values& d) {
    for (std::size_t i = 0; i < d.size(); ++i) d[i] -= i / 4 % 3 == 1 ? 0.5 : 0;
  });
  CHECK(channel.mistake == "offset");
  CHECK(has(channel.diagnosis, "- 0.5 at index 1 of axis 1, and right elsewhere"));
}

TEST_CASE(
    "where all slopes are equal, an offset is told from a factor by what somebody would write") {
  const auto total = [](const Tensor& x) { return sum(x); };
  CHECK(check(normal({3, 4}), add_a_hundredth, total).mistake == "offset");
  const auto seventh = [](Values& d) {
    for (double& v : d) v /= 7;
  };
  CHECK(check(normal({3, 4}), seventh, total).mistake == "factor");
}

TEST_CASE(
    "a single wrong entry is a single entry, also at a border and where the function is flat") {
  const GradcheckTensor t = check(normal({3, 4}), multiply({3}, 1.7));
  CHECK(t.mistake == "single entry");
  CHECK(
      t.diagnosis ==
      "only [0, 3] of the 12 that were compared is wrong, where your gradient is 1.7 x the numeric "
      "one");
  for (const std::size_t i : {0, 5, 11})
    CHECK(check(normal({3, 4}), multiply({i}, 0)).mistake == "single entry");
  const Tensor x = Tensor::from(Values{1, 2, -1, 3, 4, 5}, {2, 3}, device("reference"));
  const GradcheckTensor flat = check(
      x, [](Values& d) { d[2] = 0.3; }, relu);
  CHECK_MESSAGE(flat.mistake == "single entry", flat.mistake);
}

TEST_CASE("two entries are named; a row is a row when most of it is wrong") {
  const GradcheckTensor two = check(normal({3, 7}), [](Values& d) {
    d[7] *= 1.3;
    d[13] *= 1.9;
  });
  CHECK(two.mistake == "few entries");
  CHECK(two.diagnosis == "only [1, 0] and [1, 6] of the 21 that were compared are wrong");
  const GradcheckTensor row = check(normal({3, 4}), [](Values& d) {
    for (std::size_t i = 4; i < 8; ++i) d[i] *= 1.3 + 0.1 * static_cast<double>(i);
  });
  CHECK(row.mistake == "one index");
  CHECK(has(row.diagnosis, "wrong only at index 1 of axis 0, in 4 of 4 entries there"));
  const GradcheckTensor twice = check(normal({3, 4}), multiply({8, 9, 10, 11}, 2));
  CHECK(has(twice.diagnosis, "the last index of axis 0"));
  CHECK(has(twice.diagnosis, "your gradient is 2 x the numeric one"));
  // Scattered and different: there is no place, and no name.
  const GradcheckTensor scattered = check(normal({5, 5}), [](Values& d) {
    for (std::size_t i = 0; i < d.size(); i += 3) d[i] *= 1.1 + static_cast<double>(i * i % 7);
  });
  CHECK_MESSAGE(scattered.mistake.empty(), scattered.mistake);
}

TEST_CASE("an infinite entry is wrong, compared one by one or all together") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {infinity, -infinity}) {
    const auto set = [&](std::size_t at) { return [=](Values& d) { d[at] = value; }; };
    const GradcheckTensor few = check(normal({3, 4}), set(5));
    CHECK(few.verdict == GradcheckVerdict::wrong);
    CHECK(few.wrong == 1);
    CHECK(few.mistake == "single entry");
    CHECK(has(few.diagnosis, "wrong, where your gradient is infinite"));
    CHECK(few.worst[0].index == std::vector<std::int64_t>{1, 1});
    CHECK(few.worst[0].error == infinity);
    CHECK(check(normal({40, 50}), set(777)).verdict == GradcheckVerdict::wrong);
  }
}

TEST_CASE("one entry of a few that is zero is no group") {
  for (const std::size_t at : {0, 1, 2}) {
    const GradcheckTensor t = check(normal({3}), [at](Values& d) { d[at] = 0; });
    CHECK(t.mistake == "single entry");
    CHECK(has(t.diagnosis, "your gradient is 0 x the numeric one"));
  }
  CHECK(check(normal({6}), multiply({3, 4, 5}, 0)).mistake == "group");
}

TEST_CASE("one wrong channel of a layer whose gradient is nearly dy is no matter of statistics") {
  const auto lrn = [](const Tensor& x) { return local_response_norm(x); };
  for (const double c : {-1.0, 2.0, 1.01}) {
    std::vector<std::size_t> channel;  // 0 of 6
    for (std::size_t i = 0; i < 6; ++i) channel.insert(channel.end(), {i, 36 + i});
    const GradcheckTensor t = check(normal({2, 6, 2, 3}), multiply(channel, c), lrn);
    CHECK(t.mistake == "one index");
    CHECK(has(t.diagnosis, "wrong only at index 0 of axis 1"));
  }
}

TEST_CASE("one factor in all inputs points at forward, once") {
  const Tensor x = normal({4, 3}, 1), w = normal({2, 3}, 2), b = normal({2}, 3);
  for (const double c : {2.0, 0.5, -1.0, 0.25}) {
    const GradcheckReport r = gradcheck(
        [c](const Inputs& in) {
          const Tensor y = linear(in[0], in[1], in[2]);
          return y + y.detach() * (c - 1);
        },
        {{"x", x}, {"w", w}, {"b", b}});
    CHECK(r.mistake == "common factor");
    const std::string text = r.text();
    CHECK(has(r.diagnosis, "suspect forward"));
    CHECK(text.find("suspect forward") == text.rfind("suspect forward"));
    CHECK(!has(text, "missing or extra"));
    for (const GradcheckTensor& t : r.tensors) CHECK(t.mistake == "common factor");
  }
}

TEST_CASE("factors that differ, or are in some inputs only, are those inputs' own") {
  const auto check_product = [](const Change& of_a, const Change& of_b) {
    return gradcheck([=](const Inputs& in) { return changed(in[0], of_a) * changed(in[1], of_b); },
                     {{"a", normal({3, 4}, 1)}, {"b", normal({3, 4}, 2)}});
  };
  const auto times = [](double c) {
    return [c](Values& d) {
      for (double& v : d) v *= c;
    };
  };
  const GradcheckReport differ = check_product(times(2), times(3)),
                        one = check_product(times(2), times(1));
  CHECK(differ.mistake.empty());
  CHECK(differ.tensors[0].mistake == "factor");
  CHECK(differ.tensors[1].mistake == "factor");
  CHECK(one.mistake.empty());
  CHECK(one.tensors[0].mistake == "factor");
  CHECK(one.tensors[1].verdict == GradcheckVerdict::ok);
  // Nor does one input make it common.
  CHECK(check(normal({3, 4}), times(2)).mistake == "factor");
}

TEST_CASE("what a normalization lacks is not called an offset") {
  // y = x - mean over each channel, of one channel: without the mean's term the error is one
  // number.
  const auto centred = [](const Tensor& x) { return x - mean(mean(x, 2, true), 0, true); };
  const GradcheckReport r = gradcheck(
      [&](const Inputs& in) {
        const Tensor v = in[0].detach();
        return in[0] * 1.0 + (centred(v) - v);  // backward takes the mean for a constant
      },
      {{"x", normal({4, 1, 5})}});
  CHECK(r.verdict() == GradcheckVerdict::wrong);
  CHECK_MESSAGE(r.tensors[0].mistake != "offset", r.text());
}
