// What the laboratories in the browser answer (browser/), asked as a page asks: sizes, arithmetic
// and gradients against the layers themselves, digits against their labels, and words for whatever
// is wrong.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backends/registry.h"
#include "browser/digits.h"
#include "browser/exports.h"
#include "browser/filters.h"
#include "core/algebra.h"
#include "core/error.h"
#include "formats/read_file.h"
#include "gradcheck/cases/mutations.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"

using namespace limulus;
using Json = nlohmann::json;

namespace {

const std::filesystem::path data = std::filesystem::path(LIMULUS_SOURCE_DIR) / "data";

Json ask(const Json& request) { return Json::parse(lab_ask(request.dump().c_str())); }

void give(const std::string& name, const std::vector<std::uint8_t>& bytes) {
  std::uint8_t* at = lab_bytes(name.c_str(), bytes.size());
  REQUIRE(at != nullptr);
  std::copy(bytes.begin(), bytes.end(), at);
}

std::vector<double> values(const std::string& name) {
  const double* at = lab_values(name.c_str());
  REQUIRE(at != nullptr);
  return {at, at + lab_count(name.c_str())};
}

std::vector<std::uint8_t> unpacked(const std::string& name) {
  return read_unpacked(data / "digits" / "mnist" / name, 16, [](auto header) {
    const std::size_t count = std::size_t{header[4]} << 24 | std::size_t{header[5]} << 16 |
                              std::size_t{header[6]} << 8 | header[7];
    return header[3] == 3 ? 16 + 784 * count : 8 + count;
  });
}

// A photograph of 20 x 20 that is the same every time.
Json convolution(const Json& changed = Json::object()) {
  std::vector<std::uint8_t> pixels(20 * 20 * 4);
  std::uint32_t random = 2012;
  for (std::uint8_t& p : pixels)
    p = static_cast<std::uint8_t>((random = random * 1664525 + 1013904223) >> 24);
  give("photo", pixels);
  Json request = {{"ask", "convolution"}, {"width", 20},   {"height", 20}, {"filters", "edges"},
                  {"stride", 1},          {"padding", 1},  {"groups", 1},  {"relu", 1},
                  {"lrn_alpha", 0.5},     {"lrn_size", 5}, {"pool", 3},    {"pool_stride", 2}};
  request.update(changed);
  return request;
}

std::string refused(const Json& request) {
  const Json said = ask(request);
  return said.contains("error") ? said["error"].get<std::string>() : "not refused: " + said.dump();
}

}  // namespace

TEST_CASE("every output of every layer is the sum of its terms, and every input's gradient, too") {
  for (const int groups : {1, 3}) {
    const Json run = ask(convolution({{"groups", groups}}));
    REQUIRE_FALSE(run.contains("error"));
    REQUIRE(run["steps"].size() == 4);
    CHECK(run["steps"][0]["formula"] == "floor((20 - 3 + 2*1)/1) + 1 = 20");
    CHECK(run["steps"][3]["out"] == Json{6, 9, 9});
    for (std::size_t stage = 0; stage < 4; ++stage) {
      CAPTURE(stage);
      const auto out = run["steps"][stage]["out"].get<std::vector<int>>();
      const auto in = run["steps"][stage]["in"].get<std::vector<int>>();
      const std::vector<double> y = values(fmt::format("stage/{}", stage));
      REQUIRE(static_cast<int>(y.size()) == out[0] * out[1] * out[2]);
      for (int at = 0; at < out[0] * out[1] * out[2]; at += 37) {
        const Json index = {at / out[2] / out[1], at / out[2] % out[1], at % out[2]};
        const Json said = ask({{"ask", "element"}, {"stage", stage}, {"index", index}});
        CHECK(said["value"].get<double>() ==
              doctest::Approx(y[static_cast<std::size_t>(at)]).epsilon(1e-12));
        CHECK(said["tensor"] == y[static_cast<std::size_t>(at)]);
        if (stage == 0) CHECK(said["terms"].back()["sum"] == said["value"]);
      }
      for (int at = 0; at < in[0] * in[1] * in[2]; at += 37) {
        const Json index = {at / in[2] / in[1], at / in[2] % in[1], at % in[2]};
        const Json said = ask({{"ask", "reach"}, {"stage", stage}, {"index", index}});
        CHECK(said["value"].get<double>() ==
              doctest::Approx(said["tensor"].get<double>()).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("the gradient of one output by the photograph is autograd's") {
  for (const int groups : {1, 3}) {
    REQUIRE_FALSE(ask(convolution({{"groups", groups}})).contains("error"));
    Backend& backend = device("reference");
    const Tensor x = Tensor::from(values("input"), {1, 3, 20, 20}, backend).set_requires_grad();
    const Tensor w = Tensor::from(values("weight"), {6, 3 / groups, 3, 3}, backend);
    const Tensor b = Tensor::from(values("bias"), {6}, backend);
    Tensor y = relu(conv2d(x, w, b, {.pad = 1, .groups = groups}));
    y = local_response_norm(y, {.size = 5, .alpha = 0.5});
    y = max_pool2d(y, {.kernel = 3, .stride = Size2d(2)});
    CHECK(y.to_vector<double>() == values("stage/3"));
    std::vector<double> dy(6 * 9 * 9);
    dy[(2 * 9 + 4) * 9 + 5] = 1;
    y.backward(Tensor::from(dy, y.shape(), backend));
    const Json said = ask({{"ask", "gradient"}, {"stage", 3}, {"index", {2, 4, 5}}});
    CHECK(values("gradient") == x.grad().to_vector<double>());
    const std::vector<double> g = values("gradient");
    CHECK(said["not_zero"] == std::count_if(g.begin(), g.end(), [](double v) { return v != 0; }));
    CHECK(said["not_zero"] > 0);

    // No pixel outside of what the output is said to see has any.
    const Json field = ask({{"ask", "element"}, {"stage", 3}, {"index", {2, 4, 5}}})["field"];
    CHECK(field == Json{7, 9, 11, 13});
    for (int i = 0; i < 3 * 20 * 20; ++i) {
      const int row = i / 20 % 20, column = i % 20;
      if (row < 7 || row > 11 || column < 9 || column > 13)
        CHECK(g[static_cast<std::size_t>(i)] == 0);
    }
  }
}

TEST_CASE("whatever is wrong is answered in words, and nothing old is explained afterwards") {
  CHECK(refused(convolution({{"groups", 2}})) ==
        "conv2d: 3 input channels cannot be cut into 2 groups: 3 = 2 * 1 + 1");
  CHECK(refused({{"ask", "element"}, {"stage", 0}, {"index", {0, 0, 0}}}) ==
        "stage 0: there are 0, from 0 on");
  CHECK(refused(convolution({{"groups", 0}})) == "conv2d: groups 0 must be 1 or more");
  CHECK(refused(convolution({{"stride", 0}})).starts_with("conv2d: stride 0"));
  CHECK(refused(convolution({{"stride", 1.5}})) ==
        "\"stride\" is 1.5, but must be a whole number, at most 1000000");
  CHECK(refused(convolution({{"stride", "x"}})).starts_with("\"stride\" is \"x\""));
  CHECK(refused(convolution({{"padding", -1}})).starts_with("conv2d: padding -1"));
  CHECK(refused(convolution({{"padding", 1000000}})).find("too long on a page") !=
        std::string::npos);
  CHECK(refused(convolution({{"pool", 30}})).find("window 30 is larger") != std::string::npos);
  CHECK(refused(convolution({{"lrn_size", 0}})).find("0") != std::string::npos);
  CHECK(refused(convolution({{"filters", "sharp"}}))
            .starts_with("convolution: there are no filters"));
  CHECK(refused(convolution({{"width", 21}})).find("are not the 1600 bytes") != std::string::npos);
  CHECK(refused(convolution({{"width", 0}, {"height", 0}})).find("1600") != std::string::npos);
  Json without = convolution();
  without.erase("relu");
  CHECK(refused(without) == "the request has no \"relu\"");
  REQUIRE_FALSE(ask(convolution()).contains("error"));
  for (const Json& index :
       {Json{0, 0}, Json{0, 0, 0, 0}, Json{6, 0, 0}, Json{0, -1, 0}, Json::array()})
    for (const char* what : {"element", "reach", "gradient"})
      CHECK(refused({{"ask", what}, {"stage", 1}, {"index", index}}).starts_with("explain: "));
  CHECK(refused({{"ask", "element"}, {"stage", 4}, {"index", {0, 0, 0}}}) ==
        "stage 4: there are 4, from 0 on");
  CHECK(refused({{"ask", "element"}, {"stage", 0}, {"index", "0,0,0"}}).find("list") !=
        std::string::npos);
  CHECK(refused({{"ask", "values"}, {"name", "stage/0"}, {"at", 1}, {"count", 2400}})
            .starts_with("values: "));
  CHECK(refused({{"ask", "values"}, {"name", "nothing"}, {"at", 0}, {"count", 0}})
            .find("not been computed") != std::string::npos);
  CHECK(refused({{"ask", "unheard of"}}).starts_with("ask: there is no"));
  for (const char* text : {"", "{", "[]", "3", "null", "{\"ask\": 3}", "{\"ask\": \"\xff\"}"})
    CHECK(Json::parse(lab_ask(text)).contains("error"));
  CHECK(lab_bytes("too much", std::size_t{1} << 40) == nullptr);
  CHECK(lab_values("nothing") == nullptr);
  CHECK(lab_count("nothing") == 0);
}

TEST_CASE("filters in groups see their own group's channels") {
  browser::Filters filters = browser::make_filters("edges");
  std::iota(filters.weight.begin(), filters.weight.end(), 1);  // by hand all colours are alike
  CHECK(browser::weight_in_groups(filters, 1) == filters.weight);
  const std::vector<double> apart = browser::weight_in_groups(filters, 3);
  REQUIRE(apart.size() == filters.weight.size() / 3);
  for (std::size_t k = 0; k < 6; ++k)  // filters 0 and 1 see red, 2 and 3 green, 4 and 5 blue
    for (std::size_t tap = 0; tap < 9; ++tap)
      CHECK(apart[9 * k + tap] == filters.weight[(3 * k + k / 2) * 9 + tap]);
  double sum = 0;  // what blurs keeps the brightness
  const browser::Filters blur = browser::make_filters("blur");
  for (std::size_t i = 0; i < 75; ++i) sum += blur.weight[75 + i];
  CHECK(sum == doctest::Approx(1));
}

TEST_CASE("the bank of mistakes can be asked, and a right layer is right") {
  const Json bank = ask({{"ask", "mistakes"}})["mistakes"];
  REQUIRE(bank.size() == mutations().size());
  int right = 0;
  for (const Json& m : bank)
    if (m["op"] == "conv2d" && m["right"] == true) ++right;
  CHECK(right > 10);
  const Json said = ask({{"ask", "check"}, {"mistake", "conv2d-x-flipped"}});
  CHECK(said["verdict"] == "WRONG");
  REQUIRE(said["tensors"].size() == 3);
  CHECK(said["tensors"][0]["mistake"] == "flipped");
  CHECK(said["tensors"][0]["maps"].size() == 2);
  CHECK(said["tensors"][1]["verdict"] == "OK");
  CHECK(said["text"].get<std::string>().ends_with("gradcheck: WRONG\n"));
  CHECK(ask({{"ask", "check"}, {"op", "conv2d"}})["verdict"] == "OK");
  CHECK(refused({{"ask", "check"}, {"op", "sorting"}}).find("sorting") != std::string::npos);
  CHECK(refused({{"ask", "check"}, {"mistake", "none such"}}).find("none such") !=
        std::string::npos);
}

TEST_CASE("a drawing becomes a digit as MNIST's were made") {
  std::vector<std::uint8_t> drawing(280 * 280);
  for (int y = 30; y < 130; ++y)
    for (int x = 200; x < 230; ++x) drawing[static_cast<std::size_t>(280 * y + x)] = 255;
  const std::vector<double> digit = browser::centred(drawing, 280);
  double mass = 0, rows = 0, columns = 0;
  for (int i = 0; i < 784; ++i) {
    mass += digit[static_cast<std::size_t>(i)];
    rows += digit[static_cast<std::size_t>(i)] * (i / 28 + 0.5);
    columns += digit[static_cast<std::size_t>(i)] * (i % 28 + 0.5);
  }
  CHECK(mass == doctest::Approx(255.0 * 20 * 6));  // 100 x 30, made 20 x 6
  CHECK(rows / mass == doctest::Approx(14));
  CHECK(columns / mass == doctest::Approx(14));
  const std::vector<double> nothing = browser::centred(std::vector<std::uint8_t>(9), 3);
  CHECK(std::accumulate(nothing.begin(), nothing.end(), 0.0) == 0);
  CHECK_THROWS_AS(browser::centred(drawing, 279), ShapeError);
  CHECK_THROWS_AS(browser::centred({}, 0), ShapeError);
}

TEST_CASE("the bundled LeNet-5 knows the bundled digits that were held out") {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(data / "trained");  // where digits.safetensors is
  const auto file = unpacked("t10k-images-idx3-ubyte.gz"),
             label_file = unpacked("t10k-labels-idx1-ubyte.gz");
  const auto images = browser::idx_images(file), labels = browser::idx_labels(label_file);
  REQUIRE(labels.size() == 500);
  int right = 0, drawn = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto one = images.subspan(784 * i, 784);
    give("drawing", {one.begin(), one.end()});
    for (const int as_it_is : {1, 0}) {  // centred once more it is nearly the same
      const auto p = ask({{"ask", "digit"}, {"side", 28}, {"as_it_is", as_it_is}})["probabilities"]
                         .get<std::vector<double>>();
      REQUIRE(p.size() == 10);
      const bool known = std::max_element(p.begin(), p.end()) - p.begin() == labels[i];
      (as_it_is ? right : drawn) += known;
    }
  }
  CHECK(right >= 490);
  CHECK(drawn >= 480);
  CHECK(values("digit/conv1").size() == 6 * 28 * 28);
  CHECK(refused({{"ask", "digit"}, {"side", 27}, {"as_it_is", 1}}).find("28 x 28") !=
        std::string::npos);
  std::filesystem::current_path(before);
}

TEST_CASE("training: the loss falls, the same seed gives the same run") {
  CHECK(refused({{"ask", "train/steps"}, {"count", 1}}) == "train/steps: training has not begun");
  for (const auto& [name, source] : {std::pair{"train", "train"}, {"test", "t10k"}}) {
    give(std::string(name) + "-images", unpacked(std::string(source) + "-images-idx3-ubyte.gz"));
    give(std::string(name) + "-labels", unpacked(std::string(source) + "-labels-idx1-ubyte.gz"));
  }
  const Json begin = {{"ask", "train/begin"}, {"seed", 1}, {"rate", 0.01}, {"batch", 20}};
  std::vector<double> first;
  for (int run = 0; run < 2; ++run) {
    const Json begun = ask(begin);
    CHECK(begun["batches"] == 100);
    CHECK(begun["test"] == 500);
    const Json said = ask({{"ask", "train/steps"}, {"count", 12}});
    CHECK(said["step"] == 12);
    const auto losses = said["losses"].get<std::vector<double>>();
    if (run == 0) first = losses;
    CHECK(losses == first);
  }
  CHECK(first.front() > 2.0);
  CHECK(first.back() < first.front());
  const Json test = ask({{"ask", "train/test"}});
  CHECK(test["of"] == 500);
  CHECK(test["right"] > 100);
  CHECK(values("conv1").size() == 6 * 25);
  for (const Json& wrong :
       {Json{{"batch", 0}}, Json{{"batch", 2001}}, Json{{"rate", -1}}, Json{{"rate", "x"}}}) {
    Json request = begin;
    request.update(wrong);
    CHECK(ask(request).contains("error"));
  }
  give("train-images", {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28, 7});
  CHECK(refused(begin) == "digits: 1 images have 784 bytes, not 1");
  give("train-images", {0, 0, 8});
  CHECK(refused(begin).find("no IDX file") != std::string::npos);
}
