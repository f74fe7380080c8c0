// Checkpoints that are damaged, or belong to another network, are refused and change nothing.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/trace.h"
#include "have_opencl.h"
#include "layers/linear.h"
#include "models/models.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/checkpoint.h"
#include "training/recipes.h"
#include "training/sgd.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

// Two weights and a bias: small enough to try every damage.
std::shared_ptr<Sequential> tiny_network(Backend& backend = device("cpu")) {
  auto net = std::make_shared<Sequential>();
  net->add<Linear>("fc", 2, 1, backend);
  return net;
}

std::vector<float> values(const Module& m) {
  std::vector<float> all;
  for (const auto& [name, t] : m.parameters())
    for (const float v : t.to_vector<float>()) all.push_back(v);
  return all;
}

void set_values(Module& m, float v) {
  const NoGrad setting;
  for (auto& [name, t] : m.parameters()) t.fill_(v);
}

std::string error_of(const std::filesystem::path& file, Module& m) {
  try {
    load_weights(SafetensorsFile(file), m);
  } catch (const FileError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("weights and velocities come back, and the file before is kept") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  auto net = tiny_network();
  set_values(*net, 3);
  Sgd sgd(net->parameters(), {.lr = 0.1});
  for (auto& [name, t] : net->parameters())
    t.set_grad(Tensor::full(t.shape(), 1, DType::f32, device()));
  sgd.step();
  save_checkpoint(path, *net, sgd, {{{"state", "{}"}}, {}});
  const std::string first = get_bytes(path);
  const auto weights = values(*net);

  auto other = tiny_network();
  Sgd other_sgd(other->parameters(), {.lr = 0.1});
  const SafetensorsFile file(path);
  load_weights(file, *other);
  load_velocities(file, other_sgd);
  CHECK(values(*other) == weights);
  CHECK(other_sgd.velocities()[0].second.to_vector<float>() ==
        sgd.velocities()[0].second.to_vector<float>());
  CHECK(file.metadata().at("state") == "{}");

  set_values(*net, 4);
  save_checkpoint(path, *net, sgd, {});
  CHECK(get_bytes(path.string() + ".previous") == first);
}

TEST_CASE("weights used in place: nothing is copied, and the file is never written to") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  auto net = tiny_network();
  set_values(*net, 3);
  save_checkpoint(path, *net, Sgd(net->parameters(), {}), {});
  const std::string whole = get_bytes(path);

  const UnfilledParameters about_to_be_loaded;
  auto mapped = tiny_network();
  std::uint64_t allocations = 0;
  {
    const SafetensorsFile file(path);
    allocations = device("cpu").pool().stats().allocations;
    load_weights(file, *mapped, /*in_place=*/true);
  }  // the mapping outlives the file's own handle on it
  CHECK(device("cpu").pool().stats().allocations == allocations);
  CHECK(values(*mapped) == values(*net));
  set_values(*mapped, 7);
  CHECK(values(*mapped) == std::vector<float>{7, 7, 7});
  CHECK(get_bytes(path) == whole);
}

TEST_CASE("weights for a device with memory of its own are copied there once") {
  if (!have_opencl()) return;
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  Backend& there = device("opencl:0");
  auto net = tiny_network(there);
  const std::vector<float> weight = {1, 2}, bias = {3}, lost = {NAN};
  write_safetensors(path, {{"fc.bias", DType::f32, {1}, bias.data()},
                           {"fc.weight", DType::f32, {1, 2}, weight.data()}});
  int computed = 0;  // a copy within the device would be a primitive
  set_trace_sink([&](const TraceEvent&) { ++computed; });
  load_weights(SafetensorsFile(path), *net, /*in_place=*/true);
  set_trace_sink({});
  CHECK(computed == 0);
  CHECK(values(*net) == std::vector<float>{1, 2, 3});
  write_safetensors(path, {{"fc.bias", DType::f32, {1}, lost.data()},
                           {"fc.weight", DType::f32, {1, 2}, weight.data()}});
  CHECK_THROWS_WITH_AS(load_weights(SafetensorsFile(path), *net, true),
                       doctest::Contains("value 0 of 'fc.bias' is nan"), FileError);
  CHECK(values(*net) == std::vector<float>{1, 2, 3});
  // They are the network's own: what is written to them stays there.
  set_values(*net, 7);
  CHECK(values(*net) == std::vector<float>{7, 7, 7});
}

TEST_CASE("in place, a value that is no number is found wherever it stands") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  constexpr std::int64_t n = 10000;  // more than one run of the search
  Linear layer(n, 1, device("cpu"), DType::f32, /*with_bias=*/false);
  std::vector<float> w(n, 1);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()})
    for (const std::size_t at : {0, 4095, 4096, 9999}) {
      CAPTURE(at);
      std::vector<float> damaged = w;
      damaged[at] = bad;
      damaged[9999] = bad;  // the first of two is the one to be named
      write_safetensors(path, {{"weight", DType::f32, {1, n}, damaged.data()}});
      CHECK_THROWS_WITH_AS(
          load_weights(SafetensorsFile(path), layer, true),
          doctest::Contains(("value " + std::to_string(at) + " of 'weight'").c_str()), FileError);
    }
  w[5] = std::numeric_limits<float>::max();  // large, and a number
  write_safetensors(path, {{"weight", DType::f32, {1, n}, w.data()}});
  load_weights(SafetensorsFile(path), layer, true);
  CHECK(layer.weight.to_vector<float>() == w);
}

TEST_CASE("a checkpoint cut at any byte is refused, and the weights stay as they were") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  auto net = tiny_network();
  Sgd sgd(net->parameters(), {});
  save_checkpoint(path, *net, sgd, {{{"state", "{}"}}, {}});
  const std::string whole = get_bytes(path);
  set_values(*net, 5);
  const auto before = values(*net);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    put_bytes(path, whole.substr(0, length));
    CAPTURE(length);
    CHECK(error_of(path, *net).find("c.safetensors") != std::string::npos);
    REQUIRE(values(*net) == before);
  }
}

TEST_CASE("what does not fit the network is named") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  auto net = tiny_network();
  const float numbers[] = {1, 2, std::numeric_limits<float>::quiet_NaN()};
  const auto w = [&](const std::string& name, std::vector<std::int64_t> shape, const float* data) {
    return SafetensorsItem{name, DType::f32, std::move(shape), data};
  };
  SUBCASE("missing") {
    write_safetensors(path, {w("fc.weight", {1, 2}, numbers)});
    CHECK(error_of(path, *net).find("the file lacks fc.bias") != std::string::npos);
  }
  SUBCASE("unknown") {
    write_safetensors(path, {w("fc.weight", {1, 2}, numbers), w("fc.bias", {1}, numbers),
                             w("fc9.bias", {1}, numbers)});
    CHECK(error_of(path, *net).find("the network has no fc9.bias") != std::string::npos);
  }
  SUBCASE("shape") {
    write_safetensors(path, {w("fc.weight", {2, 1}, numbers), w("fc.bias", {1}, numbers)});
    CHECK(error_of(path, *net).find("'fc.weight' has shape [2, 1] but the network needs [1, 2]") !=
          std::string::npos);
  }
  SUBCASE("NaN") {
    set_values(*net, 5);
    write_safetensors(path, {w("fc.weight", {1, 2}, numbers), w("fc.bias", {1}, numbers + 2)});
    CHECK(error_of(path, *net).find("value 0 of 'fc.bias' is nan") != std::string::npos);
    CHECK(values(*net) == std::vector<float>{5, 5, 5});
  }
}

TEST_CASE("a file without the trainer's metadata is no checkpoint") {
  const TemporaryFolder folder;
  const auto path = folder.path / "c.safetensors";
  const float one = 1;
  write_safetensors(path, {{"w", DType::f32, {1}, &one}});
  CHECK_THROWS_WITH_AS(load_trained(path, "cpu"),
                       doctest::Contains("this is not a training checkpoint"), FileError);
  write_safetensors(path, {{"w", DType::f32, {1}, &one}}, {{"config", "{\"model\": 5}"}});
  CHECK_THROWS_WITH_AS(load_trained(path, "cpu"), doctest::Contains("its metadata is damaged"),
                       FileError);
}

TEST_CASE("a checkpoint that cannot be written is an error, and the old one stays") {
  const TemporaryFolder folder;
  auto net = tiny_network();
  Sgd sgd(net->parameters(), {});
  CHECK_THROWS_AS(save_checkpoint(folder.path / "no" / "such" / "c.safetensors", *net, sgd, {}),
                  FileError);
  std::filesystem::create_symlink("/dev/full", folder.path / "full.safetensors");
  CHECK_THROWS_AS(save_checkpoint(folder.path / "full.safetensors", *net, sgd, {}), FileError);
}

TEST_CASE(
    "the history of a very long run is tensors, and comes back; that of an early version, too") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  TrainConfig config = tiny_config(folder.path / "data");
  config.epochs = 1'000'000;
  std::atomic<bool> stop{false};
  TrainerOptions options;
  options.out = folder.path / "out";
  options.stop = &stop;
  options.on_step = [&](const StepInfo& s) { stop = s.step % 5 == 2; };  // in an epoch's middle
  const auto path = folder.path / "out" / "checkpoint.safetensors";
  std::vector<float> losses;
  {
    Trainer trainer(config, options);
    CHECK_FALSE(trainer.run());
    losses = trainer.report().step_losses;
    REQUIRE(losses.size() == 2);
  }
  // Writes the same checkpoint with another state and, perhaps, another history.
  const auto rewrite = [&](const std::function<void(nlohmann::json&)>& change,
                           const std::vector<float>& steps) {
    const SafetensorsFile file(path);
    std::vector<SafetensorsItem> items;
    for (const SafetensorsEntry& e : file.entries())
      if (!e.name.starts_with("history/"))
        items.push_back({e.name, file.dtype(e), e.shape, e.bytes.data()});
    if (!steps.empty())
      items.push_back({"history/step_losses",
                       DType::f32,
                       {static_cast<std::int64_t>(steps.size())},
                       steps.data()});
    auto metadata = file.metadata();
    auto state = nlohmann::json::parse(metadata.at("state"));
    change(state);
    metadata["state"] = state.dump();
    write_safetensors(path, std::move(items), metadata);
  };
  const auto resumed = [&] {
    Trainer trainer(config, options);
    trainer.resume(path);
    trainer.save();
    return trainer.report();
  };

  constexpr std::int64_t many = 4'500'002;  // 5 steps are an epoch
  std::vector<float> long_history(many);
  for (std::size_t i = 0; i < long_history.size(); ++i)
    long_history[i] = 1 / (1.0F + static_cast<float>(i));
  rewrite(
      [&](nlohmann::json& state) {
        state["step"] = many;
        state["epoch"] = many / 5;
      },
      long_history);
  CHECK(resumed().step_losses == long_history);
  CHECK(resumed().step_losses == long_history);  // of what was saved just now
  std::uint64_t header = 0;
  std::memcpy(&header, get_bytes(path).data(), 8);
  CHECK(header < 20000);

  rewrite(
      [&](nlohmann::json& state) {
        state["step"] = 2;
        state["epoch"] = 0;
        state["step_losses"] = losses;
        state["epochs"] = nlohmann::json::parse("[[1, 0.5, 0.25, 3, 4, 5, 6, 7, 8, 9]]");
      },
      {});
  const RunReport early = resumed();
  CHECK(early.step_losses == losses);
  REQUIRE(early.epochs.size() == 1);
  const RunReport now = resumed();  // converted
  CHECK(now.step_losses == losses);
  REQUIRE(now.epochs.size() == 1);
  CHECK(now.epochs[0].train_top1 == 0.25);
  CHECK(now.epochs[0].waiting == 9);
}

TEST_CASE("a configuration survives being written and read") {
  for (const char* model : {"alexnet", "cifar-convnet", "alexnet-keras"})
    for (const char* recipe : {"default", "paper"}) {
      const TrainConfig c = default_config(model, recipe);
      CHECK(differences(c, TrainConfig::from_json(c.to_json())).empty());
    }
  CHECK_THROWS_AS(default_config("alexnet", "fast"), ValueError);
}

TEST_CASE("a network of one channel has settings of its own, and no mean image") {
  for (const std::int64_t side : {28, 96}) {
    const ModelSpec grey = {.name = "net.onnx", .input = {1, side, side}};
    const TrainConfig c = default_config(grey, "default");
    CHECK(c.augment.channels == 1);
    CHECK(c.augment.crop == side);
    CHECK(has(message_of<ValueError>([&] { default_config(grey, "paper"); }),
              "'paper' subtracts a mean image in red, green and blue, and net.onnx sees 1 channel; "
              "choose 'default'"));
  }
}

TEST_CASE("a damaged configuration is refused, and the setting is named") {
  const std::string good = default_config("lenet5", "default").to_json();
  const auto damaged = [&](const std::string& from, const std::string& to) {
    const std::size_t at = good.find(from);
    REQUIRE(at != std::string::npos);
    std::string text = good;
    text.replace(at, from.size(), to);
    try {
      TrainConfig::from_json(text);
    } catch (const ValueError& e) {
      return std::string(e.what());
    }
    return std::string("read without an error");
  };
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find("exception") == std::string::npos);
  };
  has(damaged("\"batch\":64", "\"batch\":2.5"), "\"batch\" is 2.5, expected a whole number");
  has(damaged("\"batch\":64", "\"batch\":\"64\""), "expected a whole number");
  has(damaged("\"batch\":64", "\"batch\":-4"), "batch is -4, but must be from 1");
  has(damaged("\"batch\":64", "\"catch\":64"), "\"batch\" is missing");
  has(damaged("\"epochs\":6", "\"epochs\":1000000000000000000"), "epochs is 1");
  has(damaged("\"crop\":28", "\"crop\":4294967324"), "expected a smaller number");
  has(damaged("\"crop\":28", "\"crop\":-4294967324"), "expected a larger number");
  has(damaged("\"crop\":28", "\"crop\":100000"), "crop is 100000, but must be from 1 to 4096");
  has(damaged("\"pad\":0", "\"pad\":-1"), "pad is -1");
  has(damaged("\"short_side\":0", "\"short_side\":1000000000"), "short_side");
  has(damaged("\"lr\":0.01", "\"lr\":null"), "\"lr\" is null, expected a number");
  has(damaged("\"model\":\"lenet5\"", "\"model\":5"), "\"model\" is 5, expected a text");
  has(damaged("\"mirror\":false", "\"mirror\":0"), "expected true or false");
  has(damaged("\"milestones\":[", "\"milestones\":[\"x\","), "list of numbers");
  has(damaged("{", "["), "not valid JSON");
  CHECK_THROWS_AS(TrainConfig::from_json("[]"), ValueError);
}
