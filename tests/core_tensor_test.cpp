// Handles, values, views and errors of tensors.
#include "core/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "core/shape.h"
#include "messages.h"

using namespace limulus;

namespace {

Backend& reference() { return device("reference"); }

}  // namespace

TEST_CASE("shapes") {
  CHECK(Shape().rank() == 0);
  CHECK(Shape().numel() == 1);
  CHECK(Shape().str() == "[]");
  const Shape s = {32, 96, 55, 55};
  CHECK(s.rank() == 4);
  CHECK(s.numel() == 9292800);
  CHECK(s.str() == "[32, 96, 55, 55]");
  CHECK(s[1] == 96);
  CHECK(s[-1] == 55);
  CHECK(s[-4] == 32);
  CHECK(Shape{3, 0, 2}.numel() == 0);
  CHECK_THROWS_AS(s[4], ShapeError);
  CHECK_THROWS_AS(s[-5], ShapeError);
  CHECK_THROWS_AS((Shape{2, -1}), ShapeError);
  const std::int64_t huge = std::int64_t{1} << 40;
  CHECK_THROWS_AS(Tensor::empty({huge, huge}, DType::f32, reference()), Error);
}

TEST_CASE("from and to_vector, for each type") {
  const auto round_trip = [](const auto& v) {
    const Tensor t = Tensor::from(v, {2, 2}, reference());
    CHECK(t.to_vector<typename std::decay_t<decltype(v)>::value_type>() == v);
    return t;
  };
  CHECK(round_trip(std::vector<float>{1, -2.5, 0, 1e-30f}).dtype() == DType::f32);
  CHECK(round_trip(std::vector<double>{1, -2.5, 0, 1e-300}).dtype() == DType::f64);
  CHECK(round_trip(std::vector<std::int64_t>{1, -2, 0, INT64_MAX}).dtype() == DType::i64);
  CHECK(round_trip(std::vector<std::int32_t>{1, -2, 0, INT32_MAX}).bytes() == 16);
  CHECK(has(message<ShapeError>([] {
              Tensor::from(std::vector<double>(3), {2, 2}, reference());
            }),
            "3 values do not fill shape [2, 2], which has 4"));
  CHECK(has(message<DTypeError>(
                [] { Tensor::full({2}, 1, DType::f32, reference()).to_vector<double>(); }),
            "f64"));
}

TEST_CASE("full, zeros, item, to_doubles") {
  CHECK(Tensor::full({3}, -1.5, DType::f32, reference()).to_doubles() ==
        std::vector<double>(3, -1.5));
  CHECK(Tensor::full({2}, 7, DType::i64, reference()).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{7, 7});
  CHECK(Tensor::zeros({}, DType::f64, reference()).item() == 0);
  CHECK(Tensor::full({1, 1}, 4, DType::f32, reference()).item() == 4);
  CHECK(has(message<ShapeError>([] { Tensor::zeros({2}, DType::f32, reference()).item(); }),
            "[2] has 2 values"));
}

TEST_CASE("empty tensors are tensors") {
  const Tensor t = Tensor::zeros({0, 3}, DType::f32, reference());
  CHECK(t.numel() == 0);
  CHECK(t.to_vector<float>().empty());
  CHECK(t.clone().shape() == Shape{0, 3});
  CHECK(t.view({3, 0}).bytes() == 0);
}

TEST_CASE("an undefined handle says so") {
  const Tensor t;
  CHECK(!t.defined());
  CHECK(has(message<GraphError>([&] { t.shape(); }), "undefined"));
  CHECK_THROWS_AS(t.to_vector<float>(), GraphError);
  CHECK_THROWS_AS(t.grad(), GraphError);
  CHECK_THROWS_AS(t.clone(), GraphError);
}

TEST_CASE("copies of a handle and views share values; clones do not") {
  Tensor a = Tensor::zeros({2, 3}, DType::f64, reference());
  const Tensor b = a, view = a.view({6}), detached = a.detach(), clone = a.clone();
  a.fill_(1);
  CHECK(b.to_doubles()[0] == 1);
  CHECK(view.to_doubles() == std::vector<double>(6, 1));
  CHECK(detached.to_doubles()[5] == 1);
  CHECK(clone.to_doubles()[0] == 0);
  CHECK(view.shape() == Shape{6});
  CHECK(has(message<ShapeError>([&] { a.view({4}); }), "[2, 3] has 6 values but [4] needs 4"));
}

TEST_CASE("unique is about values, not only handles") {
  Tensor a = Tensor::zeros({2}, DType::f64, reference());
  CHECK(a.unique());
  {
    const Tensor b = a;
    CHECK(!a.unique());
  }
  {
    const Tensor view = a.view({2, 1});
    CHECK(!a.unique());
    CHECK(!view.unique());
  }
  CHECK(a.unique());
  CHECK(!Tensor().unique());
}

TEST_CASE("copy_ between tensors and devices") {
  for (const DeviceInfo& info : list_devices()) {
    const Tensor a = Tensor::from(std::vector<float>{1, 2, 3}, {3}, device(info.name));
    Tensor b = Tensor::zeros({3}, DType::f32, reference());
    CHECK(b.copy_(a).to_vector<float>() == std::vector<float>{1, 2, 3});
  }
  Tensor b = Tensor::zeros({3}, DType::f32, reference());
  CHECK(has(message<ShapeError>([&] { b.copy_(Tensor::zeros({4}, DType::f32, reference())); }),
            "source is f32 [4] but the target is f32 [3]"));
  CHECK_THROWS_AS(b.copy_(Tensor::zeros({3}, DType::f64, reference())), ShapeError);
}

TEST_CASE("to_dtype converts values and forgets history") {
  Tensor a = Tensor::from(std::vector<double>{1.75, -2.75, 1e-40}, {3}, reference());
  a.set_requires_grad();
  CHECK(a.to_dtype(DType::f32).to_vector<float>()[1] == -2.75f);
  CHECK(a.to_dtype(DType::i64).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, -2, 0});
  CHECK(!a.to_dtype(DType::f32).requires_grad());
  Tensor same = a.to_dtype(DType::f64);
  same.fill_(0);
  CHECK(a.to_doubles()[0] == 1.75);
}

TEST_CASE("what a whole number cannot hold is refused, not wrapped") {
  Backend& b = device("reference");
  CHECK(Tensor::from<double>({-1.9, 2147483647}, {2}, b).to_dtype(DType::i32).to_doubles() ==
        std::vector<double>{-1, 2147483647});
  CHECK(Tensor::from<double>({-0x1p63}, {1}, b).to_dtype(DType::i64).to_doubles()[0] == -0x1p63);
  for (const double bad : {2147483648.0, -2147483649.0, 0.0 * INFINITY, -1.0 * INFINITY})
    CHECK_THROWS_WITH_AS(Tensor::from<double>({bad}, {1}, b).to_dtype(DType::i32),
                         doctest::Contains("is no value of i32, which holds whole numbers of "
                                           "-2147483648 to 2147483647"),
                         ValueError);
  CHECK_THROWS_AS(Tensor::full({2}, 0x1p63, DType::i64, b), ValueError);
  CHECK_THROWS_AS(Tensor::full({2}, 1e10, DType::i32, b), ValueError);
}

TEST_CASE("versions count changes in place") {
  Tensor a = Tensor::zeros({2}, DType::f64, reference());
  const auto version = [&] { return a.impl()->storage->version; };
  const auto before = version();
  a.data();
  a.to_doubles();
  CHECK(version() == before);
  a.mutable_data();
  CHECK(version() == before + 1);
  a.view({2, 1}).fill_(3);
  CHECK(version() == before + 2);
}

TEST_CASE("set_grad takes gradients of the tensor's own shape and type") {
  Tensor a = Tensor::zeros({2}, DType::f64, reference());
  a.set_grad(Tensor::full({2}, 3, DType::f64, reference()));
  CHECK(a.grad().to_doubles() == std::vector<double>{3, 3});
  CHECK_THROWS_AS(a.set_grad(Tensor::zeros({3}, DType::f64, reference())), ShapeError);
  CHECK_THROWS_AS(a.set_grad(Tensor::zeros({2}, DType::f32, reference())), ShapeError);
}
