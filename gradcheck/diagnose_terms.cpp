// Mistakes in one of the terms of a derivative. Where result and input have the same shape, x_i
// acts on its own result y_i, and often on others too:
//
//     dL/dx_i  =  v_i dy_i/dx_i  +  sum over k not i of  v_k dy_k/dx_i
//
// The two parts, and others that a formula is made of, are known from the numeric side alone.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gradcheck/diagnosis.h"

namespace limulus {
namespace {

using Values = std::vector<double>;

// ---- y_i = f(x_i) -------------------------------------------------------------------------------

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Form {
  const char* name;
  double (*derivative)(double x, double y);
};
// What people write for a derivative by mistake: one term of it, of another function, or evaluated
// at the result where the input was meant.
constexpr Form forms[] = {
    {"y", [](double, double y) { return y; }},
    {"1 - y", [](double, double y) { return 1 - y; }},
    {"y (1 - y)", [](double, double y) { return y * (1 - y); }},
    {"1 - y^2", [](double, double y) { return 1 - y * y; }},
    {"1 + y^2", [](double, double y) { return 1 + y * y; }},
    {"y^2", [](double, double y) { return y * y; }},
    {"2 y", [](double, double y) { return 2 * y; }},
    {"1/y", [](double, double y) { return 1 / y; }},
    {"x", [](double x, double) { return x; }},
    {"2 x", [](double x, double) { return 2 * x; }},
    {"1/x", [](double x, double) { return 1 / x; }},
    {"-1/x^2", [](double x, double) { return -1 / (x * x); }},
    {"1 - x^2", [](double x, double) { return 1 - x * x; }},
    {"x (1 - x)", [](double x, double) { return x * (1 - x); }},
    {"sigmoid'(y)", [](double, double y) { return sigmoid(y) * (1 - sigmoid(y)); }},
    {"1 - tanh(y)^2", [](double, double y) { return 1 - std::tanh(y) * std::tanh(y); }},
    {"e^x", [](double x, double) { return std::exp(x); }},
    {"[x < 0]", [](double x, double) { return x < 0 ? 1.0 : 0.0; }},
};

// sum of a b / sum of b^2: the c with which c b comes closest to a.
double fitted(const Values& a, const Values& b) {
  const double bb = std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
  return bb == 0 ? 0 : std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / bb;
}

GradcheckGuess multiple_of_dy(const GradcheckEvidence& e, const Values& dy) {
  const double c = fitted(e.analytic, dy);
  GradcheckGuess guess{
      "derivative",
      fmt::format("your gradient is {:.6g} dy, whatever x is: the local derivative is missing", c),
      dy, 1};
  for (double& p : guess.predicted) p *= c;
  return guess;
}

// Right where the function has a slope; c dy where it is flat (relu, dropout) and dx should be 0.
GradcheckGuess no_mask(const GradcheckEvidence& e, const Values& dy) {
  Values flat = dy;
  for (std::size_t i = 0; i < e.size(); ++i)
    if (e.jacobian[i][static_cast<std::size_t>(e.at[i])] != 0) flat[i] = 0;
  const double c = fitted(e.analytic, flat);
  GradcheckGuess guess{
      "mask",
      fmt::format(
          "your gradient is {:.6g} dy where the function is flat and the gradient 0: a mask is "
          "missing",
          c),
      e.numeric, 1};
  for (std::size_t i = 0; i < e.size(); ++i) guess.predicted[i] += c * flat[i];
  return guess;
}

}  // namespace

bool GradcheckEvidence::pointwise() const {
  if (!same_shape() || jacobian.empty()) return false;
  for (std::size_t i = 0; i < size(); ++i)
    for (std::size_t k = 0; k < y.size(); ++k)
      if (static_cast<std::int64_t>(k) != at[i] && jacobian[i][k] != 0) return false;
  return true;
}

GradcheckGuesses guess_pointwise(const GradcheckEvidence& e) {
  if (!e.same_shape()) return {};
  const Values dy = e.at_own_place([](double, double, double v) { return v; });
  GradcheckGuesses guesses = {multiple_of_dy(e, dy)};
  if (!e.pointwise()) return guesses;
  guesses.insert(guesses.begin(), no_mask(e, dy));
  for (const Form& form : forms)
    guesses.push_back(
        {"derivative",
         fmt::format("your gradient is dy ({}), with y the result: that is not this function's "
                     "derivative",
                     form.name),
         e.at_own_place([&](double x, double y, double v) { return v * form.derivative(x, y); })});
  return guesses;
}

// ---- two terms ----------------------------------------------------------------------------------

namespace {

// a = p first + q (n - first), with the p and q that fit best: two normal equations.
GradcheckGuess two_terms(const GradcheckEvidence& e, const Values& first, const char* first_name,
                         const char* missing) {
  double ff = 0, fr = 0, rr = 0, fa = 0, ra = 0;
  for (std::size_t i = 0; i < e.size(); ++i) {
    const double f = first[i], r = e.numeric[i] - f, a = e.analytic[i];
    ff += f * f;
    fr += f * r;
    rr += r * r;
    fa += f * a;
    ra += r * a;
  }
  const double determinant = ff * rr - fr * fr;
  // Without a second term, or when the two are the same up to a factor, there is nothing to fit.
  if (e.size() < 4 || !(rr > 1e-14 * ff) || !(determinant > 1e-10 * ff * rr)) return {};
  const double p = (rr * fa - fr * ra) / determinant, q = (ff * ra - fr * fa) / determinant;
  GradcheckGuess guess;
  guess.fitted = 2;
  for (std::size_t i = 0; i < e.size(); ++i)
    guess.predicted.push_back(p * first[i] + q * (e.numeric[i] - first[i]));
  const bool p_right = std::abs(p - 1) < 1e-3, q_right = std::abs(q - 1) < 1e-3;
  if (p_right == q_right) return {};
  if (p_right && std::abs(q) < 1e-3) {
    guess.mistake = "missing term";
    guess.text = fmt::format("your gradient is {} alone: {}", first_name, missing);
  } else if (p_right) {
    guess.mistake = "second term";
    guess.text = fmt::format(
        "the first term, {}, is right; the second is {:.4g} x what it should be", first_name, q);
  } else {
    guess.mistake = "first term";
    guess.text = fmt::format(
        "the first term, {}, is {:.4g} x what it should be; the second is right", first_name, p);
  }
  return guess;
}

// Local response normalization, y = x s^-b. With q = s^-b = y/x the Jacobian is
//     dy_j/dx_i = [i = j] q_i + X_ji,      X_ji = -2 alpha b x_i x_j s_j^(-b - 1) in j's window.
GradcheckGuesses normalization(const GradcheckEvidence& e, const Values& own) {
  GradcheckGuesses guesses;
  const auto q = [&](std::size_t j) { return e.y[j] / e.x[j]; };
  const auto cross = [&](std::size_t i, std::size_t j) {  // X_ji for entry i
    return e.jacobian[i][j] - (e.at[i] == static_cast<std::int64_t>(j) ? q(j) : 0);
  };
  // s_j = q_j^(-1/b). The exponent b is not known here; these are the usual ones.
  for (const double b : {0.75, 0.5, 0.6, 1.0}) {
    GradcheckGuess guess{"exponent",
                         "the first term, dy y/x, is right; in the second a power of s is missing: "
                         "s^-beta in the place of s^(-beta - 1)",
                         own};
    for (std::size_t i = 0; i < e.size(); ++i)
      for (std::size_t j = 0; j < e.y.size(); ++j)
        if (cross(i, j) != 0) guess.predicted[i] += e.v[j] * cross(i, j) * std::pow(q(j), -1 / b);
    guesses.push_back(std::move(guess));
  }
  // An even window reaches further to one side. The j that i acts on are those whose window holds
  // i; the mistake is to take those in i's own window. X_ji = x_i r_j, with r_j = X_jj / x_j.
  if (!e.complete()) return guesses;
  GradcheckGuess guess{"window",
                       "the second term is summed over i's own window instead of the windows that "
                       "hold i: they differ when the size is even",
                       own};
  for (std::size_t i = 0; i < e.size(); ++i)
    for (std::size_t j = 0; j < e.size(); ++j)
      if (i == j || e.jacobian[j][i] != 0)
        guess.predicted[i] += e.v[j] * e.x[i] * cross(j, j) / e.x[j];
  guesses.push_back(std::move(guess));
  return guesses;
}

}  // namespace

GradcheckGuesses guess_terms(const GradcheckEvidence& e) {
  if (!e.same_shape()) return {};
  const Values scaled = e.at_own_place([](double x, double y, double v) { return v * y / x; });
  const bool finite =
      std::all_of(scaled.begin(), scaled.end(), [](double s) { return s - s == 0; });
  GradcheckGuesses guesses;
  if (finite) {
    GradcheckGuess unscaled{"first term",
                            "the second term is right; the first is dy, and not dy y/x: the scale "
                            "s^-beta is missing",
                            e.numeric};
    for (std::size_t i = 0; i < e.size(); ++i)
      unscaled.predicted[i] += e.v[static_cast<std::size_t>(e.at[i])] - scaled[i];
    guesses.push_back(std::move(unscaled));
    guesses.push_back(two_terms(e, scaled, "dy y/x",
                                "the scale s was held constant, and the term of what x_i does to s "
                                "(of its neighbours, too) is missing"));
  }
  guesses.push_back(two_terms(e, e.at_own_place([](double, double y, double v) { return v * y; }),
                              "dy y", "the term with the sum of dy y over the row is missing"));
  if (!e.jacobian.empty()) {
    Values diagonal;
    for (std::size_t i = 0; i < e.size(); ++i) {
      const auto own = static_cast<std::size_t>(e.at[i]);
      diagonal.push_back(e.v[own] * e.jacobian[i][own]);
    }
    guesses.push_back(
        two_terms(e, diagonal, "dy_i dy_i/dx_i", "what x_i does to the other results is missing"));
    if (finite && !e.pointwise())
      for (GradcheckGuess& guess : normalization(e, scaled)) guesses.push_back(std::move(guess));
  }
  std::erase_if(guesses, [](const GradcheckGuess& g) { return g.predicted.empty(); });
  return guesses;
}

}  // namespace limulus
