#pragma once
// A network for task 7.6, small enough to be trained in a second. This file is given.
//
//   view [3, 10, 10] -> conv1, 8 filters of 3 x 3 -> ReLU -> max pool of 2 x 2 -> [8, 4, 4]
//                    -> fc2 -> ReLU -> hidden [32] -> (your dropout) -> fc3 -> logits [8]
//
// It takes one view at a time. Gradients are added to Parameter::g, which you set to 0.
#include <algorithm>

#include "training.h"

namespace course {

struct Parameter {
  Parameter(std::string called, std::vector<std::int64_t> sizes) : name(called), shape(sizes) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    w.resize(count), g.resize(count), v.resize(count);
  }
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<double> w, g, v;  // value, gradient, velocity; 0 at first
};

class Network {
 public:
  static constexpr std::int64_t kPicture = 12, kSide = 10, kHidden = 32, kClasses = 8;

  std::vector<Parameter> parameters = {
      {"conv1.weight", {kMaps, 3, 3, 3}},  {"conv1.bias", {kMaps}},
      {"fc2.weight", {kHidden, kPooled}},  {"fc2.bias", {kHidden}},
      {"fc3.weight", {kClasses, kHidden}}, {"fc3.bias", {kClasses}}};

  void hidden(In view, Out h) {
    const double *x = view.data(), *w = parameters[0].w.data();
    for (int k = 0; k < kMaps; ++k)
      for (int place = 0; place < kPlaces; ++place) {
        double most = 0;  // of four sums and of 0: the pool and the ReLU at once
        int at = -1;
        for (int q = 0; q < 4; ++q) {
          const int row = place / 4 * 2 + q / 2, column = place % 4 * 2 + q % 2;
          double sum = parameters[1].w[static_cast<std::size_t>(k)];
          for (int c = 0; c < 3; ++c)
            for (int i = 0; i < 3; ++i)
              for (int j = 0; j < 3; ++j)
                sum += w[((k * 3 + c) * 3 + i) * 3 + j] *
                       x[(c * kSide + row + i) * kSide + column + j];
          if (sum > most) most = sum, at = row * kSide + column;
        }
        pooled_[k * kPlaces + place] = most;
        from_[k * kPlaces + place] = at;
      }
    product(parameters[2], parameters[3], pooled_, h);
    for (std::size_t i = 0; i < h.size(); ++i) {
      on_[i] = h[i] > 0;
      if (!on_[i]) h[i] = 0;
    }
  }
  void logits(In h, Out z) { product(parameters[4], parameters[5], h.data(), z); }

  // h: what logits() was given.
  void logits_backward(In h, In dz, Out dh) {
    product_backward(parameters[4], parameters[5], h.data(), dz, dh.data());
  }
  // view: the one that hidden() was given last.
  void hidden_backward(In view, In dh) {
    double dsum[kHidden], dpooled[kPooled];
    for (std::size_t i = 0; i < dh.size(); ++i) dsum[i] = on_[i] ? dh[i] : 0;
    product_backward(parameters[2], parameters[3], pooled_, dsum, dpooled);
    double *dw = parameters[0].g.data(), *db = parameters[1].g.data();
    for (int i = 0; i < kPooled; ++i) {
      if (from_[i] < 0) continue;
      const int k = i / kPlaces;
      db[k] += dpooled[i];
      for (int tap = 0; tap < 27; ++tap) {
        const int c = tap / 9, row = tap / 3 % 3, column = tap % 3;
        dw[k * 27 + tap] +=
            dpooled[i] *
            view[static_cast<std::size_t>(c * kSide * kSide + from_[i] + row * kSide + column)];
      }
    }
  }

 private:
  static constexpr int kMaps = 8, kPlaces = 16, kPooled = kMaps * kPlaces;

  // y = b + w x
  static void product(const Parameter& w, const Parameter& b, const double* x, Out y) {
    const std::size_t n = static_cast<std::size_t>(w.shape[1]);
    for (std::size_t o = 0; o < y.size(); ++o) {
      const double* row = w.w.data() + o * n;
      double sum = b.w[o];
      for (std::size_t i = 0; i < n; ++i) sum += row[i] * x[i];
      y[o] = sum;
    }
  }
  static void product_backward(Parameter& w, Parameter& b, const double* x, In dy, double* dx) {
    const std::size_t n = static_cast<std::size_t>(w.shape[1]);
    std::fill(dx, dx + n, 0.0);
    for (std::size_t o = 0; o < dy.size(); ++o) {
      const double *row = w.w.data() + o * n, d = dy[o];
      double* drow = w.g.data() + o * n;
      b.g[o] += d;
      for (std::size_t i = 0; i < n; ++i) drow[i] += d * x[i], dx[i] += d * row[i];
    }
  }

  double pooled_[kPooled] = {};
  int from_[kPooled] = {};  // where the window of the largest sum lay, or -1
  bool on_[kHidden] = {};
};

// The loss -log softmax(z)[label] of one view, and its gradient dz.
inline double softmax_loss(In z, std::int64_t label, Out dz) {
  const double most = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (std::size_t i = 0; i < z.size(); ++i) sum += dz[i] = std::exp(z[i] - most);
  for (double& d : dz) d /= sum;
  const std::size_t right = static_cast<std::size_t>(label);
  dz[right] -= 1;
  return most + std::log(sum) - z[right];
}

// ---- 7.6, train.cpp ------------------------------------------------------------------------

// One step on a batch: views [count, 3, 10, 10] and count labels. Returns the mean loss.
double train_step(Network& net, Random& random, double p, const Rule& rule, In views,
                  Labels labels);

struct Recipe {  // of a training
  std::int64_t epochs = 1, batch = 1;
  Rule rule;           // rule.lr is the first rate
  double p = 0.5;      // of dropout
  double sigma = 0.1;  // of the shift of colours
};
// From the first weights to the last step: pictures [count, 3, 12, 12].
void train(Network& net, Random& random, const Recipe& recipe, In pictures, Labels labels);

// Ten views of one picture [3, 12, 12]: the probabilities of the classes.
void predict(Network& net, double p, In picture, Out probabilities);

}  // namespace course
