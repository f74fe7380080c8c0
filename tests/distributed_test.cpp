// Ranks, as threads of one process: the sum whose order does not depend on how many there are, a
// run that ends with the same bits, and what does not fit together.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "backends/registry.h"
#include "core/autograd.h"
#include "core/rng.h"
#include "core/trace.h"
#include "distributed/communicator.h"
#include "distributed/courier.h"
#include "distributed/tree_sum.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "models/initialize.h"
#include "models/models.h"
#include "temporary_folder.h"
#include "thread_ranks.h"
#include "tiny_task.h"
#include "training/scaling.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

// As the comment in tree_sum.h has it.
std::string tree(std::int64_t begin, std::int64_t end) {
  if (end - begin == 1) return std::to_string(begin);
  const std::int64_t middle = (begin + end) / 2;
  return "(" + tree(begin, middle) + "+" + tree(middle, end) + ")";
}

TrainConfig task(const std::filesystem::path& data, Exchange exchange) {
  TrainConfig c = tiny_config(data);
  c.model = "lenet5";
  c.dropout = 0.5;
  c.batch = 16;  // 40 images: the last batch has 8, so that some of the 12 pieces are empty
  c.micro_batches = 12;
  c.exchange = exchange;
  return c;
}

using Weights = std::vector<std::vector<float>>;

Weights weights(const Trainer& t) {
  Weights all;
  for (const auto& [name, w] : t.model().parameters()) all.push_back(w.to_vector<float>());
  return all;
}

struct Ended {
  std::vector<Weights> of_ranks;
  std::vector<float> losses;
  std::vector<Traffic> traffic;
};

// A run of so many ranks; from the checkpoint in `out`, or to a stop behind a step.
Ended train(const TrainConfig& config, const std::filesystem::path& out, int ranks,
            bool resume = false, std::int64_t stop_behind = 0) {
  Ended ended;
  ended.of_ranks.resize(static_cast<std::size_t>(ranks));
  const auto errors = ThreadRanks(ranks).run([&](const std::shared_ptr<Communicator>& one) {
    std::atomic<bool> stop{false};
    TrainerOptions o = quiet(out);
    o.ranks = one;
    if (one->rank() == ranks - 1) {  // any of them may be told to
      o.stop = &stop;
      o.on_step = [&](const StepInfo& s) { stop = s.step + 1 == stop_behind; };
    }
    Trainer t(config, o);
    if (resume) t.resume(out / "checkpoint.safetensors");
    CHECK(t.run() == (stop_behind == 0));
    ended.of_ranks[static_cast<std::size_t>(one->rank())] = weights(t);
    if (one->rank() == 0) {
      ended.losses = t.report().step_losses;
      ended.traffic = t.traffic();
    }
  });
  for (const std::string& error : errors) CHECK(error == "");
  return ended;
}

}  // namespace

TEST_CASE("whoever adds which leaves, the tree is the same") {
  for (std::int64_t leaves = 1; leaves <= 13; ++leaves)
    for (int ranks = 1; ranks <= std::min<std::int64_t>(6, leaves); ++ranks) {
      CAPTURE(leaves);
      CAPTURE(ranks);
      const auto add = [](std::string& a, const std::string& b) {
        a.insert(0, "(").append("+").append(b).append(")");
      };
      TreeSum<std::string> total(leaves, add);
      for (int r = 0; r < ranks; ++r) {
        const LeafRange share = leaves_of(r, ranks, leaves);
        TreeSum<std::string> own(leaves, add);
        for (std::int64_t i = share.begin; i < share.end; ++i)
          own.push({i, i + 1}, std::to_string(i));
        std::vector<LeafRange> ranges;
        for (auto& partial : own.partials()) {
          ranges.push_back(partial.range);
          total.push(partial.range, partial.value);
        }
        CHECK(ranges == subtrees_of(share, leaves));
      }
      REQUIRE(total.partials().size() == 1);
      CHECK(total.partials()[0].value == tree(0, leaves));
    }
}

TEST_CASE("ranks have the sum of all with the bits of one, and send each slice twice") {
  constexpr std::int64_t kLeaves = 12, kNumbers = 1200;
  Rng rng(1);
  std::vector<std::vector<float>> leaves(kLeaves, std::vector<float>(kNumbers));
  for (auto& leaf : leaves)
    for (float& v : leaf) v = static_cast<float>(rng.normal() * std::exp(5 * rng.normal()));
  std::vector<float> expected;
  for (const int ranks : {1, 2, 3, 4, 5}) {
    CAPTURE(ranks);
    const auto errors = ThreadRanks(ranks).run([&](const std::shared_ptr<Communicator>& one) {
      TreeSum<std::vector<float>> own(kLeaves, [](auto& a, const auto& b) {
        for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
      });
      const LeafRange share = leaves_of(one->rank(), ranks, kLeaves);
      for (std::int64_t i = share.begin; i < share.end; ++i)
        own.push({i, i + 1}, leaves[static_cast<std::size_t>(i)]);
      std::vector<std::span<const float>> partials;
      for (const auto& partial : own.partials()) partials.emplace_back(partial.value);
      std::vector<float> sum(kNumbers);
      tree_all_reduce(*one, kLeaves, partials, sum);
      if (ranks == 1) expected = sum;
      CHECK(sum == expected);
      if (ranks == 2 || ranks == 4)  // 2 n (R - 1) / R
        CHECK(one->bytes_sent() == 4 * 2 * kNumbers * (ranks - 1) / ranks);
    });
    for (const std::string& error : errors) CHECK(error == "");
  }
}

TEST_CASE("a rank that does not fit together with rank 0 is named, on all of them") {
  const auto errors = ThreadRanks(3).run([](const std::shared_ptr<Communicator>& one) {
    agree(*one, {{"the colour", "blue"}});
    agree(*one, {{"the size", one->rank() == 2 ? "9" : "7"}});
  });
  for (const std::string& error : errors) {
    CHECK(has(error, "rank 2 does not fit together with rank 0: the size is"));
    CHECK(has(error, "9"));
    CHECK(has(error, "7"));
  }
}

TEST_CASE("errands run in order, beside the thread that gives them") {
  std::string order;
  std::promise<void> given;
  {
    Courier courier;
    auto first = courier.send([&] {
      given.get_future().wait();  // what is given does not wait for this
      order += "a";
    });
    auto second = courier.send([&] {
      order += "b";
      return 7;
    });
    auto third = courier.send([] { throw RankError("the third"); });
    auto fourth = courier.send([&] { order += "d"; });
    given.set_value();
    fourth.get();
    CHECK(order == "abd");
    CHECK(second.get() == 7);
    CHECK(message_of<RankError>([&] { third.get(); }) == "the third");
  }
  auto never = std::make_shared<std::promise<void>>();  // a rank that does not answer
  std::future<void> dropped;
  {
    Courier courier;
    courier.send([never] { never->get_future().wait(); });
    dropped = courier.send([&] { order += "e"; });
  }
  CHECK_THROWS_AS(dropped.get(), std::future_error);
  never->set_value();
  CHECK(order == "abd");
}

TEST_CASE("the last layer's gradient travels while the first ones compute theirs") {
  // Backward of the first layers does not go on before all ranks have exchanged the last layer's.
  struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    int exchanged = 0;
  };
  struct WaitOp : Op {
    WaitOp(Meeting& m, int r) : meeting(m), ranks(r) {}
    const char* name() const override { return "wait"; }
    std::vector<Tensor> backward(const Tensor& dy) override {
      std::unique_lock lock(meeting.mutex);
      const auto all = [this] { return meeting.exchanged == ranks; };
      if (!meeting.changed.wait_for(lock, std::chrono::seconds(20), all))
        throw GraphError("the last layer's gradient was not sent");
      return {dy};
    }
    Meeting& meeting;
    int ranks;
  };
  struct Wait : Module {
    Wait(Meeting& m, int r) : meeting(m), ranks(r) {}
    const char* kind() const override { return "Wait"; }
    std::vector<WalkStep> walk(const Shape& in) const override {
      return {make_step(*this, in, in)};
    }
    Tensor forward(const Tensor& x) override {
      return waits ? record<WaitOp>(x.clone(), {x}, {}, meeting, ranks) : x;
    }
    Meeting& meeting;
    int ranks;
    bool waits = false;
  };
  constexpr int kRanks = 2;
  for (const Exchange exchange : {Exchange::gradients, Exchange::factors}) {
    CAPTURE(name_of(exchange));
    Meeting meeting;
    set_trace_sink([&](const TraceEvent& e) {
      if (e.primitive != std::string("exchange") || e.scope != "last.weight") return;
      const std::lock_guard lock(meeting.mutex);
      ++meeting.exchanged;
      meeting.changed.notify_all();
    });
    TrainConfig config;
    config.micro_batches = kRanks;
    config.exchange = exchange;
    const auto errors = ThreadRanks(kRanks).run([&](const std::shared_ptr<Communicator>& one) {
      Backend& cpu = device("cpu");
      Sequential net;
      net.add<Flatten>("flatten")
          .add<Linear>("first", 4, 8, cpu)
          .add<Wait>("wait", meeting, kRanks)
          .add<Linear>("last", 8, 2, cpu);
      initialize(net, Recipe::he, 5);
      Batch batch;
      batch.channels = 1;
      batch.side = 2;
      batch.size = 2;
      batch.images.assign(8, 0.5F);
      batch.labels = {0, 1};
      batch.pieces = {2};
      ParallelStep step(net, cpu, *one, config);
      step.run(batch, 0, false);  // the ranks learn what there is to exchange
      one->barrier();
      if (one->rank() == 0) meeting.exchanged = 0;
      one->barrier();
      net.visit([](const std::string&, Module& m) {
        if (auto* wait = dynamic_cast<Wait*>(&m)) wait->waits = true;
      });
      step.run(batch, 1, false);
    });
    set_trace_sink({});
    for (const std::string& error : errors) CHECK(error == "");
  }
}

TEST_CASE("a run ends with the same bits for any number of ranks") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  for (const Exchange exchange : {Exchange::gradients, Exchange::factors}) {
    const TrainConfig config = task(folder / "data", exchange);
    Trainer alone(config, quiet(folder / "alone"));
    REQUIRE(alone.run());
    const Weights expected = weights(alone);
    for (const int ranks : {1, 2, 3, 4}) {
      CAPTURE(ranks);
      CAPTURE(name_of(exchange));
      const Ended ended = train(config, folder / "ranks", ranks);
      for (const Weights& of_rank : ended.of_ranks) CHECK(of_rank == expected);
      CHECK(ended.losses == alone.report().step_losses);
      for (const Traffic& t : ended.traffic) {
        const bool factors = exchange == Exchange::factors && t.name.starts_with("fc");
        CAPTURE(t.name);
        CHECK((t.as == std::string("factors")) == factors);
      }
    }
  }
}

TEST_CASE("a step draws the same masks, and an empty micro-batch changes nothing") {
  // Six micro-batches of a batch of ten images, of which the third and the last have none.
  constexpr int kSide = 6;
  const std::vector<std::int64_t> pieces = {3, 2, 0, 1, 4, 0};
  const auto network = [] {
    auto net = std::make_unique<Sequential>();
    Backend& cpu = device("cpu");
    net->add<Conv2d>("conv", 1, 4, {.kernel = 3}, cpu)
        .add<ReLU>("relu")
        .add<Flatten>("flatten")
        .add<Linear>("fc1", 64, 16, cpu)
        .add<Dropout>("drop")
        .add<Linear>("fc2", 16, 3, cpu);
    initialize(*net, Recipe::he, 5);
    return net;
  };
  const auto share_of = [&](LeafRange share) {
    Batch batch;
    batch.channels = 1;
    batch.side = kSide;
    std::int64_t image = 0;
    for (std::size_t m = 0; m < pieces.size(); ++m)
      for (std::int64_t i = 0; i < pieces[m]; ++i, ++image) {
        if (!(std::cmp_less_equal(share.begin, m) && std::cmp_less(m, share.end))) continue;
        Rng rng(static_cast<std::uint64_t>(image));
        for (int k = 0; k < kSide * kSide; ++k)
          batch.images.push_back(static_cast<float>(rng.normal()));
        batch.labels.push_back(image % 3);
        ++batch.size;
      }
    batch.pieces.assign(pieces.begin() + share.begin, pieces.begin() + share.end);
    return batch;
  };
  for (const Exchange exchange : {Exchange::gradients, Exchange::factors}) {
    TrainConfig config;
    config.micro_batches = std::ssize(pieces);
    config.exchange = exchange;
    std::vector<std::vector<float>> expected;
    for (const int ranks : {1, 2, 3, 4, 6}) {
      CAPTURE(ranks);
      const auto errors = ThreadRanks(ranks).run([&](const std::shared_ptr<Communicator>& one) {
        const auto net = network();
        ParallelStep step(*net, device("cpu"), *one, config);
        const auto made = step.run(share_of(step.share()), 3, false);
        CHECK(made.images == 10);
        std::vector<std::vector<float>> all = {{static_cast<float>(made.loss)}};
        for (const auto& [name, w] : net->parameters()) all.push_back(w.grad().to_vector<float>());
        if (ranks == 1) expected = all;
        CHECK(all == expected);
      });
      for (const std::string& error : errors) CHECK(error == "");
    }
  }
}

TEST_CASE("stopped and resumed with another number of ranks, a run ends with the same bits") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  const TrainConfig config = task(folder / "data", Exchange::factors);
  const Ended whole = train(config, folder / "whole", 2);
  for (const std::int64_t step : {2, 4}) {
    train(config, folder / "part", 3, false, step);
    const Ended rest = train(config, folder / "part", 4, true);
    CHECK(rest.of_ranks[0] == whole.of_ranks[0]);
    CHECK(rest.of_ranks[3] == whole.of_ranks[0]);
    CHECK(rest.losses == whole.losses);
  }
}

TEST_CASE("one micro-batch whose factors are multiplied gives the bits of an ordinary step") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  TrainConfig config = task(folder / "data", Exchange::gradients);
  config.micro_batches = 1;
  Trainer plain(config, quiet(folder / "plain"));
  REQUIRE(plain.run());
  config.exchange = Exchange::factors;
  Trainer factors(config, quiet(folder / "factors"));
  REQUIRE(factors.run());
  CHECK(weights(factors) == weights(plain));
}

TEST_CASE("what a step sends is what the forecast says") {
  // All 40 pictures are one batch, which 2 and 4 ranks share evenly.
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  for (const Exchange exchange : {Exchange::gradients, Exchange::factors})
    for (const int ranks : {2, 4}) {
      TrainConfig config = task(folder / "data", exchange);
      config.batch = 40;
      config.micro_batches = 4;
      const Ended ended = train(config, folder / "out", ranks);
      const auto network = make_model("lenet5", 10, device("cpu"));
      const auto expected = expected_traffic(*network, ranks, 40, exchange);
      REQUIRE(ended.traffic.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(expected[i].name);
        CHECK(ended.traffic[i].name == expected[i].name);
        CHECK(std::string(ended.traffic[i].as) == expected[i].as);
        CHECK(std::abs(ended.traffic[i].bytes - expected[i].bytes) <= 8 * ranks);  // a slice's end
      }
    }
}

TEST_CASE("a forecast: more machines compute less each, and send for longer") {
  const auto alexnet = make_model("alexnet", 5, device("reference"));
  const StepTimes times{.per_image = 0.01, .products = 0.001, .update = 0.05};
  const auto at = [&](int machines, Exchange exchange) {
    return forecast(*alexnet, {3, 227, 227}, times, {.bandwidth = 125e6, .latency = 0}, machines,
                    128, exchange);
  };
  const StepForecast one = at(1, Exchange::gradients);
  CHECK(one.bytes == 0);
  CHECK(one.compute == doctest::Approx(128 * 0.011 + 0.05));
  const StepForecast four = at(4, Exchange::gradients), factors = at(4, Exchange::factors);
  CHECK(four.compute == doctest::Approx(32 * 0.011 + 0.05));
  CHECK(factors.compute == doctest::Approx(32 * 0.01 + 128 * 0.001 + 0.05));
  // 2 (R - 1)/R of 56,888,709 parameters, of 4 bytes; and losses and counts.
  CHECK(four.bytes == doctest::Approx(1.5 * 4 * 56888709).epsilon(1e-4));
  // 2,334,080 parameters of convolutions so; and (R - 1)/R of 128 rows of x and of dy.
  const double rows = 0.75 * 4 * 128 * (9216 + 4096 + 4096 + 4096 + 4096 + 5);
  CHECK(factors.bytes == doctest::Approx(1.5 * 4 * 2334080 + rows).epsilon(1e-3));
  CHECK(four.communicate == doctest::Approx(four.bytes / 125e6));
}

TEST_CASE("a forecast: what is sent while a machine computes costs nothing") {
  // Two layers of 100 x 100 weights, of 4 bytes. Of two machines each sends half of them, twice.
  Sequential net;
  Backend& cpu = device("cpu");
  net.add<Flatten>("flatten")
      .add<Linear>("first", 100, 100, cpu, DType::f32, false)
      .add<Linear>("last", 100, 100, cpu, DType::f32, false);
  const double array = 40e3;
  // An image: both layers forward, dx of the last and dw of the first: 4 products in 4 s. The dw of
  // the last is counted by itself, 1 s.
  const StepTimes times{.per_image = 4, .products = 1, .update = 0.5};
  const auto at = [&](double bandwidth, Exchange exchange, std::int64_t micro_batches) {
    return forecast(net, {1, 10, 10}, times, {.bandwidth = bandwidth, .latency = 0}, 2, 4, exchange,
                    micro_batches);
  };
  const double counts = 8 * 3 + 4 * 4 / 2.0;
  const auto waits = [&](double seconds_of_array, std::int64_t micro_batches) {
    const double bandwidth = array / seconds_of_array;
    const StepForecast f = at(bandwidth, Exchange::gradients, micro_batches);
    CHECK(f.compute == doctest::Approx(2 * 5 + 0.5));
    CHECK(f.communicate == doctest::Approx(2 * seconds_of_array + counts / bandwidth));
    CHECK(f.images_per_second() == doctest::Approx(4 / (f.compute + f.waiting)));
    return f.waiting - counts / bandwidth;
  };
  // One micro-batch of two images. Backward takes 2 s each in the last layer, then 1 s each in the
  // first: so the last array can travel for 2 s, until the first is complete, which nothing hides.
  CHECK(waits(0.5, 1) == doctest::Approx(0.5));
  CHECK(waits(3, 1) == doctest::Approx(3 + 1));
  CHECK(waits(3, 2) == doctest::Approx(3 + 2));  // the last of two: one image
  // Rows of 100 + 100 for each of 4 images, of which a machine sends its half; and their number.
  // They travel behind dx, 2 s before the first layer's array. When that has come, in 4 + 1 s,
  // the 4 s of their product have hidden it.
  const double bandwidth = array;
  const StepForecast f = at(bandwidth, Exchange::factors, 1);
  CHECK(f.compute == doctest::Approx(2 * 4 + 4 + 0.5));
  CHECK(f.bytes == doctest::Approx(array + 4 * 200 * 4 / 2 + 8 + counts));
  CHECK(f.waiting == doctest::Approx(counts / bandwidth));
}

TEST_CASE("what cannot be shared is refused, with the reason") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  TrainConfig config = task(folder / "data", Exchange::gradients);
  config.micro_batches = 2;
  for (const std::string& error : ThreadRanks(3).run([&](const std::shared_ptr<Communicator>& one) {
         TrainerOptions o = quiet(folder / "out");
         o.ranks = one;
         const Trainer t(config, o);
       }))
    CHECK(has(error, "3 ranks share the micro-batches of a batch, and there are 2"));
  config.micro_batches = 17;
  CHECK(has(message_of<ValueError>([&] { const Trainer t(config, quiet(folder / "out")); }),
            "micro_batches is 17, but must be from 1 to 16"));
}

TEST_CASE("ranks with other pictures or settings do not begin") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder / "data");
  std::filesystem::copy(folder / "data", folder / "other");
  {
    std::fstream labels(folder / "other" / "train-labels-idx1-ubyte",
                        std::ios::in | std::ios::out | std::ios::binary);
    labels.seekp(8).put(1);  // the first picture is a 0
  }
  const TrainConfig config = task(folder / "data", Exchange::gradients);
  const auto begin = [&](const TrainConfig& of_rank_1) {
    return ThreadRanks(2).run([&](const std::shared_ptr<Communicator>& one) {
      TrainerOptions o = quiet(folder / "out");
      o.ranks = one;
      Trainer t(one->rank() == 1 ? of_rank_1 : config, o);
      t.run();
    })[0];
  };
  TrainConfig other = config;
  other.data = (folder / "other").string();
  CHECK(has(begin(other),
            "rank 1 does not fit together with rank 0: the fingerprint of their labels"));
  other = config;
  other.sgd.lr = 0.125;
  CHECK(has(begin(other), "rank 1 does not fit together with rank 0: the setting \"lr\" is"));
}
