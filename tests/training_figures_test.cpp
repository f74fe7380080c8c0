// The paper's figures: what is measured of filters, what the pages say, and the drawing's scale.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <regex>
#include <string>

#include "core/error.h"
#include "core/rng.h"
#include "layers/conv2d.h"
#include "look_check.h"
#include "training/report/figures.h"
#include "training/report/filter_measures.h"
#include "training/report/look_compare.h"
#include "training/trainer.h"
#include "training_sets.h"

using namespace limulus;

namespace {

// Stripes along a direction: cos(2 pi (x, y) . across / 5), the same in the channels that `colour`
// has.
std::vector<double> grating(double degrees, std::array<double, 3> colour = {1, 1, 1}) {
  const double radians = degrees * std::numbers::pi / 180;
  // Along the stripes: (cos, -sin), as rows grow downward; across them: (sin, cos).
  std::vector<double> w;
  for (const double c : colour)
    for (int r = 0; r < 11; ++r)
      for (int s = 0; s < 11; ++s)
        w.push_back(c * std::cos(2 * std::numbers::pi *
                                 (s * std::sin(radians) + r * std::cos(radians)) / 5));
  return w;
}

FilterMeasures measured(const std::vector<double>& w) {
  return measure_filter(w.data(), 3, 11, 11);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A run's network as it began, and the same after its first layer was changed.
TrainedModel begun(const std::string& model) {
  TrainedModel t = drawn_model(model, DType::f32);
  t.config.seed = 5;
  t.model = initial_model(t.config, static_cast<std::int64_t>(t.classes.size()), device("cpu"));
  t.model->eval();
  return t;
}

void check_alone(const std::string& page) {
  CHECK(page.starts_with("<!DOCTYPE html>"));
  for (const char* outside : {"https:", "<script", "<link", "@import"})
    CHECK_FALSE(has(page, outside));
  CHECK(count(page, "http:") == count(page, "xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(count(page, " src=\"") == count(page, " src=\"data:image/"));
  for (const char* none : {">nan", ">-nan", ">inf", " nan ", "nan%"}) CHECK_FALSE(has(page, none));
}

}  // namespace

TEST_CASE("colour is what is left without the grey part") {
  CHECK(measured(grating(0)).colour == doctest::Approx(0));
  CHECK(measured(grating(30, {1, -1, 0})).colour == doctest::Approx(1));  // red against green
  CHECK(measured(grating(30, {0, 0, 1})).colour == doctest::Approx(2.0 / 3));
  Rng rng(3);
  double mean = 0;
  for (int k = 0; k < 200; ++k) {
    std::vector<double> noise(363);
    for (double& v : noise) v = rng.normal();
    mean += measured(noise).colour / 200;
  }
  CHECK(mean == doctest::Approx(2.0 / 3).epsilon(0.01));
  CHECK(measured(std::vector<double>(363, 0.0)).colour == 0);
}

TEST_CASE("stripes have the direction in which they were drawn, whatever their colours") {
  for (const auto& colour : {std::array{1.0, 1.0, 1.0}, {1.0, -1.0, 0.0}, {0.0, 0.3, -0.2}})
    for (int degrees = 0; degrees < 180; degrees += 15) {
      CAPTURE(degrees);
      const FilterMeasures m = measured(grating(degrees, colour));
      CHECK(m.coherence > 0.9);
      const double off = std::fmod(m.angle - degrees + 270, 180) - 90;
      CHECK(std::abs(off) < 3);
      CHECK(m.angle >= 0);
      CHECK(m.angle < 180);
    }
  std::vector<double> spot;
  for (int c = 0; c < 3; ++c)
    for (int r = -5; r <= 5; ++r)
      for (int s = -5; s <= 5; ++s) spot.push_back(std::exp(-0.1 * (r * r + s * s)));
  CHECK(measured(spot).coherence < 0.01);
  spot[7] = NAN;
  CHECK(measured(spot).coherence == 0);
}

TEST_CASE("a difference is held against what chance makes") {
  std::vector<double> low, high, same;
  for (int i = 0; i < 20; ++i) {
    low.push_back(i % 5);
    same.push_back((i + 2) % 5);
    high.push_back(10 + i % 5);
  }
  CHECK(chance_of_difference(low, high) == 0);
  CHECK(chance_of_difference(low, same) == 1);  // equal means
  CHECK(chance_of_difference({}, low) == 1);
  // Of {0, 1} and {2, 3}: 2 of the 6 divisions are as far apart.
  CHECK(chance_of_difference({0, 1}, {2, 3}, 30000) == doctest::Approx(1.0 / 3).epsilon(0.03));
}

TEST_CASE("figure 3: both towers, and the start is the network that the run began with") {
  for (const char* model : {"alexnet", "alexnet-towers"}) {
    CAPTURE(model);
    TrainedModel t = begun(model);
    const auto start = initial_model(t.config, 1000, device("reference"));
    const std::string same = figure_filters(t, start.get(), "limulus figure 3 <c>");
    check_alone(same);
    CHECK(has(same,
              "Figure 3: 96 filters of 11\xC3\x97"
              "11\xC3\x97"
              "3"));
    CHECK(has(same, "Tower 0: filters 0 to 47"));
    CHECK(has(same, "Tower 1: filters 48 to 95"));
    CHECK(count(same, "src=\"data:image/png") == 4);
    CHECK(has(same, "which is 0% of the start"));
    CHECK(has(same, "The cosine between w and w<sub>0</sub> is 1.000"));
    CHECK(has(same, "mostly what they were drawn as"));
    CHECK(has(same, "figure 3 &lt;c&gt;"));
    CHECK_FALSE(has(same, "kernel"));  // a kernel is a function: docs/glossary.md

    // The filters alone: the page's pictures, one below the other.
    const html::Picture both = filters_picture(t);
    CHECK(both.width == 16 * 12 - 1);
    CHECK(both.height == 2 * (3 * 12 - 1) + 5);
    const auto line = [&](int y) {
      const auto begin = both.values.begin() + std::ptrdiff_t{4} * both.width * y;
      return std::vector<std::uint8_t>(begin, begin + std::ptrdiff_t{4} * both.width);
    };
    for (int y = 35; y < 40; ++y)
      CHECK(line(y) == std::vector<std::uint8_t>(std::size_t{4} * 191));  // clear
    for (const int tower : {0, 1}) {
      html::Picture one{.width = 191, .height = 35, .channels = 4, .values = {}};
      for (int y = 0; y < 35; ++y) {
        const std::vector<std::uint8_t> values = line(40 * tower + y);
        one.values.insert(one.values.end(), values.begin(), values.end());
      }
      CHECK(has(same, html::png_uri(one)));
    }

    // The second tower's filters become grey: its colour falls to 0, beyond all chance.
    std::size_t towers = 0;
    for (auto& [name, w] : t.model->parameters()) {
      if (!name.ends_with("conv1.weight")) continue;
      std::vector<float> values = w.to_vector<float>();
      const auto filters = static_cast<std::size_t>(w.size(0));
      const std::size_t from = filters == 96 ? 48 : towers == 1 ? 0 : filters;
      for (std::size_t k = from; k < filters; ++k)
        for (std::size_t i = 0; i < 121; ++i)
          values[k * 363 + 121 + i] = values[k * 363 + 242 + i] = values[k * 363 + i];
      const NoGrad setting;
      w.copy_(Tensor::from(values, w.shape(), w.backend()));
      ++towers;
    }
    const std::string grey = figure_filters(t, start.get(), "c");
    std::smatch row;
    REQUIRE(std::regex_search(
        grey, row,
        std::regex("colour of w, the filters</th><td>([0-9.]+)</td><td>([0-9.]+)</td><td>([-0-9.]+)"
                   "</td><td>([0-9.]+)%")));
    CHECK(std::stod(row[1]) == doctest::Approx(2.0 / 3).epsilon(0.02));
    CHECK(std::stod(row[2]) == 0);
    CHECK(std::stod(row[4]) == 0);
  }
}

TEST_CASE("figure 3: a network of one tower, grey input, and another start") {
  TrainedModel t = begun("lenet5");
  TrainConfig other = t.config;
  other.seed = 6;
  const auto start = initial_model(other, 10, device("reference"));
  const std::string page = figure_filters(t, start.get(), "c");
  check_alone(page);
  CHECK(has(page, "All 6 filters"));
  CHECK_FALSE(has(page, "By chance"));
  CHECK_FALSE(has(page, "colour of w"));
  CHECK(count(page, "src=\"data:image/png") == 2);
}

TEST_CASE("figure 4: five bars each, and the neighbours or why there are none") {
  const TrainedModel t = drawn_model("lenet5", DType::f32);
  const ImageSet set = noise_set(20, 28);
  const HiddenValues values = hidden_values(t, set, 100);
  std::vector<FigurePhotograph> photographs(2);
  for (std::size_t i = 0; i < 2; ++i) {
    FigurePhotograph& p = photographs[i];
    p.name = "folder/<b>.jpg";
    p.picture = set.load(static_cast<std::int64_t>(i));
    p.probabilities = {0.05F, 0.5F, 0.2F, 0.1F, 0.06F, 0.04F, 0.02F, 0.01F, 0.01F, 0.01F};
    p.neighbours = nearest(values, hidden_values(t, p.picture));
  }
  photographs[0].truth = 2;
  const std::string page = figure_answers(t, photographs, "c");
  check_alone(page);
  CHECK(count(page, "class=\"track\"") == 10);
  CHECK(count(page, "<li class=\"truth\"><span class=\"name\">class 2</span>") == 1);
  CHECK(count(page, "<li class=\"truth\">") == 1);
  CHECK(has(page, "50.0%"));
  CHECK(has(page, "<strong>&lt;b&gt;.jpg</strong>"));
  CHECK(count(page, " src=\"data:image/png") == 16);  // both twice, and six neighbours each
  CHECK(has(page, "whose 84 values after fc4 are nearest"));
  photographs[0].neighbours.nearest.clear();
  photographs[0].neighbours.missing = "They are <gone>.";
  CHECK(has(figure_answers(t, photographs, "c"), "They are &lt;gone&gt;."));
}

TEST_CASE("two looks beside each other: the same scale, cosines, and only of the same layers") {
  CHECK(cosine_of({1, 0}, {2, 0}) == doctest::Approx(1));
  CHECK(cosine_of({1, 0}, {0, 3}) == doctest::Approx(0));
  CHECK(cosine_of({1, 2}, {-1, -2}) == doctest::Approx(-1));
  CHECK(std::isnan(cosine_of({1, 2}, {0, 0})));
  const TrainedModel t = drawn_model("lenet5", DType::f32);
  const Look a = look_at(t, drawn_photograph(28, 28), {.target = {}, .explain = false});
  const Look b = look_at(t, noise_set(1, 28).load(0), {.target = {}, .explain = false});
  CHECK(a.why.cam_of.empty());
  const std::string page = compare_page({t, a, "<a>.jpg"}, {t, b, "b.jpg"}, "c");
  check_alone(page);
  CHECK(has(page, "&lt;a&gt;.jpg beside b.jpg"));
  CHECK(count(page, "class=\"track\"") == 10);
  // conv1, relu1 and pool1 have 6 maps, conv2, relu2 and pool2 the best 9 of 16; two pictures of
  // each.
  CHECK(count(page, "class=\"pixels\" width=\"28\"") == 2 + 2 * 2 * 6);
  CHECK(count(page, "<p>map ") == 3 * 6 + 3 * 9);
  const std::string same = compare_page({t, a, "a"}, {t, a, "b"}, "c");
  CHECK(count(same, "<td>1.000</td>") == a.layers.size());
  const TrainedModel other = drawn_model("cifar-convnet", DType::f32);
  const Look c = look_at(other, drawn_photograph(32, 32), {.target = {}, .explain = false});
  CHECK(has(message_of<ValueError>([&] {
              compare_page({t, a, "a"}, {other, c, "c"}, "");
            }),
            "layer 1 is conv1 [1, 6, 28, 28] in a and conv1 [1, 32, 32, 32] in c"));
}

TEST_CASE("figure 2: blocks are to scale, towers are apart, and every network can be drawn") {
  for (const ModelSpec& spec : list_models()) {
    CAPTURE(spec.name);
    const UnfilledParameters only_its_sizes;
    const auto model = make_model(spec.name, 0, device("reference"));
    const auto walk = model->walk({1, spec.input[0], spec.input[1], spec.input[2]});
    check_alone(figure_architecture(spec.name, walk, "c"));
  }
  const auto walk = make_model("alexnet", 0, device("reference"))->walk({1, 3, 227, 227});
  const std::string svg = architecture_svg(walk);
  CHECK(count(svg, ">conv1</text>") == 2);
  CHECK(count(svg, ">fc8</text>") == 1);
  CHECK(has(svg,
            ">55\xC3\x97"
            "55\xC3\x97"
            "48</text>"));
  CHECK(count(svg, ">2,048</text>") == 4);  // fc6 and fc7, in two towers
  CHECK_FALSE(has(svg, "relu"));
  // The fronts' heights: input 227, then conv1 55 twice, pool1 27 twice ...
  std::vector<double> heights;
  const std::regex front(
      "class=\"front\" points=\"[0-9.]+,([0-9.]+) [0-9.]+,[0-9.]+ [0-9.]+,([0-9.]+)");
  for (std::sregex_iterator at(svg.begin(), svg.end(), front), end; at != end; ++at)
    heights.push_back(std::stod((*at)[2]) - std::stod((*at)[1]));
  REQUIRE(heights.size() > 4);
  CHECK(heights[1] / heights[0] == doctest::Approx(55.0 / 227).epsilon(0.01));
  CHECK(heights[2] == doctest::Approx(heights[1]).epsilon(0.01));
  CHECK(heights[3] / heights[0] == doctest::Approx(27.0 / 227).epsilon(0.01));
  CHECK(message_of<ValueError>([] { architecture_svg({}); }) ==
        "figure: a network is drawn from the sizes of its layers, and there are none");
}

TEST_CASE("figure 1: two networks race from one start, and the page says who came first") {
  // Two classes that a glance tells apart: bright and dark pictures.
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  Rng rng(5);
  for (int i = 0; i < 40; ++i) {
    labels.push_back(i % 2);
    for (int p = 0; p < 3 * 32 * 32; ++p)
      pixels.push_back(static_cast<std::uint8_t>((i % 2 == 0 ? 40 : 160) + rng.below(60)));
  }
  const ImageSet set = ImageSet::from_pixels("s", pixels, labels, 3, 32, 32);
  RaceOptions options;
  options.epochs = 12;
  options.batch = 10;
  options.trial = 1;
  options.rates = {0.001, 0.01};
  const Race race = run_race(set, 2, options);
  CHECK(race.images == 40);
  REQUIRE(race.runs.size() == 2);
  for (const RaceRun& run : race.runs) {
    CHECK(run.reached);
    CHECK(run.errors.back() <= 0.25);
    CHECK(run.errors.size() <= 12);
  }
  const Race again = run_race(set, 2, options);
  CHECK(again.runs[1].errors == race.runs[1].errors);
  const std::string page = figure_race(race, "<set>", "c");
  check_alone(page);
  CHECK(has(page, "With ReLU the training error came to 25% in "));
  CHECK(has(page, "40 pictures of &lt;set&gt;"));
  Race lost = race;
  lost.runs[1].reached = false;
  lost.runs[1].errors = {0.5, 0.4};
  CHECK(has(figure_race(lost, "s", "c"),
            "tanh did not come to 25% in 2 epochs (its last error was 40.0%)"));
  options.images = 0;
  CHECK(has(message_of<ValueError>([&] { run_race(set, 2, options); }), "must be 1 or more"));
}
