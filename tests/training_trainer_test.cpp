// The training loop: it learns, it allocates nothing after its first step, and a run that was
// stopped and resumed ends with the same bits.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/rng.h"
#include "formats/safetensors.h"
#include "layers/cross_entropy.h"
#include "layers/max_pool2d.h"
#include "layers/pad2d.h"
#include "models/models.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/evaluate.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

std::vector<std::vector<float>> weights(Trainer& t) {
  std::vector<std::vector<float>> all;
  for (const auto& [name, w] : t.model().parameters()) all.push_back(w.to_vector<float>());
  return all;
}

}  // namespace

TEST_CASE("training learns, and reports what it saw") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  Trainer t(tiny_config(folder.path / "data"), quiet(folder.path / "out"));
  CHECK(t.run());
  const RunReport r = t.report();
  REQUIRE(r.epochs.size() == 3);
  CHECK(r.step_losses.size() == 15);  // 40 images in batches of 8, three times
  CHECK(r.epochs[2].train_loss < r.epochs[0].train_loss);
  CHECK(r.epochs[2].test_top1 == doctest::Approx(1));
  CHECK(r.finished);
  const Evaluation e = t.evaluate(false, 5);
  CHECK(e.metrics.count() == 10);
  CHECK(e.metrics.top1() == doctest::Approx(1));
  CHECK(std::filesystem::exists(t.checkpoint_path()));
}

TEST_CASE("to time the layers leaves the network as it was") {
  const TemporaryFolder folder;
  TrainConfig config = default_config("alexnet-keras", "default");
  config.data = LIMULUS_SOURCE_DIR "/data/flowers5";
  config.batch_norm = true;
  config.batch = 2;
  Trainer t(config, quiet(folder.path / "out"));
  const auto statistics = [&] {
    std::vector<std::vector<float>> all;
    for (const auto& [name, values] : t.model().buffers()) all.push_back(values.to_vector<float>());
    return all;
  };
  t.model().eval();
  const auto before = statistics();
  REQUIRE(before.size() > 0);
  CHECK(t.profile().size() > 10);
  CHECK(statistics() == before);
  CHECK(!t.model().training());
}

TEST_CASE("stopped after any step and resumed, a run ends with the same bits") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  Trainer whole(config, quiet(folder.path / "whole"));
  whole.run();
  const auto expected = weights(whole);

  for (const std::int64_t last : {1, 5, 7, 15}) {  // 5: the end of an epoch; 15: of the run
    CAPTURE(last);
    std::atomic<bool> stop{false};
    const auto out = folder.path / std::to_string(last);
    {
      TrainerOptions o = quiet(out);
      o.stop = &stop;
      o.on_step = [&](const StepInfo& s) { stop = s.step == last; };
      Trainer part(config, o);
      CHECK_FALSE(part.run());
      CHECK(weights(part) != (last == 15 ? std::vector<std::vector<float>>{} : expected));
    }
    Trainer rest(config, quiet(out));
    rest.resume(out / "checkpoint.safetensors");
    CHECK(rest.run());
    CHECK(weights(rest) == expected);
    CHECK(rest.report().step_losses == whole.report().step_losses);
  }
}

TEST_CASE("stopped while it looks at the held-out images, a run is saved and goes on with them") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  Trainer whole(config, quiet(folder.path / "whole"));
  whole.run();

  for (const int last : {1, 3}) {  // after the first epoch, and after all of them
    CAPTURE(last);
    std::atomic<bool> stop{false};
    const auto out = folder.path / std::to_string(last);
    TrainerOptions o = quiet(out);
    o.stop = &stop;
    {
      int epochs = 0;
      o.on_epoch = [&](const EpochRecord&) { ++epochs; };
      Trainer part(config, o);
      const LayerObserver observe([&](const std::string&, const Tensor&) {
        stop = !part.model().training() && epochs + 1 == last;
      });
      CHECK_FALSE(part.run());
      CHECK(epochs == last - 1);  // this epoch's images are still to be seen
      CHECK_THROWS_AS(part.evaluate(false), Stopped);
    }
    Trainer rest(config, quiet(out));
    rest.resume(out / "checkpoint.safetensors");
    CHECK(rest.run());
    CHECK(weights(rest) == weights(whole));
    const auto expected = whole.report().epochs, got = rest.report().epochs;
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(got[i].test_loss == expected[i].test_loss);
      CHECK(got[i].train_loss == expected[i].train_loss);
      CHECK(got[i].lr == expected[i].lr);
    }
  }
}

TEST_CASE("told to stop while it saves, a run ends with that checkpoint") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  std::atomic<bool> stop{false};
  std::int64_t steps = 0;
  TrainerOptions o = quiet(folder.path / "out");
  o.stop = &stop;
  o.checkpoint_seconds = 0;  // after every step
  o.on_step = [&](const StepInfo& s) { steps = s.step; };
  o.on_message = [&](const std::string&) { stop = true; };  // "checkpoint: ..."
  Trainer t(tiny_config(folder.path / "data"), o);
  CHECK_FALSE(t.run());
  CHECK(steps == 1);
}

TEST_CASE("a run goes on with the mean that it began with") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const auto normalization = [&] {
    return SafetensorsFile(folder.path / "out" / "checkpoint.safetensors")
        .metadata()
        .at("normalization");
  };
  Trainer(tiny_config(folder.path / "data"), quiet(folder.path / "out")).save();
  const std::string before = normalization();
  {  // one pixel of one picture, as another decoder might have it
    const auto path = folder.path / "data" / "train-images-idx3-ubyte";
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16 + 300);
    file.put('\0');
  }
  Trainer other(tiny_config(folder.path / "data"), quiet(folder.path / "other"));
  Trainer resumed(tiny_config(folder.path / "data"), quiet(folder.path / "out"));
  resumed.resume(folder.path / "out" / "checkpoint.safetensors");
  resumed.save();
  CHECK(normalization() == before);
  other.save();
  CHECK(SafetensorsFile(folder.path / "other" / "checkpoint.safetensors")
            .metadata()
            .at("normalization") != before);
}

TEST_CASE("the result does not depend on the number of workers or threads") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  config.epochs = 1;
  std::vector<std::vector<std::vector<float>>> results;
  for (const int n : {1, 3}) {
    TrainerOptions o = quiet(folder.path / std::to_string(n));
    o.workers = n;
    set_device_threads(n);
    Trainer t(config, o);
    t.run();
    results.push_back(weights(t));
  }
  CHECK(results[0] == results[1]);
}

TEST_CASE("after the first step, a step allocates nothing") {
  std::vector<std::pair<std::string, const char*>> all = {
      {"cpu", "lenet5"}, {"cpu", "cifar-convnet"}, {"cpu", "alexnet"}};
  for (const DeviceInfo& d : list_devices())
    if (d.name == "opencl:0") all.push_back({d.name, "alexnet"});
  for (const auto& [where, name] : all) {
    CAPTURE(where);
    CAPTURE(name);
    Backend& backend = device(where);
    const ModelSpec& spec = model_spec(name);
    const auto model = make_model(name, 10, backend);
    initialize(*model, Recipe::he, 1);
    Sgd sgd(model->parameters(), {.lr = 1e-6});
    Rng rng(1);
    const auto step = [&](std::uint64_t number) {
      Tensor x =
          Tensor::empty({2, spec.input[0], spec.input[1], spec.input[2]}, DType::f32, backend);
      fill_normal(x, 0, 1, rng);
      model->set_random(1, number);
      cross_entropy(model->forward(x), Tensor::from(std::vector<std::int64_t>{1, 2}, {2}, backend))
          .backward();
      sgd.step();
      sgd.zero_grad();
    };
    backend.pool().trim();
    const auto before = backend.pool().stats().allocations;
    step(0);
    const auto first = backend.pool().stats().allocations;
    step(1);  // finds the weights and their velocities where the first step had holes
    const auto* cpu = dynamic_cast<const CpuBackend*>(&backend);
    const std::size_t large = cpu == nullptr ? 0 : cpu->arena_used();
    for (std::uint64_t i = 2; i < 5; ++i) step(i);
    CHECK(first > before);
    CHECK(backend.pool().stats().allocations == first);
    if (cpu != nullptr) CHECK(cpu->arena_used() == large);
  }
}

TEST_CASE("a loss that stops being a number is explained, and the checkpoint is kept") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  config.sgd.lr = 1e30;
  config.schedule.kind = ScheduleKind::constant;
  config.schedule.warmup = 0;
  Trainer t(config, quiet(folder.path / "out"));
  t.save();
  const auto before = std::filesystem::last_write_time(t.checkpoint_path());
  std::string message;
  try {
    t.run();
  } catch (const Error& e) {
    message = e.what();
  }
  CAPTURE(message);
  CHECK(message.find("in step ") != std::string::npos);
  CHECK(message.find("the first value that is not a number is in ") != std::string::npos);
  CHECK(message.find("try --lr") != std::string::npos);
  CHECK(message.find("checkpoint.safetensors was not touched") != std::string::npos);
  CHECK(std::filesystem::last_write_time(t.checkpoint_path()) == before);
}

TEST_CASE("a border of minus infinity is not where a loss stopped being a number") {
  Backend& b = device("reference");
  Sequential net;
  net.add<Pad2d>("border", Pad2dOptions{.bottom = 1, .right = 1, .value = -INFINITY});
  net.add<MaxPool2d>("pool", Pool2dOptions{.kernel = 2});
  const Tensor x = Tensor::full({1, 1, 3, 3}, 1, DType::f32, b);
  CHECK(first_not_finite(net, x) == "the loss itself");
  CHECK(first_not_finite(net, Tensor::full({1, 1, 3, 3}, INFINITY, DType::f32, b)) ==
        "the output of layer pool");
}

TEST_CASE("a resumed run must be the same run") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  Trainer t(config, quiet(folder.path / "out"));
  t.save();
  config.sgd.lr = 0.5;
  Trainer other(config, quiet(folder.path / "out"));
  std::string message;
  try {
    other.resume(t.checkpoint_path());
  } catch (const FileError& e) {
    message = e.what();
  }
  CHECK(message.find("lr: 0.01 in the checkpoint, 0.5 now") != std::string::npos);
}

TEST_CASE("a device that is lost costs the steps since the last checkpoint, and says so") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  TrainerOptions options = quiet(folder.path / "out");
  options.on_step = [](const StepInfo& s) {
    if (s.step == 3) throw DeviceError("opencl:0: gemm: CL_DEVICE_NOT_AVAILABLE");
  };
  const auto failure = [&](bool resume) {
    Trainer t(config, options);
    if (resume) t.resume(t.checkpoint_path());
    return message_of<DeviceError>([&] { t.run(); });
  };
  CHECK(failure(false) ==
        "train: step 4 (epoch 1): opencl:0: gemm: CL_DEVICE_NOT_AVAILABLE. There is no checkpoint "
        "of this run yet.");
  options.checkpoint_seconds = 0;  // after every step
  const std::string message = failure(false);
  CHECK(has(message, "checkpoint.safetensors was not touched. The same command with --resume"));
  options.on_step = {};
  CHECK(failure(true).empty());  // goes on to the end
  Trainer whole(config, quiet(folder.path / "whole")), resumed(config, options);
  whole.run();
  resumed.resume(resumed.checkpoint_path());
  CHECK(weights(resumed) == weights(whole));
}
