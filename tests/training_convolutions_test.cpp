// The convolutions of a checkpoint, kept in a file of their own: what can be done with it and what
// is refused.
#include <doctest/doctest.h>

#include <cmath>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/convolutions.h"
#include "training/slim.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

struct Kept {
  TemporaryFolder folder;
  std::filesystem::path checkpoint, file = folder / "eye.safetensors";
  SavedConvolutions saved;

  Kept() {
    write_tiny_mnist(folder / "mnist");
    TrainerOptions options;
    options.out = folder / "run";
    TrainConfig config = tiny_config(folder / "mnist");
    config.epochs = 1;
    Trainer trainer(config, options);
    trainer.run();
    checkpoint = trainer.checkpoint_path();
    saved = save_convolutions(checkpoint, file);
  }
};

Tensor parameter(const Module& m, const std::string& name) {
  for (const auto& [key, t] : m.parameters())
    if (key == name) return t;
  return {};
}

}  // namespace

TEST_CASE("the convolutions of a checkpoint: trained ones, and the rest as the run began") {
  const Kept kept;
  CHECK(kept.saved.layers == std::vector<std::string>{"conv1", "conv2"});
  CHECK(kept.saved.left_out == std::vector<std::string>{"fc3", "fc4", "fc5"});

  const TrainedModel whole = load_trained(kept.checkpoint, "cpu");
  const TrainedModel part = load_trained(kept.file, "cpu", Needs::convolutions);
  CHECK(whole.drawn.empty());
  CHECK(part.drawn == kept.saved.left_out);
  CHECK(part.classes == whole.classes);
  CHECK(part.normalization.mean == whole.normalization.mean);
  const auto start = initial_model(whole.config, 10, device("cpu"));
  std::int64_t numbers = 0;
  for (const auto& [name, t] : part.model->parameters()) {
    CAPTURE(name);
    if (name.starts_with("fc")) {
      CHECK(t.to_doubles() == parameter(*start, name).to_doubles());
      continue;
    }
    numbers += t.numel();
    const std::vector<double> is = t.to_doubles(), was = parameter(*whole.model, name).to_doubles();
    for (std::size_t i = 0; i < is.size(); ++i)
      CHECK(std::abs(is[i] - was[i]) <= std::abs(was[i]) / 256);  // 8 significant bits, rounded
    CHECK(is != parameter(*start, name).to_doubles());
  }
  CHECK(kept.saved.numbers == numbers);
}

TEST_CASE("a whole network in bf16: a checkpoint's answers, in half of the bytes") {
  const Kept kept;
  const std::filesystem::path file = kept.folder / "whole.safetensors";
  const Slimmed saved = save_slim(kept.checkpoint, file, DType::bf16);
  const TrainedModel was = load_trained(kept.checkpoint, "cpu"), is = load_trained(file, "cpu");
  CHECK(is.drawn.empty());
  CHECK(is.normalization.mean == was.normalization.mean);
  std::int64_t numbers = 0;
  for (const auto& [name, t] : is.model->parameters()) {
    CAPTURE(name);
    numbers += t.numel();
    const std::vector<double> now = t.to_doubles(),
                              before = parameter(*was.model, name).to_doubles();
    for (std::size_t i = 0; i < now.size(); ++i)
      CHECK(std::abs(now[i] - before[i]) <= std::abs(before[i]) / 256);
  }
  CHECK(saved.numbers == numbers);
  CHECK(std::filesystem::file_size(file) < 2 * static_cast<std::uintmax_t>(numbers) + 4000);
}

TEST_CASE("a weight that is too large for bf16 is an error that names it, and no infinity") {
  const Kept kept;
  const SafetensorsFile file(kept.checkpoint);
  std::vector<std::vector<float>> values;
  std::vector<SafetensorsItem> items;
  for (const SafetensorsEntry& entry : file.entries()) {
    if (entry.dtype != "F32") continue;
    values.push_back(file.to_floats(entry));
    if (entry.name == "conv1.weight") values.back()[3] = 3.4028e38F;
    items.push_back({entry.name, DType::f32, entry.shape, values.back().data()});
  }
  const std::filesystem::path large = kept.folder / "large.safetensors";
  write_safetensors(large, std::move(items), file.metadata());
  const std::string message =
      message_of<FileError>([&] { save_slim(large, kept.folder / "no.safetensors", DType::bf16); });
  CHECK(message.find("value 3 of 'conv1.weight' is 3.4028e+38, which is too large for bf16") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(kept.folder / "no.safetensors"));
}

TEST_CASE("what needs all layers refuses a file of convolutions, and says what it is") {
  const Kept kept;
  const std::string message = message_of<FileError>([&] { load_trained(kept.file, "cpu"); });
  CHECK(message.find("damaged") == std::string::npos);  // nothing is wrong with the file
  CHECK(message.find("it has the weights of the convolutions alone, and none of fc3, fc4, fc5") !=
        std::string::npos);
  // Nor is a part taken for the whole when it is saved again.
  CHECK_THROWS_AS(save_convolutions(kept.file, kept.folder / "again.safetensors"), FileError);
  CHECK_FALSE(std::filesystem::exists(kept.folder / "again.safetensors"));
}

TEST_CASE("a file that leaves out what it does not name, or names what there is, is refused") {
  const Kept kept;
  const SafetensorsFile file(kept.file);
  const auto with_left_out = [&](const std::string& json) {
    std::vector<SafetensorsItem> items;
    std::vector<std::vector<float>> values;
    for (const SafetensorsEntry& e : file.entries()) {
      values.push_back(file.to_floats(e));
      items.push_back({e.name, DType::f32, e.shape, values.back().data()});
    }
    auto metadata = file.metadata();
    metadata["left_out"] = json;
    write_safetensors(kept.folder / "other.safetensors", std::move(items), metadata);
    return message_of<FileError>(
        [&] { load_trained(kept.folder / "other.safetensors", "cpu", Needs::convolutions); });
  };
  CHECK(with_left_out(R"(["fc3", "fc4"])").find("the file lacks fc5.weight") != std::string::npos);
  CHECK(with_left_out(R"(["conv1", "fc3", "fc4", "fc5"])").find("the network has no conv1") !=
        std::string::npos);
  CHECK(with_left_out(R"(["fc3", "fc4", "fc5", "fc6"])").find("it leaves out the layer 'fc6'") !=
        std::string::npos);
  CHECK(with_left_out("7").find("other.safetensors") != std::string::npos);
  CHECK(with_left_out("[]").find("the file lacks fc3.weight") != std::string::npos);
}
