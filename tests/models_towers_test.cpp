// Two towers on two devices are one AlexNet: logits, gradients, weights, and what crosses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "backends/cpu/cpu_backend.h"
#include "backends/queued.h"
#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/rng.h"
#include "have_opencl.h"
#include "layers/cross_entropy.h"
#include "models/alexnet_towers.h"
#include "models/models.h"
#include "thread_ranks.h"

using namespace limulus;

namespace {

Backend& processor() { return device("cpu"); }

Tensor parameter(const Module& m, const std::string& wanted) {
  for (const auto& [name, t] : m.parameters())
    if (name == wanted) return t;
  FAIL("no parameter " << wanted);
  return {};
}

// Values as large as pixels': normalization matters, also where it crosses the towers' border.
Tensor picture() {
  Tensor x = Tensor::empty({1, 3, 227, 227}, DType::f32, processor());
  Rng rng(4);
  fill_normal(x, 0, 60, rng);
  return x;
}

Tensor label(Backend& backend) { return Tensor::from(std::vector<std::int64_t>{7}, {1}, backend); }

// alexnet on the processor after forward and backward of one picture: computed once.
struct Whole {
  std::shared_ptr<Module> net = make_model("alexnet", 11, processor());
  std::vector<double> logits;
  Whole() {
    initialize(*net, Recipe::he, 3);
    net->eval();
    const Tensor y = (*net)(picture());
    logits = y.to_doubles();
    cross_entropy(y, label(processor())).backward();
  }
};
const Whole& whole() {
  static const Whole instance;
  return instance;
}

void check_equal(Backend& first, Backend& second) {
  AlexNetTowers towers(11, first, second);
  split_into_towers(*whole().net, towers);
  towers.eval();
  const Tensor y = towers(to(picture(), first));
  CHECK(y.shape() == Shape{1, 11});
  const std::vector<double>&a = whole().logits, b = y.to_doubles();
  double scale = 0;
  for (const double v : a) scale = std::max(scale, std::abs(v));
  REQUIRE(scale > 1e-3);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-4 * scale);

  cross_entropy(y, label(first)).backward();
  for (const auto& [name, t] : towers.parameters()) {
    CAPTURE(name);
    const auto from = towers.source_of(name);
    const Tensor expected =
        narrow(parameter(*whole().net, from.name).grad(), 0, from.start, from.count);
    const Tensor difference = to(t.grad(), processor()) - expected;
    const double largest = sum(square(expected)).item();
    REQUIRE(largest > 0);
    CHECK(std::sqrt(sum(square(difference)).item() / largest) < 1e-3);
  }
}

// Counts what leaves it.
struct CountingBackend : QueuedBackend {
  std::int64_t downloaded = 0;
  explicit CountingBackend(const std::string& name)
      : QueuedBackend(std::make_unique<CpuBackend>(1, name)) {}
  void download(void* host, const void* src, std::size_t bytes) override {
    downloaded += static_cast<std::int64_t>(bytes);
    QueuedBackend::download(host, src, bytes);
  }
};

}  // namespace

TEST_CASE("two towers on the processor's halves are one AlexNet") {
  check_equal(device("cpu:0/2"), device("cpu:1/2"));
}

TEST_CASE("so are two on halves of an OpenCL device, and one on each kind") {
  if (!have_opencl()) return;
  check_equal(device("opencl:0/2"), device("opencl:1/2"));
  check_equal(device("cpu:0/2"), device("opencl:1/2"));
  check_equal(device("opencl:62/64"), device("opencl:63/64"));  // two queues of one device
}

TEST_CASE("towers: where each weight comes from, and back") {
  AlexNetTowers towers(11, processor(), processor());
  split_into_towers(*whole().net, towers);
  const auto source = towers.source_of("tower1.conv2.weight");
  CHECK(source.name == "conv2.weight");
  CHECK(source.start == 128);
  CHECK(source.count == 128);
  CHECK(towers.source_of("tower1.fc8.bias").start == 6);  // 11 classes: 6 and 5
  CHECK_THROWS_AS(towers.source_of("tower2.fc8.bias"), ValueError);
  const auto joined = make_model("alexnet", 11, processor());
  join_towers(towers, *joined);
  for (const char* name : {"conv3.weight", "fc8.bias"})
    CHECK(parameter(*joined, name).to_vector<float>() ==
          parameter(*whole().net, name).to_vector<float>());
  CHECK_THROWS_AS(split_into_towers(*make_model("lenet5", 10, processor()), towers), ShapeError);
  CHECK_THROWS_AS(split_into_towers(*make_model("alexnet-ungrouped", 11, processor()), towers),
                  ShapeError);
}

TEST_CASE("towers: the map says what crosses, to the byte") {
  CountingBackend first("cpu:0/2"), second("cpu:1/2");
  {
    AlexNetTowers towers(11, first, second);
    towers.eval();
    const auto map = towers.crossings({1, 3, 227, 227});
    std::string names;
    std::int64_t down = 0, up = 0;
    for (const auto& c : map) {
      names += c.before + " ";
      if (c.down.rank() > 0) down += 4 * c.down.numel();
      if (c.up.rank() > 0) up += 4 * c.up.numel();
    }
    CHECK(names == "conv1 lrn1 lrn2 conv3 fc6 fc7 fc8 logits ");
    CHECK(down ==
          4 * (3 * 227 * 227 + 2 * 55 * 55 + 2 * 27 * 27 + 128 * 13 * 13 + 128 * 6 * 6 + 2 * 2048));
    CHECK(up == down - 4 * 3 * 227 * 227 + 4 * 5);  // no picture, but the second tower's logits
    const Tensor x = to(picture(), first);
    first.downloaded = second.downloaded = 0;
    const Tensor y = towers(x);
    CHECK(first.downloaded == down);
    CHECK(second.downloaded == up);
    const Tensor loss = cross_entropy(y, label(first));  // looks at the label
    // Back go the gradients of all but the picture, each the other way.
    first.downloaded = second.downloaded = 0;
    loss.backward();
    CHECK(first.downloaded == up);
    CHECK(second.downloaded == down - 4 * 3 * 227 * 227);
    const std::string text = crossing_text(map);
    CHECK(text.find("conv3    128x13x13, 84.5 KiB        128x13x13, 84.5 KiB           173,056") !=
          std::string::npos);
  }
}

TEST_CASE("towers in two ranks: the same bits as in one process, and the map to the byte") {
  constexpr std::int64_t classes = 11, images = 2;
  Tensor x = Tensor::empty({images, 3, 227, 227}, DType::f32, processor());
  Rng rng(5);
  fill_normal(x, 0, 60, rng);
  const auto labels = [] {
    return Tensor::from(std::vector<std::int64_t>{7, 0}, {images}, processor());
  };
  const auto ready = [](AlexNetTowers& towers) {
    split_into_towers(*whole().net, towers);
    towers.set_random(9, 4);  // dropout, whose masks must not depend on who draws them
  };
  AlexNetTowers together(classes, processor(), processor());
  ready(together);
  const Tensor logits = together(x);
  cross_entropy(logits, labels()).backward();
  std::uint64_t values[2] = {}, gradients[2] = {};  // by the map
  for (const auto& c : together.crossings(x.shape())) {
    if (c.before == "conv1") continue;  // pictures: each rank reads them
    const bool is_logits = c.before == "logits";
    const std::uint64_t down = is_logits ? 4 * images * 6 : 4 * c.down.numel();
    const std::uint64_t up = 4 * c.up.numel();
    values[0] += down, values[1] += up;
    if (!is_logits) gradients[0] += up, gradients[1] += down;
  }

  const auto errors = ThreadRanks(2).run([&](const std::shared_ptr<Communicator>& ranks) {
    const int t = ranks->rank();
    AlexNetTowers towers(classes, processor(), processor());
    ready(towers);
    towers.live_apart(ranks.get());
    const Tensor y = towers(x);
    CHECK(y.to_vector<float>() == logits.to_vector<float>());
    CHECK(ranks->bytes_sent() == values[t]);
    cross_entropy(y, labels()).backward();
    CHECK(ranks->bytes_sent() - values[t] == gradients[t]);
    const std::string own = t == 0 ? "tower0." : "tower1.";
    for (const auto& [name, w] : towers.parameters()) {
      CAPTURE(name);
      if (name.starts_with(own))
        CHECK(w.grad().to_vector<float>() == parameter(together, name).grad().to_vector<float>());
      else
        CHECK_FALSE(w.grad().defined());
    }
    towers.live_apart(nullptr);
    CHECK(towers(x).shape() == Shape{images, classes});  // both towers are here again
  });
  CHECK(errors == std::vector<std::string>(2));

  Alone alone;
  CHECK_THROWS_WITH_AS(together.live_apart(&alone), doctest::Contains("mpirun -n 2"), ValueError);
}
