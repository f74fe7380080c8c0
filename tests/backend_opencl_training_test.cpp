// AlexNet on OpenCL: trained and used without a fallback, and as on the processor.
//
// The tolerance: after 20 steps from one seed (dropout, momentum, weight decay), the weights on the
// two devices differ by at most a thousandth of how far training has moved them, and the losses by
// at most 1e-4. Rounding alone was measured as 1e-6 of the way; a wrong gradient or another dropout
// mask is tens of percent. (Training is chaotic: at a rate so high that the loss jumps about, 20
// steps are enough for roundings to become tens of percent, too.)
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <set>

#include "core/algebra.h"
#include "core/rng.h"
#include "core/trace.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "models/models.h"
#include "opencl_check.h"
#include "training/sgd.h"

using namespace limulus;

namespace {

// All that AlexNet has, in small: 67 -> 15 -> 7 -> 3 -> 1.
std::shared_ptr<Sequential> small_alexnet(Backend& backend) {
  const Pool2dOptions overlapping = {.kernel = 3, .stride = 2};
  auto net = std::make_shared<Sequential>();
  net->add<Conv2d>("conv1", 3, 32, Conv2dOptions{.kernel = 11, .stride = 4}, backend)
      .add<ReLU>("relu1")
      .add<LocalResponseNorm>("lrn1")
      .add<MaxPool2d>("pool1", overlapping)
      .add<Conv2d>("conv2", 32, 64, Conv2dOptions{.kernel = 5, .pad = 2, .groups = 2}, backend)
      .add<ReLU>("relu2")
      .add<LocalResponseNorm>("lrn2")
      .add<MaxPool2d>("pool2", overlapping)
      .add<Conv2d>("conv3", 64, 96, Conv2dOptions{.kernel = 3, .pad = 1}, backend)
      .add<ReLU>("relu3")
      .add<MaxPool2d>("pool5", overlapping)
      .add<Flatten>("flatten")
      .add<Linear>("fc6", 96, 128, backend)
      .add<ReLU>("relu6")
      .add<Dropout>("drop6", 0.5)
      .add<Linear>("fc8", 128, 5, backend);
  return net;
}

struct Run {
  std::shared_ptr<Module> net;
  std::vector<double> losses;
};

Run train(std::shared_ptr<Module> net, std::int64_t side, int steps, Backend& backend) {
  initialize(*net, Recipe::he, 1);
  net->train();
  Sgd sgd(net->parameters(), {.lr = 0.001});
  Tensor x = Tensor::empty({4, 3, side, side}, DType::f32, backend);
  Rng rng(7);
  fill_normal(x, 0, 1, rng);
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3}, {4}, backend);
  Run run{net, {}};
  for (int step = 0; step < steps; ++step) {
    net->set_random(1, static_cast<std::uint64_t>(step));
    const Tensor loss = cross_entropy((*net)(x), labels);
    run.losses.push_back(loss.item());
    loss.backward();
    sgd.step();
    sgd.zero_grad();
  }
  return run;
}

}  // namespace

TEST_CASE("AlexNet is trained and used without a fallback") {
  if (!have_device()) return;
  set_strict(true);
  int fallbacks = 0;
  std::set<std::string> seen;
  set_trace_sink([&](const TraceEvent& event) {
    fallbacks += event.fallback ? 1 : 0;
    seen.insert(event.primitive);
  });
  CHECK_NOTHROW([&] {
    Backend& backend = device("opencl:0");
    const Run run = train(make_model("alexnet", 5, backend), 227, 1, backend);
    run.net->eval();
    const NoGrad not_learning;
    (*run.net)(Tensor::full({1, 3, 227, 227}, 0.5, DType::f32, backend)).to_doubles();
  }());
  set_trace_sink({});
  set_strict(false);
  CHECK(fallbacks == 0);
  for (const char* primitive :
       {"conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight", "lrn_across_backward",
        "max_pool2d_backward", "linear_forward", "dropout", "cross_entropy_backward", "sgd_step"})
    CHECK_MESSAGE(seen.contains(primitive), primitive);
}

TEST_CASE("20 steps from one seed: OpenCL and the processor stay together") {
  if (!have_device()) return;
  Backend &opencl = device("opencl:0"), &cpu = device("cpu");
  const Run one = train(small_alexnet(opencl), 67, 20, opencl);
  const Run other = train(small_alexnet(cpu), 67, 20, cpu);
  const auto start = small_alexnet(cpu);
  initialize(*start, Recipe::he, 1);
  double worst_loss = 0;
  for (std::size_t i = 0; i < one.losses.size(); ++i)
    worst_loss = std::max(worst_loss, std::abs(one.losses[i] - other.losses[i]));
  double apart = 0, moved = 0;
  const auto a = one.net->parameters(), b = other.net->parameters(), c = start->parameters();
  const NoGrad measuring;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += sum(square(to(a[i].second, cpu) - b[i].second)).item();
    moved += sum(square(b[i].second - c[i].second)).item();
  }
  std::printf("20 steps: losses at most %.1e apart, weights %.1e of the way\n", worst_loss,
              std::sqrt(apart / moved));
  CHECK(one.losses.back() < one.losses.front());
  CHECK(worst_loss < 1e-4);
  CHECK(std::sqrt(apart) < 1e-3 * std::sqrt(moved));
}
#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
