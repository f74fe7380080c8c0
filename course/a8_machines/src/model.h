#pragma once
// A small network for task 8.7, whose gradient fits into one array, and the update rule. This file
// is given.
#include <algorithm>
#include <array>
#include <cmath>

#include "rank.h"

namespace course {

using Labels = std::span<const std::int64_t>;

// A picture of 48 values, 6 hidden ones with ReLU, 3 classes. Its weights, one behind the other:
// w1 [6, 48], b1 [6], w2 [3, 6], b2 [3].
inline constexpr std::size_t kPicture = 48, kHidden = 6, kClasses = 3;
inline constexpr std::size_t kWeights =
    kHidden * kPicture + kHidden + kClasses * kHidden + kClasses;  // 315

// The loss -log softmax(z)[label] of one picture, and its gradient g [kWeights].
inline float gradient(In w, In picture, std::int64_t label, Out g) {
  const std::size_t b1 = kHidden * kPicture, w2 = b1 + kHidden, b2 = w2 + kClasses * kHidden;
  std::array<float, kHidden> h = {}, dh = {};
  for (std::size_t j = 0; j < kHidden; ++j) {
    float sum = w[b1 + j];
    for (std::size_t i = 0; i < kPicture; ++i) sum += w[j * kPicture + i] * picture[i];
    h[j] = std::max(sum, 0.0f);
  }
  std::array<float, kClasses> z = {}, p = {};
  for (std::size_t k = 0; k < kClasses; ++k) {
    z[k] = w[b2 + k];
    for (std::size_t j = 0; j < kHidden; ++j) z[k] += w[w2 + k * kHidden + j] * h[j];
  }
  const float most = *std::max_element(z.begin(), z.end());
  float total = 0;
  for (std::size_t k = 0; k < kClasses; ++k) total += p[k] = std::exp(z[k] - most);
  const auto right = static_cast<std::size_t>(label);
  for (std::size_t k = 0; k < kClasses; ++k) {
    const float dz = p[k] / total - (k == right ? 1.0f : 0.0f);
    g[b2 + k] = dz;
    for (std::size_t j = 0; j < kHidden; ++j) {
      g[w2 + k * kHidden + j] = dz * h[j];
      dh[j] += dz * w[w2 + k * kHidden + j];
    }
  }
  for (std::size_t j = 0; j < kHidden; ++j) {
    if (!(h[j] > 0)) dh[j] = 0;
    g[b1 + j] = dh[j];
    for (std::size_t i = 0; i < kPicture; ++i) g[j * kPicture + i] = dh[j] * picture[i];
  }
  return most + std::log(total) - z[right];
}

struct Rule {
  float lr = 0.01f, momentum = 0.9f, decay = 0.0005f;
};
// One step of the paper's rule. sum: the gradients of `batch` pictures, added up.
inline void update(const Rule& rule, std::int64_t batch, In sum, Out w, Out v) {
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float g = sum[i] / static_cast<float>(batch);
    v[i] = rule.momentum * v[i] - rule.decay * rule.lr * w[i] - rule.lr * g;
    w[i] += v[i];
  }
}

// ---- 8.7, step.cpp ----------------------------------------------------------------------------

// One step on a batch, of which each rank has a part of the same size. pictures [count, kPicture].
// w and v are the same on all ranks, before and after. Returns the mean loss of the whole batch.
float data_parallel_step(Rank& me, const Rule& rule, In pictures, Labels labels, Out w, Out v);
// A step for each of `steps` batches, one behind the other in pictures and labels. Rank 0 has the
// first weights; at the others w holds NaN. v begins at 0.
void data_parallel_training(Rank& me, const Rule& rule, std::int64_t steps, In pictures,
                            Labels labels, Out w);

}  // namespace course
