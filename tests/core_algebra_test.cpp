// Values, broadcasting and errors of the functions in core/algebra.h. Gradients are the business of
// ops_gradcheck_test.
#include "core/algebra.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "messages.h"

using namespace limulus;

namespace {

using Values = std::vector<double>;

Backend& reference() { return device("reference"); }
Tensor tensor(const Shape& shape, const Values& v) { return Tensor::from(v, shape, reference()); }
Tensor counted(const Shape& shape) {  // 0, 1, 2 ...
  Values v(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return tensor(shape, v);
}
void check(const Tensor& t, const Shape& shape, const Values& v) {
  CHECK(t.shape() == shape);
  CHECK(t.to_doubles() == v);
}

}  // namespace

TEST_CASE("elementwise, two tensors") {
  const Tensor a = tensor({3}, {6, -4, 1}), b = tensor({3}, {2, 8, 1});
  check(a + b, {3}, {8, 4, 2});
  check(a - b, {3}, {4, -12, 0});
  check(a * b, {3}, {12, -32, 1});
  check(a / b, {3}, {3, -0.5, 1});
  check(maximum(a, b), {3}, {6, 8, 1});
  check(minimum(a, b), {3}, {2, -4, 1});
}

TEST_CASE("broadcasting aligns shapes at the right and stretches ones") {
  check(counted({2, 3}) + tensor({3}, {10, 20, 30}), {2, 3}, {10, 21, 32, 13, 24, 35});
  check(counted({2, 3}) + tensor({2, 1}, {10, 20}), {2, 3}, {10, 11, 12, 23, 24, 25});
  check(tensor({1, 2}, {1, 2}) * tensor({3, 1}, {1, 10, 100}), {3, 2}, {1, 2, 10, 20, 100, 200});
  check(tensor({}, {5}) - counted({2}), {2}, {5, 4});
  check(counted({2}) - tensor({}, {5}), {2}, {-5, -4});
  check(tensor({}, {5}) * tensor({}, {2}), {}, {10});
  check(tensor({1, 1, 1}, {3}) + tensor({1}, {4}), {1, 1, 1}, {7});
  // A bias for each channel of images.
  check(counted({1, 2, 1, 2}) + tensor({2, 1, 1}, {10, 20}), {1, 2, 1, 2}, {10, 11, 22, 23});
  // Stretched along the middle, and both sides at once.
  check(counted({2, 1, 2}) + tensor({3, 1}, {0, 10, 20}), {2, 3, 2},
        {0, 1, 10, 11, 20, 21, 2, 3, 12, 13, 22, 23});
  check(counted({0, 3}) + tensor({3}, {1, 2, 3}), {0, 3}, {});
  check(counted({0}) + tensor({1}, {1}), {0}, {});
}

TEST_CASE("axes that alternate between stretched and not, up to the limit") {
  const Tensor a = counted({2, 1, 2, 1, 2, 1, 2, 1}), b = counted({1, 2, 1, 2, 1, 2, 1, 2});
  const Tensor y = a * 100.0 + b;
  CHECK(y.numel() == 256);
  // Index i1 j1 i2 j2 i3 j3 i4 j4, bits from the left: a sees the i's and b the j's.
  const Values v = y.to_doubles();
  for (int index = 0; index < 256; ++index) {
    int i = 0, j = 0;
    for (int bit = 7; bit >= 0; bit -= 2) {
      i = 2 * i + ((index >> bit) & 1);
      j = 2 * j + ((index >> (bit - 1)) & 1);
    }
    CHECK(v[static_cast<std::size_t>(index)] == 100 * i + j);
  }
  CHECK(has(message<ShapeError>([&] {
              add(counted({2, 1, 2, 1, 2, 1, 2, 1, 2}), counted({2, 1, 2, 1, 2, 1, 2, 1}));
            }),
            "more than 8 axes"));
}

TEST_CASE("shapes, types and devices that do not fit are told apart") {
  CHECK(has(message<ShapeError>([] { add(counted({2, 3}), counted({2})); }), "add"));
  CHECK_THROWS_AS(add(counted({0}), counted({2})), ShapeError);
  const std::string types =
      message<DTypeError>([] { mul(counted({2}), Tensor::zeros({2}, DType::f32, reference())); });
  CHECK(has(types, "f64"));
  CHECK(has(types, "to_dtype()"));
  CHECK_THROWS_AS(exp(Tensor::zeros({2}, DType::i64, reference())), DTypeError);
  CHECK_THROWS_AS(sum(Tensor::zeros({2}, DType::i64, reference())), DTypeError);
  for (const DeviceInfo& info : list_devices()) {
    if (info.name == "reference") continue;
    const std::string m = message<DeviceError>(
        [&] { add(counted({2}), Tensor::zeros({2}, DType::f64, device(info.name))); });
    CHECK(has(m, info.name));
    CHECK(has(m, "to()"));
  }
}

TEST_CASE("elementwise, one tensor") {
  check(neg(tensor({2}, {1, -2})), {2}, {-1, 2});
  check(square(tensor({2}, {3, -2})), {2}, {9, 4});
  check(abs(tensor({3}, {3, -2, 0})), {3}, {3, 2, 0});
  check(sqrt(tensor({2}, {9, 0.25})), {2}, {3, 0.5});
  CHECK(exp(tensor({1}, {1})).item() == doctest::Approx(std::exp(1.0)).epsilon(1e-15));
  CHECK(log(tensor({1}, {10})).item() == doctest::Approx(std::log(10.0)).epsilon(1e-15));
  check(unary(UnaryOp::relu, tensor({3}, {2, -2, 0})), {3}, {2, 0, 0});
  CHECK(unary(UnaryOp::sigmoid, tensor({1}, {-700})).item() > 0);
  CHECK(unary(UnaryOp::sigmoid, tensor({1}, {2})).item() ==
        doctest::Approx(1 / (1 + std::exp(-2.0))).epsilon(1e-15));
  CHECK(unary(UnaryOp::tanh, tensor({1}, {-0.5})).item() ==
        doctest::Approx(std::tanh(-0.5)).epsilon(1e-15));
  check(affine(tensor({2}, {1, 2}), 3, -1), {2}, {2, 5});
  check(2.0 * tensor({1}, {3}) + 1.0, {1}, {7});
  check(1.0 - tensor({1}, {3}), {1}, {-2});
  check(tensor({1}, {3}) / 4.0 - 1.0, {1}, {-0.25});
}

TEST_CASE("derivatives at kinks: relu'(0) = abs'(0) = 0, equal operands give dy to the first") {
  const auto gradient = [](auto f, double at) {
    const Tensor x = tensor({1}, {at}).set_requires_grad();
    f(x).backward();
    return x.grad().item();
  };
  CHECK(gradient([](const Tensor& x) { return unary(UnaryOp::relu, x); }, 0) == 0);
  CHECK(gradient([](const Tensor& x) { return abs(x); }, 0) == 0);
  const Tensor a = tensor({1}, {4}).set_requires_grad(), b = tensor({1}, {4}).set_requires_grad();
  maximum(a, b).backward();
  minimum(a, b).backward();
  CHECK(a.grad().item() == 2);
  CHECK(b.grad().item() == 0);
  const Tensor ties = tensor({1, 4}, {7, 1, 7, 7}).set_requires_grad();
  amax(ties, 1).backward(tensor({1}, {6}));  // equal maxima share it evenly
  CHECK(ties.grad().to_doubles() == Values{2, 0, 2, 2});
}

TEST_CASE("reductions") {
  const Tensor x = counted({2, 3});
  check(sum(x), {}, {15});
  check(mean(x), {}, {2.5});
  check(sum(x, 0), {3}, {3, 5, 7});
  check(sum(x, 1, true), {2, 1}, {3, 12});
  check(sum(x, -1), {2}, {3, 12});
  check(mean(x, 0, true), {1, 3}, {1.5, 2.5, 3.5});
  check(amax(x * -1.0, 1), {2}, {0, -3});
  check(sum(counted({2, 3, 2}), 1), {2, 2}, {6, 9, 24, 27});
  check(sum(counted({3}), 0), {}, {3});
  check(sum(tensor({}, {4})), {}, {4});
  check(sum(counted({0})), {}, {0});
  check(sum(counted({2, 0}), 1), {2}, {0, 0});
  CHECK_THROWS_AS(mean(counted({0})), ShapeError);
  CHECK_THROWS_AS(mean(counted({2, 0}), 1), ShapeError);
  CHECK_THROWS_AS(amax(counted({2, 0}), 1), ShapeError);
  CHECK(has(message<ShapeError>([&] { sum(x, 2); }), "axis 2 of shape [2, 3]"));
  CHECK_THROWS_AS(sum(x, -3), ShapeError);
  CHECK_THROWS_AS(sum(tensor({}, {4}), 0), ShapeError);
}

TEST_CASE("matmul, plain and transposed") {
  const Tensor a = counted({2, 3}), b = counted({3, 2});
  check(matmul(a, b), {2, 2}, {10, 13, 28, 40});
  check(matmul(a, a, false, true), {2, 2}, {5, 14, 14, 50});
  check(matmul(a, a, true, false), {3, 3}, {9, 12, 15, 12, 17, 22, 15, 22, 29});
  check(matmul(a, b, true, true), {3, 3}, {3, 9, 15, 4, 14, 24, 5, 19, 33});
  check(matmul(counted({2, 0}), counted({0, 3})), {2, 3}, Values(6, 0));
  check(matmul(counted({0, 2}), counted({2, 3})), {0, 3}, {});
  CHECK(has(message<ShapeError>([&] { matmul(a, a); }), "inner sizes 3 and 2 differ"));
  CHECK(has(message<ShapeError>([&] { matmul(a, b, false, true); }), "[3, 2]^T"));
  CHECK_THROWS_AS(matmul(counted({3}), b), ShapeError);
}

TEST_CASE("reshape and flatten") {
  const Tensor x = counted({2, 6});
  check(reshape(x, {3, 4}), {3, 4}, x.to_doubles());
  check(reshape(x, {-1, 3}), {4, 3}, x.to_doubles());
  check(reshape(x, Shape{12}), {12}, x.to_doubles());
  check(flatten(counted({2, 3, 1, 2})), {2, 6}, counted({12}).to_doubles());
  check(flatten(counted({2, 3}), 0), {6}, counted({6}).to_doubles());
  CHECK(has(message<ShapeError>([&] { reshape(x, {5, -1}); }), "12 values, which 5"));
  CHECK_THROWS_AS(reshape(x, {-1, -1}), ShapeError);
  CHECK_THROWS_AS(reshape(x, {7}), ShapeError);
  CHECK_THROWS_AS(reshape(x, {0, -1}), ShapeError);
}

TEST_CASE("concat and narrow") {
  const Tensor a = counted({2, 2}), b = tensor({2, 1}, {8, 9});
  check(concat({a, b}, 1), {2, 3}, {0, 1, 8, 2, 3, 9});
  check(concat({a, a}, 0), {4, 2}, {0, 1, 2, 3, 0, 1, 2, 3});
  check(concat({a, counted({2, 0})}, -1), {2, 2}, {0, 1, 2, 3});
  check(narrow(concat({a, b}, 1), 1, 1, 2), {2, 2}, {1, 8, 3, 9});
  check(narrow(a, 0, 1, 1), {1, 2}, {2, 3});
  check(narrow(a, 0, 2, 0), {0, 2}, {});
  CHECK_THROWS_AS(concat({}, 0), ShapeError);
  CHECK(has(message<ShapeError>([&] { concat({a, b}, 0); }), "differ outside axis 0"));
  CHECK(has(message<ShapeError>([&] { narrow(a, 1, 1, 2); }), "not inside axis 1"));
  CHECK_THROWS_AS(narrow(a, 1, -1, 1), ShapeError);
  CHECK_THROWS_AS(narrow(a, 1, 1, std::numeric_limits<std::int64_t>::max()), ShapeError);
}

TEST_CASE("sum_to undoes broadcasting") {
  check(sum_to(counted({2, 3}), {3}), {3}, {3, 5, 7});
  check(sum_to(counted({2, 3}), {2, 1}), {2, 1}, {3, 12});
  check(sum_to(counted({2, 3}), {}), {}, {15});
  check(sum_to(counted({2, 3}), {2, 3}), {2, 3}, counted({6}).to_doubles());
}

TEST_CASE("moving to the device it is on is free") {
  const Tensor x = counted({2});
  CHECK(to(x, reference()).data() == x.data());
}
