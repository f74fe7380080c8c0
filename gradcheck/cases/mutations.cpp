#include "gradcheck/cases/mutations.h"

#include <fmt/core.h>

#include "backends/registry.h"
#include "gradcheck/cases/host_backend.h"

namespace limulus {
namespace {

const double* in(const void* array) { return static_cast<const double*>(array); }
double* out(void* array) { return static_cast<double*>(array); }

// Everything that is not overridden falls back to the reference (core/fallback.cpp).
class MutantBackend final : public HostBackend {
 public:
  explicit MutantBackend(const WrongPrimitives& wrong) : HostBackend("mutant"), wrong_(wrong) {}
  std::string description() const override { return "the reference, with a mistake"; }

  void conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy, const void* w,
                             void* dx) override {
    if (wrong_.conv_input) return wrong_.conv_input(s, in(dy), in(w), out(dx));
    Backend::conv2d_backward_input(dtype, s, dy, w, dx);
  }
  void conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x, const void* dy,
                              void* dw) override {
    if (wrong_.conv_weight) return wrong_.conv_weight(s, in(x), in(dy), out(dw));
    Backend::conv2d_backward_weight(dtype, s, x, dy, dw);
  }
  void conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) override {
    if (wrong_.conv_bias) return wrong_.conv_bias(s, in(dy), out(db));
    Backend::conv2d_backward_bias(dtype, s, dy, db);
  }
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override {
    if (wrong_.gemm) return wrong_.gemm(s, in(a), in(b), out(c));
    Backend::gemm(dtype, s, a, b, c);
  }
  void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len, std::int64_t inner,
              const void* x, void* y) override {
    if (wrong_.reduce) return wrong_.reduce(len, inner, in(x), out(y));
    Backend::reduce(dtype, op, outer, len, inner, x, y);
  }
  void max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, const void* argmax,
                           void* dx) override {
    if (wrong_.max_pool)
      return wrong_.max_pool(s, in(dy), static_cast<const std::int32_t*>(argmax), out(dx));
    Backend::max_pool2d_backward(dtype, s, dy, argmax, dx);
  }
  void avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) override {
    if (wrong_.avg_pool) return wrong_.avg_pool(s, in(dy), out(dx));
    Backend::avg_pool2d_backward(dtype, s, dy, dx);
  }
  void lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override {
    if (wrong_.lrn_across) return wrong_.lrn_across(s, in(x), in(dy), out(dx));
    Backend::lrn_across_backward(dtype, s, x, dy, dx);
  }
  void lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override {
    if (wrong_.lrn_within) return wrong_.lrn_within(s, in(x), in(dy), out(dx));
    Backend::lrn_within_backward(dtype, s, x, dy, dx);
  }
  void unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                      const void* dy, void* dx) override {
    if (!wrong_.derivative) return Backend::unary_backward(dtype, op, n, x, y, dy, dx);
    for (std::int64_t i = 0; i < n; ++i)
      out(dx)[i] =
          in(dy)[i] * wrong_.derivative(x == nullptr ? 0 : in(x)[i], y == nullptr ? 0 : in(y)[i]);
  }
  void softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                        const void* dy, void* dx) override {
    if (!wrong_.softmax_row) return Backend::softmax_backward(dtype, rows, cols, y, dy, dx);
    for (std::int64_t r = 0; r < rows; ++r)
      wrong_.softmax_row(cols, in(y) + r * cols, in(dy) + r * cols, out(dx) + r * cols);
  }
  void cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* p,
                              const void* labels, const void* dloss, void* dx) override {
    if (!wrong_.cross_entropy)
      return Backend::cross_entropy_backward(dtype, rows, cols, p, labels, dloss, dx);
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      const std::int64_t label = static_cast<const std::int64_t*>(labels)[i / cols];
      out(dx)[i] = in(dloss)[i / cols] * wrong_.cross_entropy(in(p)[i], i % cols == label);
    }
  }

 private:
  const WrongPrimitives& wrong_;
};

}  // namespace

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> all = [] {
    std::vector<Mutation> bank;
    for (auto part : {conv_mutations, pool_mutations, lrn_mutations, row_mutations, op_mutations,
                      place_mutations})
      for (Mutation& m : part()) bank.push_back(std::move(m));
    return bank;
  }();
  return all;
}

GradcheckReport check_mutation(const Mutation& m, bool curves) {
  device("reference");  // what the mutant falls back to
  MutantBackend backend(m.primitives);
  std::vector<std::pair<std::string, Tensor>> inputs;
  const std::vector<Tensor> values = make_inputs(m.layer, DType::f64, backend);
  for (std::size_t i = 0; i < values.size(); ++i)
    inputs.emplace_back(m.layer.inputs[i].name, values[i]);
  GradcheckOptions options;
  options.curves = curves;
  return gradcheck(m.layer.f, inputs, options);
}

MutationResult judge(const Mutation& m, const GradcheckReport& report) {
  MutationResult r;
  r.caught = report.verdict() == GradcheckVerdict::wrong;
  r.tensor = r.caught;
  bool seen = false;
  for (const GradcheckTensor& t : report.tensors) {
    const bool meant = t.name == m.tensor || m.tensor == "all";
    r.tensor = r.tensor && (t.verdict == GradcheckVerdict::wrong) == meant;
    // Among several tensors, report one whose name differs from the mistake's, if there is one.
    if (meant && (!seen || r.mistake == m.mistake)) r.mistake = t.mistake;
    seen = seen || meant;
  }
  r.diagnosed = !m.mistake.empty() && r.mistake == m.mistake;
  return r;
}

std::string mutation_table() {
  std::string table =
      "| name | the mistake | tensor | caught | diagnosis |\n| --- | --- | --- | --- | --- |\n";
  std::size_t caught = 0, tensor = 0, diagnosed = 0;
  for (const Mutation& m : mutations()) {
    const MutationResult r = judge(m, check_mutation(m));
    caught += r.caught;
    tensor += r.tensor;
    diagnosed += r.diagnosed;
    table += fmt::format("| {} | {} | {} | {} | {} |\n", m.name, m.what, m.tensor,
                         r.tensor   ? "yes"
                         : r.caught ? "wrong tensor"
                                    : "NO",
                         r.mistake.empty() ? "none"
                         : r.diagnosed     ? r.mistake
                                           : r.mistake + " (not the mistake)");
  }
  return table + fmt::format(
                     "\n{} mistakes: {} caught, {} in the right tensor alone, {} with the right "
                     "diagnosis.\n",
                     mutations().size(), caught, tensor, diagnosed);
}

}  // namespace limulus
