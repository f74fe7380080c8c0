// A network that is no name but a description, as one from an ONNX file is: its checkpoint needs no
// other file, goes on with the same bits, and is not believed where it describes something else.
// (The file itself is not needed here: these tests run without ONNX, too.)
#include <doctest/doctest.h>

#include <atomic>

#include "backends/registry.h"
#include "core/error.h"
#include "models/description.h"
#include "models/lenet5.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/checkpoint.h"
#include "training/resume.h"
#include "training/trained_model.h"

using namespace limulus;

namespace {

TrainConfig described(const TemporaryFolder& folder) {
  write_tiny_mnist(folder / "data");
  TrainConfig c = tiny_config(folder / "data");
  c.model = "net.onnx";
  c.network = describe(*lenet5(10, device("cpu")), {1, 28, 28});
  return c;
}

std::vector<float> values(const Module& m) {
  std::vector<float> all;
  for (const auto& [name, t] : m.parameters())
    for (const float v : t.to_vector<float>()) all.push_back(v);
  return all;
}

}  // namespace

TEST_CASE("a run that was stopped and goes on ends with the same bits, from its checkpoint alone") {
  const TemporaryFolder folder;
  const TrainConfig c = described(folder);
  Trainer whole(c, quiet(folder / "whole"));
  CHECK(whole.run());

  std::atomic<bool> stop = false;
  TrainerOptions halting = quiet(folder / "cut");
  halting.stop = &stop;
  halting.on_step = [&](const StepInfo& s) { stop = s.step == 4; };
  Trainer cut(c, halting);
  CHECK(!cut.run());
  const auto file = folder / "cut/checkpoint.safetensors";
  TrainConfig again = load_config(file);
  CHECK(again.network == c.network);
  Trainer resumed(again, quiet(folder / "cut"));
  resumed.resume(file);
  CHECK(resumed.run());
  CHECK(values(resumed.model()) == values(whole.model()));

  const TrainedModel trained = load_trained(file, "cpu");
  CHECK(trained.config.model == "net.onnx");
  CHECK(values(*trained.model) == values(whole.model()));
}

TEST_CASE("a description that is not the weights' is refused") {
  const TemporaryFolder folder;
  const TrainConfig c = described(folder);
  Trainer trainer(c, quiet(folder / "run"));
  trainer.save();
  const auto file = folder / "run/checkpoint.safetensors";
  std::string bytes = get_bytes(file);
  const auto with = [&](const std::string& from, const std::string& to) {
    REQUIRE(from.size() == to.size());
    std::string other = bytes;
    REQUIRE(has(other, from));
    other.replace(other.find(from), from.size(), to);
    put_bytes(folder / "other.safetensors", other);
    return message_of<FileError>([&] { load_trained(folder / "other.safetensors", "cpu"); });
  };
  // Quotes are escaped twice: a text within JSON within JSON.
  CHECK(has(with("400,", "9e9,"), "of the network's layer 'fc3' is not a whole number"));
  CHECK(has(with("ReLU", "Gelu"), "is a 'Gelu', which is not known here"));
  CHECK(has(with("\"out\\\\\\\":120", "\"out\\\\\\\":999"), "the network would have"));
  CHECK(message_of<ValueError>([&] { network_from("{}", 0, device("cpu")); }) ==
        "the network's description is damaged");
  // As many layers within layers as a text can have.
  std::string deep = "[]";
  for (int i = 0; i < 100; ++i)
    deep = R"([{"name":"a","kind":"Sequential","layers":)" + deep + "}]";
  CHECK(has(message_of<ValueError>([&] {
              network_from(R"({"input":[1,2,2],"layers":)" + deep + "}", 0, device("cpu"));
            }),
            "nested too deep"));
  CHECK(has(message_of<ValueError>([&] {
              network_from(R"({"input":[1,2,2],"layers":[{"name":"a","kind":"Linear",)"
                           R"("in":4,"out":1000000000000,"bias":true}]})",
                           0, device("cpu"), DType::f32, 1000);
            }),
            "with layer 'a' the network would have"));
}

TEST_CASE("the settings of two networks differ by their layers") {
  const TemporaryFolder folder;
  const TrainConfig c = described(folder);
  TrainConfig other = c;
  other.network = describe(*lenet5(10, device("cpu"), DType::f32, Nonlinearity::tanh), {1, 28, 28});
  CHECK(differences(c, c).empty());
  CHECK(differences(c, other) == "  network: the checkpoint has other layers\n");
  CHECK(has(c.to_json(), "\"network\""));
  CHECK(!has(tiny_config("x").to_json(), "\"network\""));
}
