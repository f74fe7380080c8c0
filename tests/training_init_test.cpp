// Runs that begin with learned weights, and layers that keep theirs.
#include <doctest/doctest.h>

#include <atomic>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/error.h"
#include "formats/safetensors.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "models/models.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/checkpoint.h"
#include "training/freeze.h"
#include "training/initial_weights.h"
#include "training/trained_model.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

using Values = std::map<std::string, std::vector<float>>;

Values values_of(const Module& model) {
  Values all;
  for (const auto& [name, t] : state_of(model)) all[name] = t.to_vector<float>();
  return all;
}

std::filesystem::path trained_run(const TemporaryFolder& folder) {
  write_tiny_mnist(folder / "data");
  TrainConfig config = tiny_config(folder / "data");
  config.epochs = 1;
  Trainer t(config, quiet(folder / "first"));
  t.run();
  return t.checkpoint_path();
}

std::string frozen(const std::string& model, const std::string& words, bool norm = false) {
  const auto net = make_model(model, 2, device("reference"), DType::f32, {.batch_norm = norm});
  return frozen_text(frozen_layers(*net, words));
}

std::string refused(const std::string& model, const std::string& words) {
  return message_of<ValueError>([&] { frozen(model, words); });
}

}  // namespace

TEST_CASE("a head of another size starts anew; the rest is taken, bit for bit") {
  const TemporaryFolder folder;
  const auto file = trained_run(folder);
  const Values was = values_of(*load_trained(file, "reference").model);
  const auto net = make_model("lenet5", 4, device("cpu"));
  initialize(*net, Recipe::he, 9);
  const Values drawn = values_of(*net);
  const InitialWeights begun = start_from(file, "lenet5", *net, {"a", "b", "c", "d"});
  CHECK(begun.taken == std::vector<std::string>{"conv1", "conv2", "fc3", "fc4"});
  REQUIRE(begun.anew.size() == 1);
  CHECK(begun.anew[0].layer == "fc5");
  CHECK(begun.anew[0].reason == "fc5.weight is [10, 84] in the file and [4, 84] here");
  CHECK(begun.normalization.has_value());
  for (const auto& [name, now] : values_of(*net))
    CHECK(now == (name.starts_with("fc5") ? drawn : was).at(name));
  CHECK(has(begun.text(), "conv1, conv2, fc3, fc4, 60,856 numbers"));
  CHECK(has(begun.text(), "fc5 starts anew: fc5.weight is [10, 84]"));
}

TEST_CASE("types are told of the tensors that were taken, and of no other") {
  const TemporaryFolder folder;
  const auto net = make_model("lenet5", 4, device("cpu"));
  initialize(*net, Recipe::he, 9);
  std::vector<SafetensorsItem> items;
  std::vector<std::vector<float>> singles;
  std::vector<std::vector<double>> doubles;
  singles.reserve(20), doubles.reserve(20);  // the items point at them
  for (const auto& [name, t] : state_of(*net)) {
    if (name.starts_with("fc3")) continue;
    if (name.starts_with("fc5")) {  // for ten classes, in double
      doubles.push_back(std::vector<double>(name == "fc5.bias" ? 10 : 840, 0.5));
      items.push_back(
          {name, DType::f64,
           name == "fc5.bias" ? std::vector<std::int64_t>{10} : std::vector<std::int64_t>{10, 84},
           doubles.back().data()});
    } else if (name == "conv1.bias") {
      doubles.push_back(t.to_doubles());
      items.push_back({name, DType::f64, t.shape().sizes(), doubles.back().data()});
    } else {
      singles.push_back(t.to_vector<float>());
      items.push_back({name, DType::f32, t.shape().sizes(), singles.back().data()});
    }
  }
  write_safetensors(folder / "mixed.safetensors", std::move(items), {});
  const InitialWeights begun =
      start_from(folder / "mixed.safetensors", "lenet5", *net, {"a", "b", "c", "d"});
  CHECK(begun.taken == std::vector<std::string>{"conv1", "conv2", "fc4"});
  CHECK(begun.conversions == std::vector<std::string>{"F64 rounded to f32: 1 tensor"});
}

TEST_CASE("a head for other classes starts anew even where its size fits") {
  const TemporaryFolder folder;
  const auto file = trained_run(folder);
  const auto net = make_model("lenet5", 10, device("cpu"));
  const std::vector<std::string> same = load_trained(file, "reference").classes;
  CHECK(start_from(file, "lenet5", *net, same).anew.empty());
  std::vector<std::string> others = same;
  others[0] = "another";
  const InitialWeights begun = start_from(file, "lenet5", *net, others);
  REQUIRE(begun.anew.size() == 1);
  CHECK(has(begun.anew[0].reason, "its 10 classes are others"));
}

TEST_CASE("a layer is taken whole or not at all, and what has no place is told") {
  const TemporaryFolder folder;
  const auto net = make_model("lenet5", 3, device("reference"));
  initialize(*net, Recipe::he, 1);
  const Values drawn = values_of(*net);
  const std::vector<float> one(16, 1.0F), filters(150, 0.5F), six(6, 2.0F);
  const auto file = folder / "w.safetensors";
  write_safetensors(file, {{"conv1.weight", DType::f32, {6, 1, 5, 5}, filters.data()},
                           {"conv1.bias", DType::f32, {6}, six.data()},
                           {"conv2.bias", DType::f32, {16}, one.data()},
                           {"stem.bias", DType::f32, {16}, one.data()}});
  const InitialWeights begun = start_from(file, "lenet5", *net, {});
  CHECK(begun.taken == std::vector<std::string>{"conv1"});
  CHECK(begun.unused == std::vector<std::string>{"stem.bias"});
  CHECK(begun.anew[0].reason == "the file lacks conv2.weight");
  CHECK(begun.anew[1].reason == "not in the file");
  CHECK(values_of(*net)["conv1.bias"] == six);
  CHECK(values_of(*net)["conv2.bias"] == drawn.at("conv2.bias"));

  const auto bad = folder / "nan.safetensors";
  std::vector<float> broken = six;
  broken[4] = std::numeric_limits<float>::quiet_NaN();
  const Values before = values_of(*net);
  write_safetensors(bad, {{"conv1.weight", DType::f32, {6, 1, 5, 5}, filters.data()},
                          {"conv1.bias", DType::f32, {6}, broken.data()}});
  CHECK(has(message_of<FileError>([&] { start_from(bad, "lenet5", *net, {}); }),
            "value 4 of 'conv1.bias' is nan"));
  CHECK(values_of(*net) == before);
  const auto other = make_model("cifar-convnet", 3, device("reference"));
  CHECK(has(message_of<FileError>([&] { start_from(file, "cifar-convnet", *other, {}); }),
            "nothing in this file fits cifar-convnet (conv1: conv1.weight is [6, 1, 5, 5] in the "
            "file and [32, 3, 5, 5] here)"));
}

TEST_CASE("layers are named one by one, in ranges and in groups") {
  CHECK(frozen("alexnet", "conv1-conv3") == "conv1,conv2,conv3");
  CHECK(frozen("alexnet", "fc6, conv1 ,conv1") == "conv1,fc6");
  CHECK(frozen("alexnet-torchvision", "features") ==
        "features.0,features.3,features.6,features.8,features.10");
  CHECK(frozen("alexnet-torchvision", "features.3-classifier.1") ==
        "features.3,features.6,features.8,features.10,classifier.1");
  CHECK(frozen("alexnet-keras", "conv1-conv2", true) == "conv1,norm1,conv2");
}

TEST_CASE("a name that is no layer, an order that is none, and all layers are refused") {
  CHECK(has(refused("alexnet", "conv9"), "no layer 'conv9'; did you mean 'conv"));
  CHECK(has(refused("alexnet", "conv9"), "There are conv1, conv2"));
  CHECK(has(refused("alexnet", "conv1-conv9"), "no layer 'conv9'"));
  CHECK(has(refused("alexnet", "con-conv5"), "no layer 'con'"));
  CHECK(has(refused("alexnet", "conv5-conv1"), "conv5 comes behind conv1 in the network"));
  CHECK(has(refused("alexnet", "relu1"), "the layer 'relu1' has no weights"));
  CHECK(has(refused("alexnet", "conv1,,conv2"), "no layer ''"));
  CHECK(has(refused("alexnet", "conv1,"), "no layer ''"));
  CHECK(has(refused("alexnet", "-"), "no layer ''"));
  CHECK(has(refused("lenet5", "conv1-fc5"), "all of the network's layers"));
}

TEST_CASE("a frozen layer has no gradient and keeps its bits; what is behind it learns") {
  const TemporaryFolder folder;
  const auto file = trained_run(folder);
  TrainConfig config = tiny_config(folder / "data");
  config.freeze = "conv1-conv2";
  TrainerOptions options = quiet(folder / "tuned");
  options.init = file;
  Trainer t(config, options);
  CHECK(t.config().freeze == "conv1,conv2");
  CHECK(count_of(trained_parameters(t.model())) == 61'706 - 156 - 2'416);
  const Values before = values_of(t.model());
  t.run();
  for (const auto& [name, now] : values_of(t.model())) {
    CAPTURE(name);
    CHECK((now == before.at(name)) == name.starts_with("conv"));
  }
  for (const auto& [name, p] : t.model().parameters())
    if (name.starts_with("conv")) CHECK_FALSE(p.grad().defined());
  const SafetensorsFile saved(t.checkpoint_path());
  CHECK(saved.find("velocity/conv1.weight") == nullptr);
  CHECK(saved.find("velocity/fc3.weight") != nullptr);
}

TEST_CASE("stopped and resumed, a run with frozen layers ends with the same bits") {
  const TemporaryFolder folder;
  const auto file = trained_run(folder);
  TrainConfig config = tiny_config(folder / "data");
  config.freeze = "conv1,conv2";
  const auto begin = [&](const char* out) {
    TrainerOptions options = quiet(folder / out);
    options.init = file;
    return options;
  };
  Trainer whole(config, begin("whole"));
  whole.run();
  std::atomic<bool> stop{false};
  TrainerOptions options = begin("part");
  options.stop = &stop;
  options.on_step = [&](const StepInfo& s) { stop = s.step == 7; };
  Trainer part(config, options);
  CHECK_FALSE(part.run());
  // The checkpoint says what is frozen, and the first file is not needed any more.
  std::filesystem::remove(file);
  const TrainConfig kept = load_config(part.checkpoint_path());
  CHECK(kept.freeze == "conv1,conv2");
  CHECK(kept.init == file.string());
  Trainer rest(kept, quiet(folder / "part"));
  rest.resume(part.checkpoint_path());
  CHECK(rest.run());
  CHECK(values_of(rest.model()) == values_of(whole.model()));
  TrainConfig thawed = kept;
  thawed.freeze = "conv1";
  Trainer other(thawed, quiet(folder / "part"));
  CHECK(has(message_of<FileError>([&] { other.resume(part.checkpoint_path()); }),
            "freeze: \"conv1,conv2\" in the checkpoint, \"conv1\" now"));
}

TEST_CASE("frozen batch normalization uses its running statistics, and keeps them") {
  Backend& cpu = device("cpu");
  Sequential net;
  net.add<Conv2d>("conv", 1, 2, Conv2dOptions{.kernel = 3}, cpu)
      .add<BatchNorm2d>("norm", 2, cpu)
      .add<Conv2d>("last", 2, 1, Conv2dOptions{.kernel = 2}, cpu);
  initialize(net, Recipe::he, 2);
  freeze_layers(net, frozen_layers(net, "conv-norm"));
  net.train();
  const Tensor x = Tensor::from(std::vector<float>(32, 3.0F), {2, 1, 4, 4}, cpu);
  const Values before = values_of(net);
  const Tensor y = net.forward(x);
  sum(square(y)).backward();
  const Values after = values_of(net);
  CHECK(after == before);
  for (const auto& [name, p] : net.parameters()) {
    CAPTURE(name);
    CHECK(p.grad().defined() == name.starts_with("last"));
  }
  net.eval();
  CHECK(net.forward(x).to_vector<float>() == y.to_vector<float>());
}

TEST_CASE("pixels become the input as in the file that was begun with") {
  const TemporaryFolder folder;
  const auto file = trained_run(folder);
  TrainConfig config = tiny_config(folder / "data");
  config.epochs = 1;
  config.pixel_scale = 1.0F;  // of its own, the run would not scale
  TrainerOptions options = quiet(folder / "tuned");
  options.init = file;
  Trainer t(config, options);
  t.run();
  const auto was = load_trained(file, "reference").normalization,
             is = load_trained(t.checkpoint_path(), "reference").normalization;
  CHECK(is.scale == was.scale);
  CHECK(is.mean == was.mean);
  CHECK(was.scale[0] != 1.0F);
}
