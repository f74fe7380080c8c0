// The nearest training photographs, beside a search that is written out: one picture at a time
// through the whole network, its last hidden layer overheard, and every distance added up in
// double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "layers/linear.h"
#include "look_check.h"
#include "training/data/resize.h"
#include "training/report/look_page.h"
#include "training_sets.h"

using namespace limulus;

namespace {

// What the layer `name` gives in the network as evaluation runs it.
std::vector<double> overheard(const TrainedModel& t, const Image& photograph,
                              const std::string& name) {
  Augment shown = t.config.augment;
  shown.random = false;
  std::vector<float> pixels(static_cast<std::size_t>(shown.channels * shown.crop * shown.crop));
  augment(prepare(photograph, t.config.prepare), {}, shown, t.normalization, pixels.data());
  std::vector<double> values;
  const NoGrad only_looking;
  const LayerObserver observe([&](const std::string& layer, const Tensor& y) {
    if (layer == name) values = y.to_doubles();
  });
  t.model->forward(
      Tensor::from(pixels, {1, shown.channels, shown.crop, shown.crop}, device("cpu")));
  return values;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("the nearest are those of a search that is written out") {
  struct Row {
    const char *model, *behind, *shown;  // the last layer before the last Linear; what it is called
    std::int64_t width, side;
  };
  for (const Row& row :
       {Row{"lenet5", "relu4", "fc4", 84, 28}, Row{"cifar-convnet", "flatten", "pool3", 1024, 32},
        Row{"alexnet", "drop7", "fc7", 4096, 256},
        Row{"alexnet-torchvision", "classifier.5", "classifier.4", 4096, 256}}) {
    CAPTURE(row.model);
    const TrainedModel t = drawn_model(row.model, DType::f32);
    const ImageSet set = noise_set(row.side > 100 ? 9 : 40, static_cast<int>(row.side));
    const Image photograph = drawn_photograph(300, 256);
    const Image small = resize(photograph, static_cast<int>(row.side), static_cast<int>(row.side));
    const HiddenLayer layer = last_hidden(t);
    CHECK(layer.name == row.shown);
    CHECK(layer.width == row.width);

    const std::vector<double> own = overheard(t, small, row.behind);
    REQUIRE(own.size() == static_cast<std::size_t>(row.width));
    std::vector<std::pair<double, std::int64_t>> all;
    for (std::int64_t i = 0; i < set.size(); ++i)
      all.emplace_back(distance(own, overheard(t, set.load(i), row.behind)), i);
    std::sort(all.begin(), all.end());

    const Neighbours found = nearest(hidden_values(t, set, 1000, 2), hidden_values(t, small));
    CHECK(found.missing.empty());
    CHECK(found.layer == row.shown);
    CHECK(found.searched == set.size());
    CHECK(found.of == set.size());
    REQUIRE(found.nearest.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(found.nearest[i].image == all[i].second);
      CHECK(found.nearest[i].label == set.label(all[i].second));
      CHECK(found.nearest[i].distance == doctest::Approx(all[i].first).epsilon(1e-4));
      CHECK(found.nearest[i].name == set.name(all[i].second));
      CHECK(found.nearest[i].picture.width == t.config.augment.crop);
    }
  }
}

TEST_CASE("a photograph of the set is its own nearest, at the distance 0") {
  const TrainedModel t = drawn_model("lenet5", DType::f32);
  const ImageSet set = noise_set(30, 28);
  const HiddenValues values = hidden_values(t, set, 1000);
  for (const std::int64_t i : {0, 7, 29}) {
    const Neighbours found = nearest(values, hidden_values(t, set.load(i)), 1);
    REQUIRE(found.nearest.size() == 1);
    CHECK(found.nearest[0].image == i);
    CHECK(found.nearest[0].distance < 1e-4);
  }
}

TEST_CASE(
    "distances are Euclidean, equal ones in the set's order, and a small set gives what it has") {
  HiddenValues set;
  set.layer = {"fc", 2};
  set.images = std::make_shared<ImageCache>(noise_set(4, 8));
  set.side = 8;
  set.of = 4;
  set.sources = {0, 2, 3};  // image 1 could not be used
  set.values = {3, 4, 0, 1, 1, 0};
  const Neighbours found = nearest(set, {0, 0});
  REQUIRE(found.nearest.size() == 3);
  CHECK(found.searched == 3);
  CHECK(found.of == 4);
  CHECK(found.nearest[0].image == 2);
  CHECK(found.nearest[1].image == 3);
  CHECK(found.nearest[2].image == 0);
  CHECK(found.nearest[0].distance == 1);
  CHECK(found.nearest[2].distance == 5);
  CHECK(message_of<ShapeError>([&] {
          nearest(set, {1, 2, 3});
        }) == "nearest: 3 values, but fc has 2");
  set.values[1] = NAN;
  CHECK(has(message_of<ValueError>([&] { nearest(set, {0, 0}); }), "not numbers"));
}

TEST_CASE("of a large set evenly spaced ones are compared, and what cannot be used is left out") {
  const TrainedModel t = drawn_model("lenet5", DType::f32);
  const HiddenValues some = hidden_values(t, noise_set(40, 28), 10);
  CHECK(some.sources.size() == 10);
  const Neighbours found = nearest(some, hidden_values(t, drawn_photograph(28, 28)));
  CHECK(found.searched == 10);
  CHECK(found.of == 40);

  const TemporaryFolder folder;
  const std::string picture = golden_bytes("rgb.png");  // 20 x 12: smaller than the crop
  ImageSet bad;
  for (const char* name : {"a.png", "b.png"}) {
    put_bytes(folder / name, picture);
    bad.add_file(folder / name, 0);
  }
  CHECK(has(message_of<FileError>([&] { hidden_values(t, bad, 10); }),
            "none of the 2 training images can be used; the first is "));
  put_bytes(folder / "b.png", "no picture");
  const Image good = drawn_photograph(28, 28);
  CHECK(has(message_of<FileError>([&] { hidden_values(t, bad, 10); }), "a.png"));
}

TEST_CASE("page and JSON have the neighbours, or say why not, safe against names") {
  TrainedModel t = drawn_model("lenet5", DType::f32);
  t.classes[0] = "</script><b>zero";
  const Image photograph = drawn_photograph(28, 28);
  Look look = look_at(t, photograph);
  const LookTitle title = {"p.jpg", "c", "look"};
  CHECK(has(look_page(t, look, photograph, title), "were not looked at"));
  look.neighbours = nearest(hidden_values(t, noise_set(12, 28), 100), hidden_values(t, photograph));
  for (Neighbour& n : look.neighbours.nearest) n.label = 0;
  look.neighbours.nearest[1].name = "folder/<i>.jpg";
  const std::string page = look_page(t, look, photograph, title);
  CHECK_FALSE(has(page, "<i>.jpg"));
  CHECK_FALSE(has(page, "</script><b>"));
  CHECK(has(page, "\\u003ci>.jpg"));
  const auto json = nlohmann::json::parse(look_json(t, look, title))["neighbours"];
  CHECK(json["layer"] == "fc4");
  CHECK(json["values"] == 84);
  CHECK(json["searched"] == 12);
  REQUIRE(json["nearest"].size() == 6);
  CHECK(json["nearest"][1]["name"] == "<i>.jpg");
  CHECK(json["nearest"][0]["class"] == t.classes[0]);
  CHECK(json["nearest"][0]["distance"].get<double>() ==
        doctest::Approx(look.neighbours.nearest[0].distance));
  look.neighbours.missing = "They are gone.";
  CHECK(nlohmann::json::parse(look_json(t, look, title))["neighbours"] ==
        nlohmann::json{{"missing", "They are gone."}});
}

TEST_CASE("a network whose layers do not follow one another is refused in a sentence") {
  TrainedModel t;
  const UnfilledParameters only_its_layers;
  t.model = make_model("alexnet-towers", 5, device("cpu"));
  CHECK(has(message_of<ValueError>([&] { last_hidden(t); }), "do not follow one another"));
}
