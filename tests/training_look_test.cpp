// `limulus look`: the pictures that say where an answer comes from, beside differences, beside the
// network itself, and beside sums written out; and the page.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "layers/softmax.h"
#include "look_check.h"
#include "models/initialize.h"
#include "temporary_folder.h"
#include "training/report/look_page.h"
#include "training/trained_model.h"

using namespace limulus;

namespace {

double logit(const TrainedModel& t, const std::vector<double>& x, const Look& look) {
  const NoGrad only_looking;
  const Tensor input = Tensor::from(x, look.input.shape(), look.input.backend());
  return t.model->forward(input).to_doubles()[static_cast<std::size_t>(look.target)];
}

}  // namespace

TEST_CASE("saliency is the slope of the class's score, as differences measure it") {
  for (const char* model : {"cifar-convnet", "lenet5"}) {
    CAPTURE(model);
    const TrainedModel t = drawn_model(model, DType::f64);
    Look look = look_at(t, drawn_photograph(40, 36));
    const std::vector<double> x = look.input.to_doubles();
    const std::int64_t channels = look.input.size(1), side = look.input.size(3),
                       plane = side * side;
    double largest = 0;
    for (const float value : look.why.saliency.values) largest = std::max<double>(largest, value);
    REQUIRE(largest > 0);
    for (std::int64_t at = 5; at < plane; at += 97) {
      double steepest = 0;
      for (std::int64_t c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>(c * plane + at);
        std::vector<double> up = x, down = x;
        up[i] += 1e-6;
        down[i] -= 1e-6;
        steepest = std::max(steepest, std::abs(logit(t, up, look) - logit(t, down, look)) / 2e-6);
      }
      CHECK(look.why.saliency.values[static_cast<std::size_t>(at)] ==
            doctest::Approx(steepest).epsilon(1e-3 * largest));
    }
  }
}

TEST_CASE("occlusion is what the network answers to the covered picture") {
  const TrainedModel t = drawn_model("cifar-convnet", DType::f32);
  const Look look = look_at(t, drawn_photograph(32, 32), {{}, 9, 7});
  const Occlusion& o = look.why.occlusion;
  REQUIRE(o.drop.height == 4);  // (32 - 9)/7 + 1
  REQUIRE(o.drop.width == 4);
  const auto target = static_cast<std::size_t>(look.target);
  for (const auto& [row, column] : {std::pair{0, 0}, {1, 3}, {3, 3}}) {
    std::vector<float> x = look.input.to_vector<float>();
    for (int c = 0; c < 3; ++c)
      for (int h = 7 * row; h < 7 * row + 9; ++h)
        for (int w = 7 * column; w < 7 * column + 9; ++w)
          x[static_cast<std::size_t>((c * 32 + h) * 32 + w)] = 0;
    const NoGrad only_looking;
    const Tensor y = t.model->forward(Tensor::from(x, {1, 3, 32, 32}, look.input.backend()));
    const float p = softmax(y).to_vector<float>()[target];
    CHECK(o.drop.values[static_cast<std::size_t>(4 * row + column)] ==
          doctest::Approx(look.probabilities[target] - p).epsilon(1e-5));
  }
}

TEST_CASE("the two other rules differ from the gradient at ReLUs alone") {
  const TrainedModel t = drawn_model("lenet5", DType::f64);
  Look look = look_at(t, drawn_photograph(28, 28));
  std::vector<SeenLayer>& layers = look.layers;
  const std::size_t relu = last_maps(layers);
  REQUIRE(std::string(layers[relu].module->kind()) == "ReLU");
  std::vector<double> dy(static_cast<std::size_t>(layers[relu].y.numel()));
  for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<double>(i % 5) - 2;
  std::vector<SeenLayer> alone = {layers[relu]};
  const Tensor given = Tensor::from(dy, layers[relu].y.shape(), layers[relu].y.backend());
  const auto rule = [&](ReluRule r) { return carry_back(alone, 0, given, r).to_doubles(); };
  const std::vector<double> y = layers[relu].y.to_doubles(), gradient = rule(ReluRule::gradient),
                            guided = rule(ReluRule::guided),
                            deconvolution = rule(ReluRule::deconvolution);
  std::size_t blocked = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool active = y[i] > 0;
    blocked += active ? 0 : 1;
    CHECK(gradient[i] == (active ? dy[i] : 0));
    CHECK(deconvolution[i] == std::max(dy[i], 0.0));
    CHECK(guided[i] == (active ? std::max(dy[i], 0.0) : 0));
  }
  CHECK(blocked > 0);
  CHECK(blocked < y.size());
}

TEST_CASE("Grad-CAM weighs each map by its mean slope") {
  const TrainedModel t = drawn_model("cifar-convnet", DType::f64);
  const Look look = look_at(t, drawn_photograph(32, 32));
  const std::size_t maps = last_maps(look.layers);
  CHECK(look.why.cam_of == look.layers[maps].name);
  // The maps moved along themselves change the score by the sum of alpha_k A_k, to first order:
  // here the slope of each map's mean is measured by raising the whole map by h.
  const std::vector<double> a = look.layers[maps].y.to_doubles();
  const Shape shape = look.layers[maps].y.shape();
  const std::int64_t plane = shape[2] * shape[3];
  const auto score = [&](const std::vector<double>& values) {
    const NoGrad only_looking;
    Tensor x = Tensor::from(values, shape, look.input.backend());
    for (std::size_t i = maps + 1; i < look.layers.size(); ++i)
      x = look.layers[i].module->forward(x);
    return x.to_doubles()[static_cast<std::size_t>(look.target)];
  };
  std::vector<double> cam(static_cast<std::size_t>(plane), 0.0);
  for (std::int64_t k = 0; k < shape[1]; ++k) {
    std::vector<double> up = a, down = a;
    for (std::int64_t i = k * plane; i < (k + 1) * plane; ++i) {
      up[static_cast<std::size_t>(i)] += 1e-6;
      down[static_cast<std::size_t>(i)] -= 1e-6;
    }
    const double alpha = (score(up) - score(down)) / 2e-6 / static_cast<double>(plane);
    for (std::int64_t i = 0; i < plane; ++i)
      cam[static_cast<std::size_t>(i)] += alpha * a[static_cast<std::size_t>(k * plane + i)];
  }
  double largest = 0;
  for (const double value : cam) largest = std::max(largest, value);
  REQUIRE(largest > 0);
  for (std::size_t i = 0; i < cam.size(); ++i)
    CHECK(look.why.cam.values[i] == doctest::Approx(std::max(cam[i], 0.0)).epsilon(1e-3 * largest));
}

TEST_CASE("the page stands alone, says what it shows, and is safe against names") {
  TrainedModel t = drawn_model("lenet5", DType::f32);
  t.classes[3] = "</script><b>three";
  const Image photograph = drawn_photograph(60, 40);
  const Look look = look_at(t, photograph, {3, 0, 0});
  const std::string page = look_page(t, look, photograph, {"<i>.jpg", "c.safetensors", "look"});
  const auto count = [&](const std::string& part) {
    std::size_t found = 0;
    for (auto at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++found;
    return found;
  };
  CHECK(count("<script") == 4);
  CHECK(count("</script>") == 4);
  CHECK(count("<i>.jpg") == 0);  // escaped everywhere, in the JSON too
  CHECK(count("&lt;i&gt;.jpg") >= 2);
  CHECK(count("http://") == 1);  // the name of SVG, which is fetched by nobody
  CHECK(count("https://") == 0);
  CHECK(page.size() < 1'000'000);
  const auto json = nlohmann::json::parse(look_json(t, look, {"p.jpg", "c", "look"}));
  CHECK(json["target"] == t.classes[3]);
  CHECK(json["layers"].size() == look.layers.size());
  CHECK(json["layers"][0]["strongest_maps"].size() == 6);
}

TEST_CASE("what does not fit is refused with the sizes") {
  const TrainedModel t = drawn_model("lenet5", DType::f32);
  const Image photograph = drawn_photograph(28, 28);
  CHECK(message_of<ValueError>([&] {
          look_at(t, photograph, {{}, 29, 1});
        }) ==
        "look: an occlusion window of 29 is larger than the picture of 28 x 28 that the network "
        "sees; give --occlusion-window 1 ... 28");
  CHECK(message_of<ValueError>([&] {
          look_at(t, photograph, {10, 0, 0});
        }) == "look: class 10 of a network with 10 classes, 0 ... 9");
  const Look look = look_at(t, photograph);
  CHECK(message_of<ValueError>([&] { map_sheet(look.layers.back()); }) ==
        "look: fc5 has no maps: its output is a row of 10 values");
  const Image sheet = map_sheet(look.layers[0]);  // 6 maps of 28 x 28 in 3 columns, 1 pixel apart
  CHECK(sheet.width == 3 * 28 + 2);
  CHECK(sheet.height == 2 * 28 + 1);
  const Image four = map_sheet(look.layers[0], 4);  // the same four that come first
  CHECK(four.width == 2 * 28 + 1);
  CHECK(four.height == 2 * 28 + 1);
  CHECK(map_sheet(look.layers[0], 100).rgb == sheet.rgb);
  for (int y = 0; y < 28; ++y)
    for (int x = 0; x < 2 * 28 + 1; ++x) CHECK(*four.pixel(x, y) == *sheet.pixel(x, y));
}
