#pragma once
// The layers of a small AlexNet, for one picture: maps are [channels, side, side]. Each function
// computes for those channels that it is given, and so for a tower as for a whole network; results
// are overwritten. This file is given.
#include <algorithm>
#include <cmath>

#include "rank.h"

namespace course {

// Filters of 3 x 3, one zero around the maps. w [K, C, 3, 3], b [K], x [C, side, side]  ->  y [K,
// side, side]
inline void conv(In w, In b, std::int64_t side, In x, Out y) {
  const std::int64_t plane = side * side, channels = static_cast<std::int64_t>(x.size()) / plane;
  for (std::int64_t k = 0; k < static_cast<std::int64_t>(b.size()); ++k)
    for (std::int64_t i = 0; i < plane; ++i) {
      float sum = b[static_cast<std::size_t>(k)];
      for (std::int64_t t = 0; t < 9 * channels; ++t) {
        const std::int64_t row = i / side + t / 3 % 3 - 1, column = i % side + t % 3 - 1;
        if (row < 0 || row >= side || column < 0 || column >= side) continue;
        sum += w[static_cast<std::size_t>(k * 9 * channels + t)] *
               x[static_cast<std::size_t>(t / 9 * plane + row * side + column)];
      }
      y[static_cast<std::size_t>(k * plane + i)] = sum;
    }
}
// dx is the sum over these filters alone.
inline void conv_backward(In w, std::int64_t side, In x, In dy, Out dw, Out db, Out dx) {
  const std::int64_t plane = side * side, channels = static_cast<std::int64_t>(x.size()) / plane;
  std::fill(dw.begin(), dw.end(), 0.0f);
  std::fill(db.begin(), db.end(), 0.0f);
  std::fill(dx.begin(), dx.end(), 0.0f);
  for (std::int64_t k = 0; k < static_cast<std::int64_t>(db.size()); ++k)
    for (std::int64_t i = 0; i < plane; ++i) {
      const float d = dy[static_cast<std::size_t>(k * plane + i)];
      db[static_cast<std::size_t>(k)] += d;
      for (std::int64_t t = 0; t < 9 * channels; ++t) {
        const std::int64_t row = i / side + t / 3 % 3 - 1, column = i % side + t % 3 - 1;
        if (row < 0 || row >= side || column < 0 || column >= side) continue;
        const auto of_w = static_cast<std::size_t>(k * 9 * channels + t);
        const auto of_x = static_cast<std::size_t>(t / 9 * plane + row * side + column);
        dw[of_w] += d * x[of_x];
        dx[of_x] += d * w[of_w];
      }
    }
}

inline void relu(Out x) {
  for (float& v : x) v = std::max(v, 0.0f);
}
// y: relu's result. dy becomes the gradient of its input.
inline void relu_backward(In y, Out dy) {
  for (std::size_t i = 0; i < y.size(); ++i)
    if (!(y[i] > 0)) dy[i] = 0;
}

// Response normalization over a window of five channels, with the paper's k and beta and a larger
// alpha. x: the channels that are seen; y: those from `begin` on, as many as it has room for.
inline constexpr float kAlpha = 0.1f, kBeta = 0.75f;
inline constexpr std::int64_t kReach = 2;  // channels on either side

inline float scale_of(std::int64_t channel, std::int64_t plane, std::int64_t i, In x) {
  const std::int64_t channels = static_cast<std::int64_t>(x.size()) / plane;
  float sum_of_squares = 0;
  for (std::int64_t j = std::max<std::int64_t>(0, channel - kReach);
       j <= std::min(channels - 1, channel + kReach); ++j) {
    const float v = x[static_cast<std::size_t>(j * plane + i)];
    sum_of_squares += v * v;
  }
  return 2 + kAlpha * sum_of_squares;
}
inline void normalize(std::int64_t begin, std::int64_t plane, In x, Out y) {
  for (std::int64_t o = 0; o < static_cast<std::int64_t>(y.size()); ++o) {
    const std::int64_t channel = begin + o / plane, i = o % plane;
    y[static_cast<std::size_t>(o)] = x[static_cast<std::size_t>(channel * plane + i)] *
                                     std::pow(scale_of(channel, plane, i, x), -kBeta);
  }
}
// dx: of all channels that are seen, the sum over these results alone.
inline void normalize_backward(std::int64_t begin, std::int64_t plane, In x, In dy, Out dx) {
  std::fill(dx.begin(), dx.end(), 0.0f);
  const std::int64_t channels = static_cast<std::int64_t>(x.size()) / plane;
  for (std::int64_t o = 0; o < static_cast<std::int64_t>(dy.size()); ++o) {
    const std::int64_t channel = begin + o / plane, i = o % plane;
    const auto here = static_cast<std::size_t>(channel * plane + i);
    const float scale = scale_of(channel, plane, i, x), d = dy[static_cast<std::size_t>(o)];
    dx[here] += d * std::pow(scale, -kBeta);
    const float slope = -2 * kAlpha * kBeta * d * x[here] * std::pow(scale, -kBeta - 1);
    for (std::int64_t j = std::max<std::int64_t>(0, channel - kReach);
         j <= std::min(channels - 1, channel + kReach); ++j) {
      const auto there = static_cast<std::size_t>(j * plane + i);
      dx[there] += slope * x[there];
    }
  }
}

// Windows of 2 x 2: the largest value. x [C, side, side]  ->  y [C, side/2, side/2]
inline std::size_t largest_of(std::int64_t side, std::int64_t o, In x) {
  const std::int64_t half = side / 2, c = o / (half * half), row = o / half % half * 2,
                     column = o % half * 2;
  auto found = static_cast<std::size_t>((c * side + row) * side + column);
  const std::size_t corner = found;
  for (const std::int64_t step : {std::int64_t{1}, side, side + 1})
    if (x[corner + static_cast<std::size_t>(step)] > x[found])
      found = corner + static_cast<std::size_t>(step);
  return found;
}
inline void pool(std::int64_t side, In x, Out y) {
  for (std::size_t o = 0; o < y.size(); ++o)
    y[o] = x[largest_of(side, static_cast<std::int64_t>(o), x)];
}
inline void pool_backward(std::int64_t side, In x, In dy, Out dx) {
  std::fill(dx.begin(), dx.end(), 0.0f);
  for (std::size_t o = 0; o < dy.size(); ++o)
    dx[largest_of(side, static_cast<std::int64_t>(o), x)] += dy[o];
}

// y = b + w x, w [outputs, inputs]
inline void linear(In w, In b, In x, Out y) {
  for (std::size_t o = 0; o < y.size(); ++o) {
    float sum = b[o];
    for (std::size_t i = 0; i < x.size(); ++i) sum += w[o * x.size() + i] * x[i];
    y[o] = sum;
  }
}
// dx is the sum over these outputs alone.
inline void linear_backward(In w, In x, In dy, Out dw, Out db, Out dx) {
  std::fill(dx.begin(), dx.end(), 0.0f);
  for (std::size_t o = 0; o < dy.size(); ++o) {
    db[o] = dy[o];
    for (std::size_t i = 0; i < x.size(); ++i) {
      dw[o * x.size() + i] = dy[o] * x[i];
      dx[i] += dy[o] * w[o * x.size() + i];
    }
  }
}

}  // namespace course
