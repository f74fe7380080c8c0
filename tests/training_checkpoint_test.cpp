// Checkpoints that are damaged, or belong to another network, are refused and change nothing.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "backends/registry.h"
#include "core/error.h"
#include "layers/linear.h"
#include "models/models.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/checkpoint.h"
#include "training/sgd.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

// Two weights and a bias: small enough to try every damage.
std::shared_ptr<Sequential> tiny_network() {
  auto net = std::make_shared<Sequential>();
  net->add<Linear>("fc", 2, 1, device("cpu"));
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
                       doctest::Contains("this is no checkpoint of a training"), FileError);
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
  if (std::filesystem::exists("/dev/full")) {
    std::filesystem::create_symlink("/dev/full", folder.path / "full.safetensors.tmp");
    CHECK_THROWS_AS(save_checkpoint(folder.path / "full.safetensors", *net, sgd, {}), FileError);
    CHECK_FALSE(std::filesystem::exists(folder.path / "full.safetensors"));
  }
}

TEST_CASE("a configuration survives being written and read") {
  for (const char* model : {"alexnet", "lenet5", "alexnet-keras"})
    for (const char* recipe : {"default", "paper"}) {
      const TrainConfig c = default_config(model, recipe);
      CHECK(differences(c, TrainConfig::from_json(c.to_json())).empty());
    }
  CHECK_THROWS_AS(default_config("alexnet", "fast"), ValueError);
  CHECK_THROWS_AS(TrainConfig::from_json("{}"), ValueError);
}
