#pragma once
// Reverse-mode differentiation, all of it.
//
// While operations run forward, each result that depends on a tensor with requires_grad remembers
// the Op that made it, and the Op remembers its inputs and what its derivative needs: together they
// are a graph that points from the loss back to the weights. backward() walks it once:
//
//   1. sort the ops so that each comes after all that use its result (found iteratively: a network
//      of 100,000 operations must not overflow the stack);
//   2. from the loss down, give each Op the gradient of its result, dy = dL/dy, and take from it
//      the gradients of its inputs, dx = dL/dx = dy dy/dx (the chain rule);
//   3. a tensor that was used twice receives two gradients, and they add up: L depends on it along
//      two paths;
//   4. what reaches a leaf is added to its `grad`.
//
// An Op's saved tensors are freed as soon as its backward is done, which is why a second backward
// through the same graph is an error. A saved tensor that was changed in place since would give a
// wrong gradient silently; its version tells, and that is an error too.
//
// Only first derivatives: backward itself is not recorded.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/scoped.h"
#include "core/tensor.h"

namespace limulus {

class Op {
 public:
  virtual ~Op();
  virtual const char* name() const = 0;

  // The gradients of the inputs, in their order, given dy of the result's shape; an undefined
  // tensor where needs(i) is false.
  virtual std::vector<Tensor> backward(const Tensor& dy) = 0;

  std::size_t input_count() const { return inputs_.size(); }
  const Shape& input_shape(std::size_t input) const { return inputs_[input].shape; }
  bool needs(std::size_t input) const { return inputs_[input].needs; }

  // How a new op is recorded; use record<O>() below. A saved tensor may be undefined, when no
  // gradient that is asked for needs it.
  void attach(const std::vector<Tensor>& inputs, const std::vector<Tensor>& saved);

 protected:
  // The tensors that were saved, in order. GraphError when they were freed or changed since.
  template <std::size_t Count>
  std::array<Tensor, Count> saved() const {
    std::array<Tensor, Count> out;
    for (std::size_t i = 0; i < Count; ++i) out[i] = saved_at(i, Count);
    return out;
  }

 private:
  friend class BackwardPass;
  // An edge of the graph. It keeps the op that made the input, or the leaf, but not an input's
  // values: those that backward needs are saved on purpose, all others are freed at once.
  struct Input {
    std::shared_ptr<Op> producer;  // null for a leaf
    Tensor leaf;                   // undefined unless a leaf that needs its gradient
    Shape shape;
    DType dtype = DType::f32;
    bool needs = false;
  };
  struct Saved {
    Tensor tensor;  // detached: a result saved by its own op must not keep that op alive
    std::uint64_t version = 0;
  };
  const Tensor& saved_at(std::size_t i, std::size_t count) const;
  void release();

  std::vector<Input> inputs_;
  std::vector<Saved> saved_;
  bool released_ = false;
  std::string scope_;         // the layer it ran in, for the trace
  std::uint64_t number_ = 0;  // in the order in which ops were recorded
};

// Whether an operation on these inputs must be recorded.
bool must_record(const std::vector<Tensor>& inputs);

// Whether O can be recorded when it is made from Args; what it lacks is said in one line
// (core/check_op.h).
template <class O, class... Args>
constexpr bool check_op();

// Notes on `result` that it was made by an O (constructed from `args`) out of `inputs`, keeping
// `saved` for its backward; returns the result. Does nothing when no input needs a gradient.
template <class O, class... Args>
Tensor record(Tensor result, const std::vector<Tensor>& inputs, const std::vector<Tensor>& saved,
              Args&&... args) {
  if constexpr (check_op<O, Args...>()) {
    if (must_record(inputs)) {
      auto op = std::make_shared<O>(std::forward<Args>(args)...);
      op->attach(inputs, saved);
      result.impl()->requires_grad = true;
      result.impl()->op = std::move(op);
    }
  }
  return result;
}

void run_backward(const Tensor& root, const Tensor& dy);

// While one of these lives, backward() on this thread calls `ready` for each leaf as soon as its
// gradient is complete: the layers behind it are done, and those before it are still to come. So it
// can be sent to other machines meanwhile, or applied. `ready` may take it away from the leaf.
class WhenGradientReady : Scoped<std::function<void(Tensor& leaf)>> {
 public:
  explicit WhenGradientReady(std::function<void(Tensor& leaf)> ready);
};

// Copies values between tensors of one shape and type, through the host when backends differ.
void copy_values(const Tensor& source, Tensor& target);

// DeviceError, DTypeError or ShapeError, naming `op`, when tensors cannot be computed with
// together.
void check_same_place(const char* op, const Tensor& a, const Tensor& b);
void check_floating(const char* op, const Tensor& t);

}  // namespace limulus

#include "core/check_op.h"
