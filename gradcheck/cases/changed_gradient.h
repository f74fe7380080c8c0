#pragma once
// A mistake of any kind, at any place: an operation that returns x as it is, and whose backward
// changes the gradient that comes back.
#include <functional>
#include <utility>
#include <vector>

#include "core/autograd.h"

namespace limulus {

using Values = std::vector<double>;
using Change = std::function<void(Values&)>;  // of the elements of dx, in row-major order

struct ChangedOp : Op {
  explicit ChangedOp(Change c) : change(std::move(c)) {}
  const char* name() const override { return "changed gradient"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Values d = dy.to_vector<double>();
    change(d);
    return {Tensor::from(d, dy.shape(), dy.backend())};
  }
  Change change;
};

inline Tensor changed(const Tensor& x, const Change& change) {
  return record<ChangedOp>(x.detach().clone(), {x}, {}, change);
}

}  // namespace limulus
