// Numbers in a checkpoint's metadata: what is no number of its kind is refused, and nothing of the
// run is changed.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/safetensors.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/json_value.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

// The file again, with one of its metadata's texts changed.
void change(const std::filesystem::path& path, const std::string& key,
            const std::function<void(nlohmann::json&)>& edit) {
  const SafetensorsFile file(path);
  auto metadata = file.metadata();
  auto json = nlohmann::json::parse(metadata.at(key));
  edit(json);
  metadata[key] = json.dump();
  std::vector<SafetensorsItem> items;
  for (const SafetensorsEntry& entry : file.entries())
    items.push_back({entry.name, file.dtype(entry), entry.shape, entry.bytes.data()});
  write_safetensors(path, items, metadata);
}

struct SavedRun {
  SavedRun() {
    write_tiny_mnist(folder.path);
    TrainConfig config = tiny_config(folder.path);
    config.device = "reference";
    trainer = std::make_unique<Trainer>(config, TrainerOptions{.out = folder / "run"});
    trainer->save();
    whole = get_bytes(trainer->checkpoint_path());
  }
  // What resuming says when one number of the state is another.
  std::string resumed_with(const std::string& pointer, const nlohmann::json& value) {
    put_bytes(trainer->checkpoint_path(), whole);
    change(trainer->checkpoint_path(), "state",
           [&](nlohmann::json& state) { state[nlohmann::json::json_pointer(pointer)] = value; });
    return message_of<FileError>([&] { trainer->resume(trainer->checkpoint_path()); });
  }
  TemporaryFolder folder;
  std::unique_ptr<Trainer> trainer;
  std::string whole;
};

template <class T>
std::string refusal(const char* json) {
  T value{};
  return message_of<ValueError>([&] { read_value(nlohmann::json::parse(json), "it", value); });
}

}  // namespace

TEST_CASE("a number of JSON must be of its kind, and fit") {
  CHECK(refusal<int>("2147483647") == "");
  CHECK(refusal<int>("-2147483648") == "");
  CHECK(refusal<int>("2147483648") == "it is 2147483648, expected a smaller number");
  CHECK(refusal<int>("-2147483649") == "it is -2147483649, expected a larger number");
  CHECK(refusal<int>("1e300") == "it is 1e+300, expected a whole number");
  CHECK(refusal<int>("true") == "it is true, expected a whole number");
  CHECK(refusal<std::int64_t>("18446744073709551615") ==
        "it is 18446744073709551615, expected a smaller number");
  CHECK(refusal<std::uint64_t>("18446744073709551615") == "");
  CHECK(refusal<std::uint64_t>("-1") == "it is -1, expected a larger number");
  CHECK(refusal<double>("1") == "");
  CHECK(refusal<double>("null") == "it is null, expected a number");
  CHECK(refusal<bool>("1") == "it is 1, expected true or false");
  CHECK(refusal<std::string>("1") == "it is 1, expected a text");
  CHECK(refusal<std::vector<double>>("[1, 2.5]") == "");
  CHECK(refusal<std::vector<double>>("[1, \"2\"]") ==
        "it is [1,\"2\"], expected a list of numbers");
}

TEST_CASE("a run is not resumed from numbers that are none") {
  SavedRun run;
  CHECK(run.resumed_with("/step", 0) == "");
  for (const char* key :
       {"/step", "/epoch", "/batch", "/epoch_images", "/images", "/schedule/1", "/schedule/2"})
    for (const nlohmann::json& value :
         {nlohmann::json(1e300), nlohmann::json(-1e300), nlohmann::json(0.5),
          nlohmann::json(UINT64_MAX), nlohmann::json(true), nlohmann::json("1"),
          nlohmann::json()}) {
      const std::string message = run.resumed_with(key, value);
      CAPTURE(key);
      CAPTURE(value.dump());
      CHECK_MESSAGE(has(message, "its metadata is damaged"), message);
      CHECK_MESSAGE(has(message, "expected a "), message);
    }
}

TEST_CASE("a network is not used with a mean that is none") {
  SavedRun run;
  const auto path = run.trainer->checkpoint_path();
  const auto changed = [&](const char* pointer, const nlohmann::json& value) {
    put_bytes(path, run.whole);
    change(path, "normalization",
           [&](nlohmann::json& n) { n[nlohmann::json::json_pointer(pointer)] = value; });
    return message_of<FileError>([&] { load_trained(path, "reference"); });
  };
  CHECK(changed("/mean/0", 90) == "");
  for (const char* pointer : {"/mean/0", "/colour_axes/1/2"})
    CHECK(has(changed(pointer, 1e300), "a mean or a colour's axis has the value"));
  const float one = 1;
  const auto with_mean = [&](const std::vector<std::int64_t>& shape) {
    put_bytes(path, run.whole);
    const SafetensorsFile file(path);
    std::vector<SafetensorsItem> items = {{"data/mean", DType::f32, shape, &one}};
    for (const SafetensorsEntry& entry : file.entries())
      if (entry.name != "data/mean")
        items.push_back({entry.name, file.dtype(entry), entry.shape, entry.bytes.data()});
    write_safetensors(path, items, file.metadata());
    return message_of<FileError>([&] { load_trained(path, "reference"); });
  };
  CHECK(has(with_mean({}), "'data/mean' has the shape [], not [3, side, side]"));
  CHECK(has(with_mean({1, 1, 1}), "'data/mean' has the shape [1, 1, 1]"));
}
