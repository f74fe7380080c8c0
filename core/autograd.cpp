#include "core/autograd.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/trace.h"

namespace limulus {

// ---- Op -------------------------------------------------------------------------------------

// A long chain of ops would be destroyed by recursion, one stack frame per op: unlink it in a loop.
Op::~Op() {
  std::vector<Input> pending = std::move(inputs_);
  while (!pending.empty()) {
    const std::shared_ptr<Op> producer = std::move(pending.back().producer);
    pending.pop_back();
    if (!producer || producer.use_count() != 1) continue;
    for (Input& input : producer->inputs_) pending.push_back(std::move(input));
    producer->inputs_.clear();
  }
}

void Op::attach(const std::vector<Tensor>& inputs, const std::vector<Tensor>& saved) {
  for (const Tensor& t : inputs) {
    const bool needs = t.requires_grad();
    inputs_.push_back(
        {t.impl()->op, needs && t.is_leaf() ? t : Tensor(), t.shape(), t.dtype(), needs});
  }
  for (const Tensor& t : saved)  // undefined: not needed for the gradients that are asked for
    saved_.push_back(t.defined() ? Saved{t.detach(), t.impl()->storage->version} : Saved{});
  scope_ = TraceScope::current();
  static std::atomic<std::uint64_t> count = 0;
  number_ = ++count;
}

const Tensor& Op::saved_at(std::size_t i, std::size_t count) const {
  if (count != saved_.size())
    throw GraphError(fmt::format("{}: saved {} tensors but its backward asks for {}", name(),
                                 saved_.size(), count));
  const Saved& s = saved_[i];
  if (!s.tensor.defined()) return s.tensor;
  const std::uint64_t now = s.tensor.impl()->storage->version;
  if (now != s.version)
    throw GraphError(fmt::format(
        "backward of {}: a tensor {} that it saved was changed in place since (version {} then, {} "
        "now), so the gradient would be wrong; change a clone() instead, or after backward()",
        name(), s.tensor.shape().str(), s.version, now));
  return s.tensor;
}

void Op::release() {
  saved_.clear();
  released_ = true;
}

bool must_record(const std::vector<Tensor>& inputs) {
  if (!NoGrad::recording()) return false;
  for (const Tensor& t : inputs)
    if (t.requires_grad()) return true;
  return false;
}

// ---- backward -------------------------------------------------------------------------------

// sum += addend, in place where nobody else can see it: an op may have handed one tensor to two
// inputs (add does), or kept it.
static void add_to(Tensor& sum, Tensor addend, bool keep) {
  if (!sum.defined()) {
    sum = keep && !addend.unique() ? addend.clone() : std::move(addend);
    return;
  }
  if (!sum.unique()) sum = sum.clone();
  sum.backend().accumulate(sum.dtype(), sum.numel(), addend.data(), sum.mutable_data());
}

static thread_local std::function<void(Tensor&)> gradient_ready;

WhenGradientReady::WhenGradientReady(std::function<void(Tensor&)> ready)
    : Scoped(gradient_ready, std::move(ready)) {}

class BackwardPass {
 public:
  BackwardPass(const std::shared_ptr<Op>& root, const Tensor& dy) {
    sort(root.get());
    for (const Op* op : order_)
      if (op->released_)
        throw GraphError(fmt::format(
            "backward: the graph was already used: '{}' freed what it had saved when backward ran "
            "the first time; run the forward pass again",
            op->name()));
    gradient_[root.get()] = dy;
  }

  void run() {
    for (Op* op : order_) {
      auto found = gradient_.find(op);
      if (found != gradient_.end()) {
        const Tensor dy = std::move(found->second);
        gradient_.erase(found);
        visit(*op, dy);
      }
      op->release();
      if (gradient_ready) announce_leaves(*op);
    }
  }

 private:
  // Each op after all ops that use its result: the reverse of the order in which they were
  // recorded, as what an op reads was made before it. The walk that finds them keeps a stack of its
  // own. (Any order with that property gives the gradients. In this one, two devices whose work was
  // given to them in turns forward have it in turns backward, too.)
  void sort(Op* root) {
    std::unordered_set<Op*> seen;
    std::vector<Op*> stack;
    const auto enter = [&](Op* op) {
      if (op != nullptr && seen.insert(op).second) stack.push_back(op);
    };
    enter(root);
    while (!stack.empty()) {
      Op* op = stack.back();
      stack.pop_back();
      order_.push_back(op);
      for (const Op::Input& input : op->inputs_) {
        enter(input.producer.get());
        if (gradient_ready && input.leaf.defined()) ++uses_[input.leaf.impl().get()];
      }
    }
    std::sort(order_.begin(), order_.end(),
              [](const Op* a, const Op* b) { return a->number_ > b->number_; });
  }

  void visit(Op& op, const Tensor& dy) {
    const TraceScope scope(op.scope_, true);
    std::vector<Tensor> dx = op.backward(dy);
    if (dx.size() != op.inputs_.size())
      throw GraphError(fmt::format("backward of {}: returned {} gradients for {} inputs", op.name(),
                                   dx.size(), op.inputs_.size()));
    for (std::size_t i = 0; i < dx.size(); ++i) {
      Op::Input& x = op.inputs_[i];
      if (!x.needs) continue;
      check(op, i, x, dx[i]);
      if (x.leaf.defined())
        add_to(x.leaf.impl()->grad, std::move(dx[i]), true);
      else
        add_to(gradient_[x.producer.get()], std::move(dx[i]), false);
    }
  }

  // A leaf has its gradient when all ops that read it are done.
  void announce_leaves(Op& op) {
    for (Op::Input& input : op.inputs_)
      if (input.leaf.defined() && --uses_.at(input.leaf.impl().get()) == 0)
        gradient_ready(input.leaf);
  }

  static void check(const Op& op, std::size_t i, const Op::Input& x, const Tensor& dx) {
    if (!dx.defined())
      throw GraphError(fmt::format(
          "backward of {}: it returned no gradient for input {}, which needs one", op.name(), i));
    if (dx.shape() != x.shape || dx.dtype() != x.dtype)
      throw GraphError(fmt::format(
          "backward of {}: the gradient of input {} is {} {} but the input is {} {}", op.name(), i,
          name_of(dx.dtype()), dx.shape().str(), name_of(x.dtype), x.shape.str()));
  }

  std::vector<Op*> order_;
  std::unordered_map<Op*, Tensor> gradient_;         // dL/d(result) of ops still to be visited
  std::unordered_map<const TensorImpl*, int> uses_;  // of each leaf, by ops still to be visited
};

void run_backward(const Tensor& root, const Tensor& dy) {
  if (!root.requires_grad())
    throw GraphError(
        "backward: nothing this tensor depends on requires a gradient (set_requires_grad() on the "
        "weights, and no NoGrad scope around the forward pass)");
  if (dy.shape() != root.shape() || dy.dtype() != root.dtype())
    throw ShapeError(fmt::format("backward: dy is {} {} but the tensor is {} {}",
                                 name_of(dy.dtype()), dy.shape().str(), name_of(root.dtype()),
                                 root.shape().str()));
  const NoGrad no_recording;
  if (root.is_leaf()) {
    add_to(root.impl()->grad, dy, true);
    Tensor leaf = root;
    if (gradient_ready) gradient_ready(leaf);
  } else {
    BackwardPass(root.impl()->op, dy).run();
  }
}

// ---- helpers --------------------------------------------------------------------------------

void copy_values(const Tensor& source, Tensor& target) {
  Backend& from = source.backend();
  Backend& to = target.backend();
  if (&from == &to) {
    const std::int64_t n = source.numel();
    to.copy_block(source.dtype(), {1, n, 0, n, 0, n}, source.data(), target.mutable_data());
  } else {
    std::vector<unsigned char> host(source.bytes());
    from.download(host.data(), source.data(), host.size());
    to.upload(target.mutable_data(), host.data(), host.size());
  }
}

void check_floating(const char* op, const Tensor& t) {
  if (t.dtype() != DType::f32 && t.dtype() != DType::f64)
    throw DTypeError(
        fmt::format("{}: needs a tensor of f32 or f64, not {}", op, name_of(t.dtype())));
}

void check_same_place(const char* op, const Tensor& a, const Tensor& b) {
  check_floating(op, a);
  if (a.dtype() != b.dtype())
    throw DTypeError(
        fmt::format("{}: one tensor is {} and the other {}; convert one with to_dtype()", op,
                    name_of(a.dtype()), name_of(b.dtype())));
  if (&a.backend() != &b.backend())
    throw DeviceError(fmt::format("{}: one tensor is on {} and the other on {}; move one with to()",
                                  op, a.backend().name(), b.backend().name()));
}

}  // namespace limulus
