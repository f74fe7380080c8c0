// Weights from elsewhere as a checkpoint: names, types, classes, pixels; and every file that does
// not fit, with all of its faults at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "formats/safetensors.h"
#include "models/models.h"
#include "models/weight_names.h"
#include "temporary_folder.h"
#include "training/checkpoint.h"
#include "training/data/class_file.h"
#include "training/evaluate.h"
#include "training/import_weights.h"
#include "training/trained_model.h"

using namespace limulus;

namespace {

struct Stored {
  std::string name;
  Shape shape;
  std::vector<double> values;
};
using Tensors = std::vector<Stored>;

// The weights of a LeNet-5, under its own names.
Tensors lenet_weights(std::int64_t classes = 10) {
  const auto net = make_model("lenet5", classes, device("reference"));
  initialize(*net, Recipe::he, 3);
  Tensors all;
  for (const auto& [name, t] : net->parameters()) all.push_back({name, t.shape(), t.to_doubles()});
  return all;
}

Stored& at(Tensors& all, const std::string& name) {
  for (Stored& s : all)
    if (s.name == name) return s;
  throw std::runtime_error("no " + name);
}

void write(const std::filesystem::path& path, const Tensors& all, DType dtype = DType::f32) {
  std::vector<std::vector<double>> doubles;
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<Bf16>> halves;
  std::vector<std::vector<std::int64_t>> wholes;
  std::vector<SafetensorsItem> items;
  for (const Stored& s : all) {
    const void* data = nullptr;
    if (dtype == DType::f64) {
      data = doubles.emplace_back(s.values).data();
    } else if (dtype == DType::f32) {
      data = floats.emplace_back(s.values.begin(), s.values.end()).data();
    } else if (dtype == DType::bf16) {
      auto& rounded = halves.emplace_back();
      for (const double v : s.values) rounded.push_back(round_to_bf16(static_cast<float>(v)));
      data = rounded.data();
    } else {
      data = wholes.emplace_back(s.values.begin(), s.values.end()).data();
    }
    items.push_back({s.name, dtype, s.shape.sizes(), data});
  }
  write_safetensors(path, std::move(items));
}

std::string lines(int n, const std::string& word = "class ") {
  std::string text;
  for (int i = 0; i < n; ++i) text += word + std::to_string(i) + "\n";
  return text;
}

struct Import {
  TemporaryFolder folder;
  std::filesystem::path weights = folder / "w.safetensors", to = folder / "out.safetensors";
  ImportOptions options{"lenet5", folder / "classes.txt", pixel_scaling("imagenet")};

  explicit Import(const Tensors& all, DType dtype = DType::f32) {
    write(weights, all, dtype);
    put_bytes(options.class_file, lines(10));
  }
  Imported run() { return import_weights(weights, options, to); }
  std::string fails() {
    const std::string message = message_of<FileError>([&] { run(); });
    CHECK_FALSE(std::filesystem::exists(to));
    return message;
  }
};

Tensors renamed(Tensors all, const LayerNames& names, const std::string& prefix = "") {
  for (Stored& s : all) {
    for (const auto& [theirs, ours] : names)
      if (s.name.starts_with(ours + ".")) {
        s.name = theirs + s.name.substr(ours.size());
        break;
      }
    s.name = prefix + s.name;
  }
  return all;
}

}  // namespace

TEST_CASE("weights become a checkpoint that answers: values, classes and pixels") {
  Import i(lenet_weights());
  const Imported done = i.run();
  CHECK(done.tensors == 10);
  CHECK(done.numbers == 61'706);
  CHECK(done.conversions.empty());
  const TrainedModel t = load_trained(i.to, "cpu");
  CHECK(t.config.model == "lenet5");
  CHECK(t.config.init == i.weights.string());
  CHECK(t.classes.at(3) == "class 3");
  std::map<std::string, std::vector<double>> values;
  for (const Stored& s : lenet_weights()) values[s.name] = s.values;
  for (const auto& [name, p] : t.model->parameters()) CHECK(p.to_doubles() == values.at(name));
  // (255 p - mean) scale = (p - 0.485) / 0.229, for p = 1
  CHECK((255 - t.normalization.mean[0]) * t.normalization.scale[0] ==
        doctest::Approx((1 - 0.485) / 0.229));
  CHECK((0 - t.normalization.mean[2]) * t.normalization.scale[2] ==
        doctest::Approx(-0.406 / 0.225));
  Image grey{32, 32, std::vector<std::uint8_t>(std::size_t{3} * 32 * 32, 90)};
  CHECK(classify(t, grey, false).size() == 10);
}

TEST_CASE("names of other programs are translated, and prefixes taken off") {
  const LayerNames tutorial = layer_names("lenet5").at(1);
  for (const std::string prefix : {"", "module.", "_orig_mod.module."}) {
    CAPTURE(prefix);
    Import i(renamed(lenet_weights(), tutorial, prefix));
    i.run();
    const TrainedModel t = load_trained(i.to, "reference");
    Tensors was = lenet_weights();
    for (const auto& [name, p] : t.model->parameters()) {
      CAPTURE(name);
      CHECK(p.to_doubles() == at(was, name).values);
    }
  }
  CHECK(own_name("features.10.bias", layer_names("alexnet").at(1)) == "conv4.bias");
  CHECK(own_name("features.1.bias", layer_names("alexnet").at(1)) == "features.1.bias");
  for (const ModelSpec& spec : list_models()) {  // each name stands for a layer that there is
    const auto net = make_model(spec.name, 2, device("reference"));
    const std::vector<std::string> layers = layers_with_weights(*net);
    for (const LayerNames& names : layer_names(spec.name))
      for (const auto& [theirs, ours] : names)
        CHECK(std::find(layers.begin(), layers.end(), ours) != layers.end());
  }
}

TEST_CASE("two names that become one are an error that shows both") {
  Tensors all = lenet_weights();
  all.push_back({"module.conv1.bias", {6}, std::vector<double>(6)});
  const std::string message = Import(all).fails();
  CHECK(has(message, "'conv1.bias' and 'module.conv1.bias' would both be 'conv1.bias'"));
}

TEST_CASE("other types are widened or rounded, and it is told") {
  for (const auto& [dtype, told] :
       {std::pair{DType::bf16, "BF16 widened to f32 (exact): 10 tensors"},
        std::pair{DType::f64, "F64 rounded to f32: 10 tensors"}}) {
    Import i(lenet_weights(), dtype);
    CHECK(i.run().conversions == std::vector<std::string>{told});
    load_trained(i.to, "reference");
  }
  const std::string message = Import(lenet_weights(), DType::i64).fails();
  CHECK(has(message, "conv1.weight: its type is I64, and weights are F32, F64, F16 or BF16"));
  CHECK(has(message, "fc5.bias: its type is I64"));
}

TEST_CASE("all that does not fit is listed at once, with the arithmetic") {
  Tensors all = lenet_weights();
  std::erase_if(all, [](const Stored& s) { return s.name == "fc4.bias"; });
  all.push_back({"norm.weight", {2, 2}, std::vector<double>(4)});
  at(all, "conv2.weight") = {"conv2.weight", {16, 3, 5, 5}, std::vector<double>(1200)};
  at(all, "fc5.weight") = {"fc5.weight", {1'000'000'000'000, 0}, {}};
  Import i(all);
  const std::string message = i.fails();
  CHECK(has(message, "these 10 tensors are not the weights of lenet5, which has 10:"));
  CHECK(has(message, "missing: fc4.bias [84]"));
  CHECK(has(message, "not in the network: norm.weight [2, 2]"));
  CHECK(has(message,
            "conv2.weight: expected [16, 6, 5, 5]: 16 x 6 x 5 x 5 = 2400 numbers, found "
            "[16, 3, 5, 5]: 16 x 3 x 5 x 5 = 1200 numbers"));
  CHECK(has(message,
            "fc5.weight: expected [10, 84]: 10 x 84 = 840 numbers, found [1000000000000, 0]"));
  CHECK_FALSE(has(message, "They fit"));
}

TEST_CASE("weights of another network: the error names the one that they fit") {
  Import i(lenet_weights());
  i.options.model = "cifar-convnet";
  CHECK(has(i.fails(), "They fit --model lenet5"));
}

TEST_CASE("weights that are not finite, or too large, are listed") {
  Tensors all = lenet_weights();
  at(all, "conv1.weight").values[7] = std::nan("");
  at(all, "fc3.bias").values[2] = -std::numeric_limits<double>::infinity();
  at(all, "fc5.bias").values[1] = 1e300;
  const std::string message = Import(all, DType::f64).fails();
  CHECK(has(message, "value 7 of 'conv1.weight' is nan"));
  CHECK(has(message, "value 2 of 'fc3.bias' is -inf"));
  CHECK(has(message, "value 1 of 'fc5.bias' is 1e+300, which is too large for f32"));
}

TEST_CASE("a file cut at any place, or of another kind, is an error that says what it is") {
  Import i(lenet_weights());
  const std::string whole = get_bytes(i.weights);
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    put_bytes(i.weights, whole.substr(0, length));
    CHECK(has(i.fails(), "w.safetensors: "));
  }
  i.weights = i.folder / "net.pth";
  put_bytes(i.weights, std::string("PK\3\4") + std::string(26, '\0') + "net/data.pkl");
  CHECK(has(i.fails(), "a file of torch.save"));
  CHECK(has(i.fails(), "torch.load(\""));
  put_bytes(i.weights, "\x80\x02}q");
  CHECK(has(i.fails(), "safetensors.torch"));
  put_bytes(i.weights, "hello, this is no file of weights");
  CHECK(has(i.fails(), "it is no safetensors"));
  i.weights = i.folder.path;
  CHECK(has(i.fails(), "is a folder, and weights are read from a file"));
}

TEST_CASE("as many classes as outputs, or both numbers are named") {
  Import i(lenet_weights(7));
  CHECK(has(i.fails(), "it names 10 classes, but the network in"));
  CHECK(has(i.fails(), "has 7 outputs (fc5.weight is [7, 84])"));
  put_bytes(i.options.class_file, lines(7));
  CHECK(i.run().classes.size() == 7);
}

TEST_CASE("pixels are described by a name that is known, or by numbers in their range") {
  CHECK(pixel_scaling("half").mean[1] == 0.5);
  CHECK(has(message_of<ValueError>([] { pixel_scaling("imagent"); }), "did you mean 'imagenet'"));
  Import i(lenet_weights());
  for (const double std : {0.0, -1.0, std::nan(""), 1e9}) {
    i.options.pixels.std[1] = std;
    CHECK_THROWS_AS(i.run(), ValueError);
  }
  i.options.pixels = {.mean = {0, std::nan(""), 0}, .std = {1, 1, 1}};
  CHECK_THROWS_AS(i.run(), ValueError);
}

TEST_CASE("a file of classes: a name a line, and every line that is none") {
  const TemporaryFolder folder;
  const auto path = folder / "names.txt";
  const auto read = [&](const std::string& text) {
    put_bytes(path, text);
    return read_class_file(path);
  };
  const auto fault = [&](const std::string& text) {
    return message_of<FileError>([&] { read(text); });
  };
  const std::vector<std::string> two = {"daisy", "great white shark"};
  CHECK(read("daisy\ngreat white shark") == two);
  CHECK(read("\xEF\xBB\xBF"
             "daisy \r\n great white shark\r\n\r\n\n") == two);
  CHECK(has(fault(""), "it has no names"));
  CHECK(has(fault("\n\n \n"), "it has no names"));
  CHECK(has(fault("a\n\nb\n"), "line 2 is empty"));
  CHECK(has(fault("crane\nb\ncrane\n"), "line 3 is \"crane\", as line 1 is"));
  CHECK(has(fault(std::string("a\nb\0c\n", 6)), "line 2 has characters that cannot be seen"));
  CHECK(has(fault("a\nb\xff\n"), "or is not UTF-8: b\\xff"));
  CHECK(has(fault("a\n" + std::string(256, 'x') + "\n"), "line 2 has 256 bytes"));
  CHECK(read("a\n" + std::string(255, 'x') + "\n").size() == 2);
  const std::string many = fault(std::string("x\n") + lines(0) + std::string("x\nx\nx\n\nb\n"));
  CHECK(has(many, "of its 6 lines 4 cannot be names of a class"));
  CHECK(has(message_of<FileError>([&] { read_class_file(folder.path); }), "is a folder"));
}
