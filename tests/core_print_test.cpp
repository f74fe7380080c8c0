// Tensors as they are printed, and their values as spans: what is shown, and what is refused.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/autograd.h"
#include "core/error.h"
#include "core/tensor.h"
#include "gradcheck/cases/host_backend.h"

using namespace limulus;

namespace {

Backend& reference() { return device("reference"); }
constexpr double inf = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::string printed(const T& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}
// Without the first line.
template <class T>
std::string values_of(const std::vector<T>& values, const Shape& shape) {
  const std::string text = printed(Tensor::from(values, shape, reference()));
  return text.substr(text.find('\n') + 1);
}

// A backend whose memory is its own.
struct Elsewhere : HostBackend {
  Elsewhere() : HostBackend("elsewhere") {}
  bool host_memory() const override { return false; }
};

}  // namespace

// What NumPy 2 prints for the same arrays.
TEST_CASE("a tensor is printed with its shape, type and device, as NumPy prints arrays") {
  CHECK(printed(Tensor::from<float>({1, 2, 3.5}, {3}, reference())) ==
        "Tensor [3] f32 on reference\n[1.  2.  3.5]");
  CHECK(values_of<double>({1, 2.5, not_a_number, -0.0, 3, -inf}, {2, 3}) ==
        "[[ 1.   2.5  nan]\n [-0.   3.  -inf]]");
  CHECK(values_of<double>({1. / 3, 2. / 3, 1}, {3}) == "[0.33333333 0.66666667 1.        ]");
  CHECK(values_of<float>({1.f / 3, 0.1f, 100}, {3}) == "[  0.33333334   0.1        100.        ]");
  CHECK(values_of<double>({0.1, 0.2, 0.1 + 0.2}, {3}) == "[0.1 0.2 0.3]");
  CHECK(values_of<double>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}) ==
        "[[[1. 2.]\n  [3. 4.]]\n\n [[5. 6.]\n  [7. 8.]]]");
  CHECK(values_of<double>(std::vector<double>(16, 1), {2, 2, 2, 2}) ==
        "[[[[1. 1.]\n   [1. 1.]]\n\n  [[1. 1.]\n   [1. 1.]]]\n\n\n"
        " [[[1. 1.]\n   [1. 1.]]\n\n  [[1. 1.]\n   [1. 1.]]]]");
}

TEST_CASE("an exponent is written where sizes differ by more than 1,000, or are extreme") {
  CHECK(values_of<double>({999, 1}, {2}) == "[999.   1.]");
  CHECK(values_of<double>({1001, 1}, {2}) == "[1.001e+03 1.000e+00]");
  CHECK(values_of<double>({1e8}, {1}) == "[1.e+08]");
  CHECK(values_of<double>({1e-5, not_a_number}, {2}) == "[1.e-05    nan]");
  CHECK(values_of<double>({1e100, 1e10}, {2}) == "[1.e+100 1.e+010]");
  CHECK(values_of<double>({inf, -inf, not_a_number}, {3}) == "[ inf -inf  nan]");
  CHECK(values_of<float>({std::numeric_limits<float>::denorm_min()}, {1}) == "[1.e-45]");
}

TEST_CASE("scalars, empty tensors, whole numbers and bf16") {
  CHECK(printed(Tensor::from<double>({1.5}, {}, reference())) == "Tensor [] f64 on reference\n1.5");
  CHECK(values_of<double>({1}, {}) == "1.0");
  CHECK(values_of<double>({1e-7}, {}) == "1e-07");
  CHECK(values_of<double>({not_a_number}, {}) == "nan");
  CHECK(printed(Tensor::zeros({0, 3}, DType::f32, reference())) ==
        "Tensor [0, 3] f32 on reference\n[]");
  CHECK(values_of<std::int64_t>({-5, 100, 7}, {3}) == "[ -5 100   7]");
  CHECK(values_of<std::int32_t>({std::numeric_limits<std::int32_t>::min()}, {1}) ==
        "[-2147483648]");
  CHECK(printed(Tensor::from<float>({1, 1.01f}, {2}, reference()).to_dtype(DType::bf16)) ==
        "Tensor [2] bf16 on reference\n[1.        1.0078125]");
  CHECK(printed(Tensor()) == "Tensor (undefined)");
  CHECK(printed(Shape{2, 3}) == "[2, 3]");
  CHECK(printed(DType::f64) == "f64");
}

TEST_CASE("of more than 1,000 values the corners are shown, and long rows are broken") {
  std::vector<std::int64_t> counted(5000);
  std::iota(counted.begin(), counted.end(), 0);
  CHECK(values_of(counted, {50, 100}) ==
        "[[   0    1    2 ...   97   98   99]\n [ 100  101  102 ...  197  198  199]\n"
        " [ 200  201  202 ...  297  298  299]\n ...\n [4700 4701 4702 ... 4797 4798 4799]\n"
        " [4800 4801 4802 ... 4897 4898 4899]\n [4900 4901 4902 ... 4997 4998 4999]]");
  const std::string row = values_of(std::vector<std::int64_t>(30, 1000), {30});
  CHECK(row.find('\n') == 70);  // 14 numbers of 4 digits
  CHECK(row[71] == ' ');
  CHECK(values_of(std::vector<std::int64_t>(1001, 1), {1001}) == "[1 1 1 ... 1 1 1]");
  CHECK(values_of(std::vector<std::int64_t>(1000, 1), {1000}).find("...") == std::string::npos);
  // An axis that is short enough is whole.
  CHECK(values_of(std::vector<std::int64_t>(2002, 1), {1001, 2}) ==
        "[[1 1]\n [1 1]\n [1 1]\n ...\n [1 1]\n [1 1]\n [1 1]]");
}

TEST_CASE("what is in a device's memory is copied to be printed, and is no span") {
  device("reference");
  Elsewhere backend;
  Tensor x = Tensor::from<float>({1, 2}, {2}, backend);
  CHECK(printed(x) == "Tensor [2] f32 on elsewhere\n[1. 2.]");
  CHECK_THROWS_WITH_AS(x.values<float>(),
                       doctest::Contains("the tensor [2] is in the memory of elsewhere"),
                       DeviceError);
  CHECK_THROWS_AS(x.mutable_values<float>(), DeviceError);
  CHECK_THROWS_WITH_AS(x.values<double>(), doctest::Contains("values<float>()"), DTypeError);
}

TEST_CASE("values are a span of the tensor's own memory, of its own type") {
  Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}, reference());
  CHECK(x.values<float>().size() == 6);
  CHECK(x.values<float>()[4] == 5);
  CHECK(x.values<float>().data() == x.data());
  CHECK_THROWS_WITH_AS(
      x.values<double>(),
      "values<double>: the tensor [2, 3] holds f32: 6 values of 4 bytes, 24 bytes, "
      "where double of 8 bytes would be 48; ask for values<float>(), or convert with "
      "to_dtype(DType::f64)",
      DTypeError);
  CHECK_THROWS_AS(x.values<std::int64_t>(), DTypeError);
  CHECK_THROWS_AS(x.values<std::int32_t>(), DTypeError);  // of the same size
  CHECK(Tensor::zeros({0}, DType::f64, reference()).to_vector<double>().empty());
  const Tensor undefined;
  CHECK_THROWS_AS(undefined.values<float>(), GraphError);
}

TEST_CASE("writing through a span is an in-place change: backward notices it") {
  Tensor x = Tensor::from<double>({1, 2}, {2}, reference()).set_requires_grad();
  CHECK_THROWS_WITH_AS(x.mutable_values<double>(), doctest::Contains("NoGrad"), GraphError);
  const Tensor loss = sum(square(x));
  {
    const NoGrad on_purpose;
    x.mutable_values<double>()[0] = 5;
  }
  CHECK(x.values<double>()[0] == 5);
  CHECK_THROWS_AS(loss.backward(), GraphError);
  const Tensor again = sum(square(x));
  CHECK(x.values<double>()[1] == 2);  // reading is none
  CHECK_NOTHROW(again.backward());
}

TEST_CASE("tensors are made of what holds values side by side") {
  const double array[] = {1, 2};
  const std::array<float, 2> floats = {1, 2};
  const std::vector<std::int64_t> labels = {1, 2};
  CHECK(Tensor::from(array, {2}, reference()).dtype() == DType::f64);
  CHECK(Tensor::from(floats, {2}, reference()).dtype() == DType::f32);
  CHECK(Tensor::from(std::span(labels), {2}, reference()).dtype() == DType::i64);
  CHECK(Tensor::from({1.5, 2.5}, {2}, reference()).dtype() == DType::f64);
  CHECK(Tensor::from<std::int64_t>({1, 2}, {2}, reference()).dtype() == DType::i64);
  CHECK_THROWS_AS(Tensor::from({1.5, 2.5}, {3}, reference()), ShapeError);
}
