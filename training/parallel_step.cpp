#include "training/parallel_step.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "core/algebra.h"
#include "core/autograd.h"
#include "core/error.h"
#include "core/trace.h"
#include "layers/cross_entropy.h"
#include "training/freeze.h"
#include "training/metrics.h"

namespace limulus {
namespace {

// a += b for gradients of the same parameter. One that is undefined counts as zeros.
void add_gradient(Tensor& a, const Tensor& b) {
  if (!a.defined() && !b.defined()) return;
  const Tensor& some = a.defined() ? a : b;
  const auto zeros = [&] { return Tensor::zeros(some.shape(), some.dtype(), some.backend()); };
  if (!a.defined()) a = zeros();
  const Tensor addend = b.defined() ? b : zeros();
  a.backend().accumulate(a.dtype(), a.numel(), addend.data(), a.mutable_data());
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr const char* kCounts = "losses and counts";

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
        "ranks). The result depends on this number, and not on how many ranks there are. (Two "
        "ranks "
        "without it train alexnet-towers with a tower each)",
        ranks.size(), micro_batches == 1 ? "is" : "are", micro_batches));
  if (ranks.size() > 1) check_memory(backend);
}

}  // namespace

void check_memory(const Backend& backend) {
  if (!backend.host_memory())
    throw DeviceError(
        fmt::format("train: ranks exchange what is in the machine's memory, and that of {} is not: "
                    "use --device cpu",
                    backend.name()));
}

// What this rank sent, and for what. Errands add to it, one at a time.
struct ParallelStep::Counts {
  std::map<std::string, Traffic> sums;  // over steps

  void add(const std::string& name, const char* as, std::uint64_t bytes) {
    Traffic& t = sums.try_emplace(name, Traffic{name, as, 0}).first->second;
    t.bytes += static_cast<double>(bytes);
  }
};

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
      counts_(std::make_shared<Counts>()) {
  check_cut(model, ranks, micro_batches_, backend);
}

// ---- the step -------------------------------------------------------------------------------

ParallelStep::Result ParallelStep::run(const Batch& mine, std::uint64_t step, bool stop) {
  const std::uint64_t before = ranks_.bytes_sent();
  const auto told = gather(ranks_, std::vector<std::int64_t>{mine.size, stop ? 1 : 0});
  counts_->add(kCounts, "", ranks_.bytes_sent() - before);
  Result result;
  images_.clear();
  for (std::size_t i = 0; i < told.size(); i += 2) {
    images_.push_back(told[i]);
    result.images += told[i];
    result.stop = result.stop || told[i + 1] != 0;
  }
  if (result.images == 0) return result;

  begin_step(mine);
  forward_and_backward(mine, step, result.images);
  if (!planned_) {
    wait_for(told_);
    make_plan();
  }
  for (std::size_t p = 0; p < parameters_.size(); ++p) complete(p);

  // Losses in the order of the batch, and their mean as one rank alone would form it.
  wait_for(told_);
  result.loss = mean(Tensor::from(all_->losses, {result.images}, backend_)).item();
  result.right = static_cast<double>(all_->right);
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    wait_for(on_the_way_[i].there);
    if (std::isfinite(result.loss)) take(plan_[i], on_the_way_[i]);
  }
  check_all_sent();
  ++steps_;
  return result;
}

void ParallelStep::begin_step(const Batch& mine) {
  last_ = -1;
  for (std::int64_t m = share_.begin; m < share_.end; ++m)
    if (mine.size > 0 && mine.pieces[static_cast<std::size_t>(m - share_.begin)] > 0) last_ = m;
  mine_ = {};
  all_ = std::make_shared<Told>();
  sums_.assign(parameters_.size(), TreeSum<Tensor>(micro_batches_, add_gradient));
  next_.assign(parameters_.size(), share_.begin);
  factors_.assign(parameters_.size(), {});
  complete_.assign(parameters_.size(), false);
  first_seen_.clear();
  on_the_way_.clear();
}

void ParallelStep::forward_and_backward(const Batch& mine, std::uint64_t step,
                                        std::int64_t images) {
  const WhenGradientReady ready([this](Tensor& w) { has_gradient(w); });
  std::optional<TakeLinearFactors> taking;
  if (factors_wanted_) taking.emplace([this](const LinearFactors& f) { has_factors(f); });
  const std::int64_t image = std::int64_t{mine.channels} * mine.side * mine.side;
  std::int64_t first = 0;  // of the images in `mine`
  for (micro_batch_ = share_.begin; micro_batch_ <= last_; ++micro_batch_) {
    const std::int64_t n = mine.pieces[static_cast<std::size_t>(micro_batch_ - share_.begin)];
    if (n == 0) continue;  // none of its images can be used
    const Tensor x = Tensor::from_host(mine.images.data() + first * image, n * image, DType::f32,
                                       {n, mine.channels, mine.side, mine.side}, backend_);
    // Each micro-batch of the run draws masks of its own, whichever rank it is on.
    model_.set_random(seed_, step * static_cast<std::uint64_t>(micro_batches_) +
                                 static_cast<std::uint64_t>(micro_batch_));
    learn(x, mine.labels.data() + first, images);
    first += n;
  }
  if (last_ < 0) tell_losses();
}

// The mean over the batch is a sum over its images, divided by their number on all ranks.
void ParallelStep::learn(const Tensor& x, const std::int64_t* labels, std::int64_t images) {
  const std::int64_t n = x.size(0);
  for (Factors& f : factors_) f.uses = 0;
  const Tensor logits = model_.forward(x);
  const Tensor each =
      cross_entropy_each(logits, Tensor::from_host(labels, n, DType::i64, {n}, backend_));  // [n]
  append(mine_.losses, each);
  const std::vector<float> scores = logits.to_vector<float>();
  const std::int64_t classes = logits.size(1);
  for (std::int64_t i = 0; i < n; ++i)
    mine_.right += top_k(scores.data() + i * classes, classes, 1)[0] == labels[i] ? 1 : 0;
  if (micro_batch_ == last_) tell_losses();
  (sum(each) / static_cast<double>(images)).backward();
}

std::int64_t ParallelStep::index_of(const Tensor& parameter) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameter.defined() && parameters_[i].second.impl() == parameter.impl())
      return static_cast<std::int64_t>(i);
  return -1;
}

// ---- what backward hands out ------------------------------------------------------------------

void ParallelStep::has_gradient(Tensor& w) {
  const std::int64_t index = index_of(w);
  if (index < 0) return;
  const auto p = static_cast<std::size_t>(index);
  first_seen_.push_back(index);
  leave_out(p, micro_batch_);
  sums_[p].push({micro_batch_, micro_batch_ + 1}, w.grad());
  next_[p] = micro_batch_ + 1;
  w.zero_grad();
  if (micro_batch_ == last_) complete(p);
}

void ParallelStep::has_factors(const LinearFactors& f) {
  const auto p = static_cast<std::size_t>(index_of(f.weight));
  first_seen_.push_back(index_of(f.weight));
  Factors& all = factors_[p];
  all.bias = index_of(f.bias);
  append(all.x, f.x);
  append(all.dy, f.dy);
  ++all.uses;
  const auto item = std::find_if(plan_.begin(), plan_.end(),
                                 [p](const Item& i) { return std::cmp_equal(i.parameter, p); });
  if (micro_batch_ == last_ && item != plan_.end() && all.uses == item->uses) complete(p);
}

// The micro-batches before `end` that have given a parameter no gradient.
void ParallelStep::leave_out(std::size_t parameter, std::int64_t end) {
  for (std::int64_t& m = next_[parameter]; m < end; ++m)
    sums_[parameter].push({m, m + 1}, Tensor());
}

// This rank has all that it will have for the parameter in this step. Whatever comes next in the
// plan is sent, if it is complete.
void ParallelStep::complete(std::size_t parameter) {
  complete_[parameter] = true;
  while (on_the_way_.size() < plan_.size()) {
    const Item& item = plan_[on_the_way_.size()];
    if (!complete_[static_cast<std::size_t>(item.parameter)]) return;
    on_the_way_.push_back(item.uses == 0 ? send_gradient(item) : send_factors(item));
  }
}

// ---- what the ranks tell each other -----------------------------------------------------------

// What is there to exchange, and in which order? All need the same answer, and a rank none of whose
// images can be used does not know. So the first that has images tells.
void ParallelStep::make_plan() {
  const auto teller = static_cast<int>(
      std::find_if(images_.begin(), images_.end(), [](auto n) { return n > 0; }) - images_.begin());
  if (teller == ranks_.rank())
    for (const std::int64_t index : first_seen_) {
      const Factors& f = factors_[static_cast<std::size_t>(index)];
      if (std::none_of(plan_.begin(), plan_.end(), [&](auto& i) { return i.parameter == index; }))
        plan_.push_back({index, f.bias, f.uses});
    }
  std::int64_t items = std::ssize(plan_);
  ranks_.broadcast(std::as_writable_bytes(std::span(&items, 1)), teller);
  plan_.resize(static_cast<std::size_t>(items));
  ranks_.broadcast(std::as_writable_bytes(std::span(plan_)), teller);
  planned_ = true;
}

template <class F>
std::future<void> ParallelStep::send(const std::string& name, const char* as, F errand) {
  return courier_.send([name, as, errand, counts = counts_, &ranks = ranks_] {
    const auto began = Clock::now();
    const std::uint64_t before = ranks.bytes_sent();
    errand(ranks);
    const std::uint64_t bytes = ranks.bytes_sent() - before;
    counts->add(name, as, bytes);
    if (tracing() && ranks.size() > 1)
      trace({.primitive = "exchange",
             .kernel = "ranks",
             .method = *as == '\0' ? "value" : as,
             .backend = fmt::format("rank {}", ranks.rank()),
             .shapes = fmt::format("{} bytes sent", bytes),
             .scope = name,
             .backward = true,
             .seconds = seconds_since(began)});
  });
}

void ParallelStep::wait_for(std::future<void>& errand) {
  if (!errand.valid()) return;
  const auto began = Clock::now();
  errand.get();
  waited_ += seconds_since(began);
}

void ParallelStep::tell_losses() {
  told_ = send(kCounts, "", [mine = mine_, images = images_, all = all_](Communicator& ranks) {
    all->losses = gather(ranks, mine.losses, images);
    for (const std::int64_t n : gather(ranks, std::vector<std::int64_t>{mine.right}))
      all->right += n;
  });
}

ParallelStep::OnTheWay ParallelStep::send_gradient(const Item& item) {
  const auto p = static_cast<std::size_t>(item.parameter);
  const auto& [name, w] = parameters_[p];
  leave_out(p, share_.end);
  std::vector<Tensor> mine;
  std::vector<std::span<const float>> values;
  for (auto& partial : sums_[p].partials()) {
    Tensor& g = partial.value;
    if (!g.defined()) g = Tensor::zeros(w.shape(), w.dtype(), backend_);
    mine.push_back(g);
  }
  OnTheWay sent;
  sent.sum = mine.front();
  if (ranks_.size() == 1) return sent;
  for (const Tensor& g : mine) values.push_back(g.values<float>());
  const std::span<float> result = sent.sum.mutable_values<float>();
  sent.there = send(name, "gradient", [mine, values, result, n = micro_batches_](auto& ranks) {
    tree_all_reduce(ranks, n, values, result);
  });
  return sent;
}

ParallelStep::OnTheWay ParallelStep::send_factors(const Item& item) {
  const auto p = static_cast<std::size_t>(item.parameter);
  const auto& [name, w] = parameters_[p];
  OnTheWay sent;
  sent.gathered = std::make_shared<Factors>();
  const auto mine = std::make_shared<const Factors>(std::move(factors_[p]));
  const std::int64_t out = w.size(0), in = w.size(1);
  sent.there = send(name, "factors", [mine, out, in, all = sent.gathered](auto& ranks) {
    const auto rows = gather(ranks, std::vector<std::int64_t>{std::ssize(mine->x) / in});
    const auto times = [&](std::int64_t width) {
      std::vector<std::int64_t> counts = rows;
      for (std::int64_t& n : counts) n *= width;
      return counts;
    };
    all->x = gather(ranks, mine->x, times(in));
    all->dy = gather(ranks, mine->dy, times(out));
  });
  return sent;
}

// Of factors dw = dy^T x, of the rows of all ranks: on all of them, and with the same bits.
void ParallelStep::take(const Item& item, OnTheWay& sent) {
  Tensor& w = parameters_[static_cast<std::size_t>(item.parameter)].second;
  if (item.uses == 0) return w.set_grad(std::move(sent.sum));
  const auto rows = [&](const std::vector<float>& all, std::int64_t width) {
    return Tensor::from(all, {std::ssize(all) / width, width}, backend_);
  };
  const Tensor x = rows(sent.gathered->x, w.size(1)), dy = rows(sent.gathered->dy, w.size(0));
  w.set_grad(linear_weight_gradient(x, dy));
  if (item.bias >= 0)
    parameters_[static_cast<std::size_t>(item.bias)].second.set_grad(linear_bias_gradient(dy));
}

// The plan was made in the first step. Something that got no gradient then would not be sent.
void ParallelStep::check_all_sent() {
  std::vector<bool> sent(parameters_.size(), false);
  for (const Item& item : plan_)
    if (item.uses == 0) sent[static_cast<std::size_t>(item.parameter)] = true;
  for (std::size_t p = 0; p < sent.size(); ++p)
    for (const auto& partial : sums_[p].partials())
      if (!sent[p] && partial.value.defined())
        throw GraphError(fmt::format(
            "train: {} got a gradient in this step, and none (or the factors of one) in the first: "
            "with micro-batches a network has to use the same layers in every step",
            parameters_[p].first));
}

// ---- what it costs ----------------------------------------------------------------------------

std::vector<Traffic> ParallelStep::traffic() const {
  std::vector<std::string> names = {kCounts};
  for (const auto& [name, w] : parameters_) names.push_back(name);
  std::vector<Traffic> per_step;
  for (const std::string& name : names)
    if (const auto found = counts_->sums.find(name); found != counts_->sums.end())
      per_step.push_back({name, found->second.as, found->second.bytes / steps()});
  return per_step;
}

ParallelStep::Travel ParallelStep::travel() const {
  return {courier_.seconds() / steps(), waited_ / steps()};
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

std::string travel_text(const ParallelStep::Travel& travel) {
  return fmt::format(
      "The exchange took {:.3f} s a step, with waiting for slower ranks: {:.3f} s of that passed\n"
      "while this rank computed, and {:.3f} s it waited.",
      travel.exchanging, std::max(0.0, travel.exchanging - travel.waiting), travel.waiting);
}

}  // namespace limulus
