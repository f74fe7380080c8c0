#include "training/parallel_step.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "core/algebra.h"
#include "core/error.h"
#include "layers/cross_entropy.h"
#include "layers/linear.h"
#include "training/freeze.h"
#include "training/metrics.h"

namespace limulus {
namespace {

// a += b for gradients of the same parameters. One that is undefined counts as zeros.
void add_gradients(std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].defined() && !b[i].defined()) continue;
    const Tensor& some = a[i].defined() ? a[i] : b[i];
    const auto zeros = [&] { return Tensor::zeros(some.shape(), some.dtype(), some.backend()); };
    if (!a[i].defined()) a[i] = zeros();
    const Tensor addend = b[i].defined() ? b[i] : zeros();
    a[i].backend().accumulate(a[i].dtype(), a[i].numel(), addend.data(), a[i].mutable_data());
  }
}

void append(std::vector<float>& to, const Tensor& rows) {
  const std::vector<float> values = rows.to_vector<float>();
  to.insert(to.end(), values.begin(), values.end());
}

void check_cut(const Module& model, const Communicator& ranks, std::int64_t micro_batches,
               const Backend& backend) {
  if (!model.buffers().empty() && micro_batches > 1)
    throw ValueError(
        "train: batch normalization looks at all images of a batch, so that the batch cannot be "
        "cut into micro-batches; leave out --micro-batches, or --batch-norm");
  if (micro_batches < ranks.size())
    throw ValueError(fmt::format(
        "train: {} ranks share the micro-batches of a batch, and there {} {}: some would have "
        "nothing to do; give --micro-batches 4, say (12 can be shared evenly by 2, 3, 4 and 6 "
        "ranks). The result depends on this number, and not on how many ranks there are",
        ranks.size(), micro_batches == 1 ? "is" : "are", micro_batches));
  if (ranks.size() > 1 && !backend.host_memory())
    throw DeviceError(
        fmt::format("train: ranks exchange what is in the machine's memory, and that of {} is not: "
                    "use --device cpu",
                    backend.name()));
}

}  // namespace

ParallelStep::ParallelStep(Module& model, Backend& backend, Communicator& ranks,
                           const TrainConfig& config)
    : model_(model),
      backend_(backend),
      ranks_(ranks),
      micro_batches_(config.micro_batches),
      factors_wanted_(config.exchange == Exchange::factors),
      seed_(config.seed),
      share_(leaves_of(ranks.rank(), ranks.size(), config.micro_batches)),
      parameters_(trained_parameters(model)),
      sum_(config.micro_batches, add_gradients) {
  check_cut(model, ranks, micro_batches_, backend);
}

// ---- the step -------------------------------------------------------------------------------

ParallelStep::Result ParallelStep::run(const Batch& mine, std::uint64_t step, bool stop) {
  const std::uint64_t before = ranks_.bytes_sent();
  const auto told = gather(ranks_, std::vector<std::int64_t>{mine.size, stop ? 1 : 0});
  Result result;
  std::vector<std::int64_t> images;  // of each rank
  for (std::size_t i = 0; i < told.size(); i += 2) {
    images.push_back(told[i]);
    result.images += told[i];
    result.stop = result.stop || told[i + 1] != 0;
  }
  if (result.images == 0) return result;

  forward_and_backward(mine, step, result.images);

  // Losses in the order of the batch, and their mean as one rank alone would form it.
  const std::vector<float> losses = gather(ranks_, losses_, images);
  result.loss = mean(Tensor::from(losses, {result.images}, backend_)).item();
  for (const std::int64_t n : gather(ranks_, std::vector<std::int64_t>{right_}))
    result.right += static_cast<double>(n);
  count("losses and counts", "", before);
  if (std::isfinite(result.loss))
    exchange();
  else
    sum_.partials().clear();
  factors_.clear();
  ++steps_;
  return result;
}

// The mean over the batch is a sum over its images, divided by their number on all ranks.
void ParallelStep::forward_and_backward(const Batch& mine, std::uint64_t step,
                                        std::int64_t images) {
  losses_.clear();
  right_ = 0;
  const std::int64_t image = std::int64_t{mine.channels} * mine.side * mine.side;
  std::int64_t first = 0;  // of the images in `mine`
  for (std::int64_t m = share_.begin; m < share_.end; ++m) {
    const std::int64_t n = mine.pieces[static_cast<std::size_t>(m - share_.begin)];
    if (n == 0) {  // none of its images can be used
      sum_.push({m, m + 1}, Gradients(parameters_.size()));
      continue;
    }
    const Tensor x = Tensor::from_host(mine.images.data() + first * image, n * image, DType::f32,
                                       {n, mine.channels, mine.side, mine.side}, backend_);
    const std::int64_t* labels = mine.labels.data() + first;
    first += n;

    // Each micro-batch of the run draws masks of its own, whichever rank it is on.
    model_.set_random(
        seed_, step * static_cast<std::uint64_t>(micro_batches_) + static_cast<std::uint64_t>(m));
    std::optional<TakeLinearFactors> taking;
    if (factors_wanted_)
      taking.emplace([this](const LinearFactors& f) {
        Factors& all = factors_[f.weight.impl().get()];
        all.bias = index_of(f.bias);
        append(all.x, f.x);
        append(all.dy, f.dy);
        all.rows += f.x.size(0);
      });
    const Tensor logits = model_.forward(x);
    const Tensor each =
        cross_entropy_each(logits, Tensor::from_host(labels, n, DType::i64, {n}, backend_));  // [n]
    append(losses_, each);
    const std::vector<float> scores = logits.to_vector<float>();
    const std::int64_t classes = logits.size(1);
    for (std::int64_t i = 0; i < n; ++i)
      right_ += top_k(scores.data() + i * classes, classes, 1)[0] == labels[i] ? 1 : 0;
    (sum(each) / static_cast<double>(images)).backward();
    sum_.push({m, m + 1}, take_gradients());
  }
}

std::int64_t ParallelStep::index_of(const Tensor& parameter) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameter.defined() && parameters_[i].second.impl() == parameter.impl())
      return static_cast<std::int64_t>(i);
  return -1;
}

ParallelStep::Gradients ParallelStep::take_gradients() {
  Gradients gradients;
  for (auto& [name, w] : parameters_) {
    gradients.push_back(w.grad());
    w.zero_grad();
  }
  return gradients;
}

// ---- what the ranks tell each other -----------------------------------------------------------

// What is there to exchange? A rank none of whose images can be used does not know it.
std::vector<ParallelStep::Known> ParallelStep::tell_what_is_known() {
  const std::uint64_t before = ranks_.bytes_sent();
  std::vector<std::int64_t> mine;  // three numbers for each parameter
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& partials = sum_.partials();
    const bool gradient = std::any_of(partials.begin(), partials.end(),
                                      [i](const auto& p) { return p.value[i].defined(); });
    const auto found = factors_.find(parameters_[i].second.impl().get());
    const bool factors = found != factors_.end();
    mine.push_back(gradient ? 1 : 0);
    mine.push_back(factors ? found->second.rows : 0);
    mine.push_back(factors ? found->second.bias : -1);
  }
  const std::vector<std::int64_t> all = gather(ranks_, mine);
  std::vector<Known> known(parameters_.size());
  for (std::size_t i = 0; i < all.size(); i += 3) {
    Known& k = known[i / 3 % known.size()];
    k.gradient = k.gradient || all[i] != 0;
    k.rows.push_back(all[i + 1]);
    k.bias = std::max(k.bias, all[i + 2]);
  }
  count("losses and counts", "", before);
  return known;
}

void ParallelStep::exchange() {
  const std::vector<Known> known = tell_what_is_known();
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (std::any_of(known[i].rows.begin(), known[i].rows.end(), [](auto n) { return n > 0; }))
      exchange_factors(i, known[i]);
    if (known[i].gradient) exchange_gradient(i);
  }
  sum_.partials().clear();
}

void ParallelStep::exchange_gradient(std::size_t parameter) {
  auto& [name, w] = parameters_[parameter];
  auto& partials = sum_.partials();
  for (auto& partial : partials) {
    Tensor& g = partial.value[parameter];
    if (!g.defined()) g = Tensor::zeros(w.shape(), w.dtype(), backend_);
  }
  Tensor sum = partials.front().value[parameter];
  if (ranks_.size() > 1) {
    const std::uint64_t before = ranks_.bytes_sent();
    std::vector<std::span<const float>> mine;
    for (const auto& partial : partials) mine.push_back(partial.value[parameter].values<float>());
    tree_all_reduce(ranks_, micro_batches_, mine, sum.mutable_values<float>());
    count(name, "gradient", before);
  }
  w.set_grad(std::move(sum));
}

// dw = dy^T x, of the rows of all ranks: on all of them, and with the same bits.
void ParallelStep::exchange_factors(std::size_t parameter, const Known& known) {
  auto& [name, w] = parameters_[parameter];
  const std::int64_t out = w.size(0), in = w.size(1);
  Factors& mine = factors_[w.impl().get()];
  const std::uint64_t before = ranks_.bytes_sent();
  const auto gathered = [&](const std::vector<float>& values, std::int64_t width) {
    std::vector<std::int64_t> counts = known.rows;
    for (std::int64_t& n : counts) n *= width;
    const std::vector<float> all = gather(ranks_, values, counts);
    return Tensor::from(all, {std::ssize(all) / width, width}, backend_);
  };
  const Tensor x = gathered(mine.x, in), dy = gathered(mine.dy, out);
  count(name, "factors", before);
  w.set_grad(linear_weight_gradient(x, dy));
  if (known.bias >= 0)
    parameters_[static_cast<std::size_t>(known.bias)].second.set_grad(linear_bias_gradient(dy));
}

// ---- what it costs ----------------------------------------------------------------------------

void ParallelStep::count(const std::string& name, const char* as, std::uint64_t before) {
  auto found = std::find_if(traffic_.begin(), traffic_.end(),
                            [&](const Traffic& t) { return t.name == name; });
  if (found == traffic_.end()) found = traffic_.insert(traffic_.end(), {name, as, 0});
  found->bytes += static_cast<double>(ranks_.bytes_sent() - before);
}

std::vector<Traffic> ParallelStep::traffic() const {
  std::vector<Traffic> per_step = traffic_;
  for (Traffic& t : per_step) t.bytes /= static_cast<double>(std::max<std::int64_t>(1, steps_));
  return per_step;
}

std::string traffic_text(const std::vector<Traffic>& traffic, int ranks) {
  std::string text = fmt::format("What each of {} ranks sends in a step\n{:<24}{:<10}{:>12}\n",
                                 ranks, "for", "as", "bytes");
  double total = 0;
  for (const Traffic& t : traffic) {
    text += fmt::format("{:<24}{:<10}{:>12.0f}\n", t.name, t.as, t.bytes);
    total += t.bytes;
  }
  return text + fmt::format("{:<24}{:<10}{:>12.0f}  {:.1f} MB", "total", "", total, total / 1e6);
}

}  // namespace limulus
