#include "judge.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "gradcheck/diagnosis.h"
#include "judge_serve.h"

namespace course {

std::string written(double value) {
  if (std::isnan(value)) return "NaN (never written, or computed from what never was)";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string written(const Sizes& numbers) {
  std::string out = "[";
  for (const std::int64_t n : numbers) out += (out.size() > 1 ? ", " : "") + std::to_string(n);
  return out + "]";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char code[8];
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // a student's text may be of any encoding
      std::snprintf(code, sizeof code, "\\u%04x", byte);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

Doubles normal(Rng& rng, std::int64_t count) {
  Doubles values(static_cast<std::size_t>(count));
  for (double& v : values) v = rng.normal();
  return values;
}

std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

void compare(const std::string& name, const Shape& shape, const Doubles& expected,
             const Doubles& got, double tolerance) {
  if (got.size() != expected.size())
    throw Wrong(name + " has " + std::to_string(got.size()) + " values; expected " + shape.str() +
                ": " + std::to_string(expected.size()));
  double squares = 0;
  for (const double e : expected) squares += e * e;
  const double size = std::sqrt(squares / std::max(1.0, static_cast<double>(expected.size())));
  std::size_t first = expected.size(), count = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // Written so that NaN differs from everything.
    if (std::abs(got[i] - expected[i]) <= tolerance * std::max(size, std::abs(expected[i])))
      continue;
    first = std::min(first, i);
    ++count;
  }
  if (count == 0) return;
  const std::string at =
      shape.rank() == 0 ? "" : written(limulus::index_of(static_cast<std::int64_t>(first), shape));
  throw Wrong(name + at + ": expected " + written(expected[first]) + ", got " +
              written(got[first]) + "\n" + std::to_string(count) + " of " +
              std::to_string(expected.size()) + " values of " + name + " " + shape.str() +
              " differ; the above is the first");
}

void compare(const std::string& name, std::int64_t expected, std::int64_t got) {
  if (got != expected)
    throw Wrong(name + ": expected " + std::to_string(expected) + ", got " + std::to_string(got));
}

void compare(const std::string& name, const Integers& expected, const Integers& got) {
  if (got.size() != expected.size())
    throw Wrong(name + ": expected " + std::to_string(expected.size()) + " numbers, got " +
                std::to_string(got.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (got[i] != expected[i])
      throw Wrong(name + "[" + std::to_string(i) + "]: expected " + std::to_string(expected[i]) +
                  ", got " + std::to_string(got[i]));
}

namespace {

// dy_k/dx_i for all k, for each i: by central differences, whose error (about 1e-10) is far below
// what a diagnosis has to tell apart (1e-3 of a mistake).
std::vector<Doubles> jacobian(const Gradient& g) {
  constexpr double h = 1e-5;
  std::vector<Doubles> columns;
  Doubles x = g.x;
  for (double& xi : x) {
    const double before = xi;
    xi = before + h;
    Doubles column = g.f(x);
    xi = before - h;
    const Doubles lower = g.f(x);
    xi = before;
    for (std::size_t k = 0; k < column.size(); ++k) column[k] = (column[k] - lower[k]) / (2 * h);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string diagnosis(const Gradient& g, const Doubles& expected, const Doubles& got,
                      double tolerance) {
  const auto unwritten =
      std::count_if(got.begin(), got.end(), [](double v) { return std::isnan(v); });
  if (unwritten > 0)
    return std::to_string(unwritten) + " of " + std::to_string(got.size()) +
           " values are NaN. Outputs hold NaN before the call: was a value never written, or was "
           "something added (+=) to memory that nobody had set to 0?";
  limulus::GradcheckEvidence e{g.shape, g.y_shape, g.x, g.y, g.dy, {}, got, expected, {}, {}};
  double squares = 0;
  for (const double n : expected) squares += n * n;
  const double size = std::sqrt(squares / static_cast<double>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    e.at.push_back(static_cast<std::int64_t>(i));
    e.wrong.push_back(std::abs(got[i] - expected[i]) >
                      tolerance * std::max(size, std::abs(expected[i])));
  }
  if (g.x.size() * g.y.size() <= std::size_t{1} << 18) e.jacobian = jacobian(g);
  return limulus::diagnose(e).text;
}

}  // namespace

void compare_gradient(const Gradient& g, const Doubles& expected, const Doubles& got,
                      double tolerance) {
  try {
    compare(g.name, g.shape, expected, got, tolerance);
  } catch (const Wrong& wrong) {
    std::string text = wrong.what();
    if (got.size() == expected.size())
      if (const std::string found = diagnosis(g, expected, got, tolerance); !found.empty())
        text += "\ndiagnosis: " + found;
    throw Wrong(text);
  }
}

}  // namespace course
