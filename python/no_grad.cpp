// with limulus.no_grad(): ... (NoGrad in core/tensor.h).
#include <memory>
#include <thread>

#include "core/tensor.h"
#include "python/bindings.h"

namespace limulus::python {
namespace {

// A block of code in which nothing is recorded. The state belongs to its thread.
class NoGradBlock {
 public:
  void enter() {
    if (scope_)
      throw nb::builtin_exception(nb::exception_type::runtime_error,
                                  "no_grad: this block has begun already");
    thread_ = std::this_thread::get_id();
    scope_ = std::make_unique<NoGrad>();
  }
  void leave() {
    if (scope_ && thread_ != std::this_thread::get_id())
      throw nb::builtin_exception(nb::exception_type::runtime_error,
                                  "no_grad: the block has to end in the thread that began it");
    scope_.reset();
  }
  NoGradBlock() = default;
  ~NoGradBlock() {  // never left: the variable that it would restore may be another thread's
    if (scope_ && thread_ != std::this_thread::get_id()) static_cast<void>(scope_.release());
  }
  NoGradBlock(NoGradBlock&&) = default;

 private:
  std::unique_ptr<NoGrad> scope_;
  std::thread::id thread_;
};

}  // namespace

void bind_no_grad(nb::module_& m) {
  nb::class_<NoGradBlock>(m, "no_grad",
                          "with no_grad(): ... computes without recording, and may change weights.")
      .def(nb::init<>())
      .def(
          "__enter__",
          [](NoGradBlock& block) -> NoGradBlock& {
            block.enter();
            return block;
          },
          nb::rv_policy::reference)
      .def("__exit__", [](NoGradBlock& block, const nb::args&) { block.leave(); });
}

}  // namespace limulus::python
