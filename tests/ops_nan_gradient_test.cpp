// Gradients where a value is NaN, and where values tie: the same on every backend, and as
// core/backend.h and core/algebra.h say.
#include "core/algebra.h"
#include "gradcheck/gradcheck.h"
#include "primitive_calls.h"

using namespace limulus;

namespace {

const double nan_value = std::nan("");
constexpr double inf = std::numeric_limits<double>::infinity();

Tensor tensor(const std::vector<double>& values, const Shape& shape, Backend& backend) {
  return Tensor::from(std::vector<float>(values.begin(), values.end()), shape, backend);
}

void check_gradient(const std::string& what, const Tensor& x, const std::vector<double>& wanted) {
  check_close(what + " on " + x.backend().name(), {x.grad().to_doubles()}, {wanted}, 1e-6);
}

}  // namespace

TEST_CASE("where x is NaN, dx is NaN: functions of one number") {
  for (const auto& backend : all_backends(true))
    for (const UnaryOp op : {UnaryOp::exp, UnaryOp::log, UnaryOp::sqrt, UnaryOp::square,
                             UnaryOp::abs, UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh})
      for (const std::size_t length : {std::size_t{1}, std::size_t{3}, std::size_t{70}}) {
        std::vector<double> values(length, 0.5);
        values.back() = nan_value;
        Tensor x = tensor(values, {std::int64_t(length)}, *backend).set_requires_grad();
        const Tensor y = unary(op, x);
        CHECK(std::isnan(y.to_doubles().back()));
        sum(y).backward();
        const std::vector<double> dx = x.grad().to_doubles();
        CHECK_MESSAGE(std::isnan(dx.back()), name_of(op) << " on " << backend->name());
        for (std::size_t i = 0; i + 1 < length; ++i) CHECK(std::isfinite(dx[i]));
      }
}

TEST_CASE("what chooses among numbers chooses a NaN, and sends the gradient there") {
  for (const auto& backend : all_backends(true)) {
    const auto pair = [&](auto f, std::vector<double> da, std::vector<double> db) {
      Tensor a = tensor({1, nan_value, 2, nan_value, 5}, {5}, *backend).set_requires_grad();
      Tensor b = tensor({2, 1, nan_value, nan_value, 5}, {5}, *backend).set_requires_grad();
      f(a, b).backward(tensor({1, 2, 3, 4, 5}, {5}, *backend));
      check_gradient("a", a, da);
      check_gradient("b", b, db);
    };
    pair([](const Tensor& a, const Tensor& b) { return maximum(a, b); }, {0, 2, 0, 4, 5},
         {1, 0, 3, 0, 0});
    pair([](const Tensor& a, const Tensor& b) { return minimum(a, b); }, {1, 2, 0, 4, 5},
         {0, 0, 3, 0, 0});
    Tensor x =
        tensor({1, nan_value, 7, nan_value, 3, 4, 9, 2}, {2, 4}, *backend).set_requires_grad();
    amax(x, 1).backward(tensor({6, 5}, {2}, *backend));
    check_gradient("amax", x, {0, 3, 0, 3, 0, 0, 5, 0});
  }
}

TEST_CASE("equal maxima share the gradient evenly") {
  for (const auto& backend : all_backends(true)) {
    const auto shares = [&](const std::vector<double>& values, const Shape& shape, int axis,
                            bool keep, const std::vector<double>& wanted) {
      Tensor x = tensor(values, shape, *backend).set_requires_grad();
      sum(amax(x, axis, keep) * 6.0).backward();
      check_gradient("amax", x, wanted);
    };
    for (const bool keep : {false, true}) {
      shares({7, 1, 7, 7}, {4}, 0, keep, {2, 0, 2, 2});
      shares({1, 2, 2, 2, 0, 2}, {2, 3}, 1, keep, {0, 3, 3, 3, 0, 3});
      shares({1, 2, 2, 2, 2, 0}, {2, 3}, 0, keep, {0, 3, 6, 6, 3, 0});
      shares({-inf, -inf, -inf}, {3}, -1, keep, {2, 2, 2});
      shares({inf, 1, inf}, {3}, 0, keep, {3, 0, 3});
      shares({0.0, -0.0}, {2}, 0, keep, {3, 3});
    }
    Tensor many = Tensor::full({1000}, 3, DType::f32, *backend).set_requires_grad();
    amax(many, 0).backward();
    check_gradient("amax of 1000", many, std::vector<double>(1000, 0.001));
    // Several axes at once: as one axis.
    Tensor x = tensor({5, 5, 1, 5}, {2, 2}, *backend).set_requires_grad();
    amax(flatten(x, 0), 0).backward();
    check_gradient("amax of both axes", x, {1.0 / 3, 1.0 / 3, 0, 1.0 / 3});
  }
}

// Nearly equal is not equal: the larger one gets all, and differences of any step agree as long as
// the order of the two stays.
TEST_CASE("near a tie") {
  for (const double gap : {1e-3, 1e-6, 1e-12}) {
    Backend& backend = device("reference");
    const std::vector<double> values = {1, 1 + gap, 0.5};
    Tensor x = Tensor::from(values, Shape{3}, backend).set_requires_grad();
    amax(x, 0).backward();
    CHECK(x.grad().to_doubles() == std::vector<double>{0, 1, 0});
    const double step = gap / 4;
    for (std::size_t i = 0; i < 3; ++i) {
      std::vector<double> up = values, down = values;
      up[i] += step;
      down[i] -= step;
      const double difference = (amax(Tensor::from(up, Shape{3}, backend), 0).item() -
                                 amax(Tensor::from(down, Shape{3}, backend), 0).item()) /
                                (up[i] - down[i]);
      CHECK(difference == doctest::Approx(i == 1 ? 1 : 0).epsilon(1e-3));
    }
  }
}
