// The walk through a network's sizes: numbers, text, Markdown and JSON.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/checked.h"
#include "core/error.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/walk.h"

using namespace limulus;

namespace {

Sequential& small_net() {
  static Sequential net;
  static const bool built = [] {
    Backend& b = device("reference");
    net.add<Conv2d>("conv1", 3, 8, Conv2dOptions{.kernel = 5, .stride = 2, .pad = 1}, b)
        .add<ReLU>("relu1")
        .add<LocalResponseNorm>("lrn1")
        .add<MaxPool2d>("pool1", Pool2dOptions{.kernel = 3, .stride = 2})
        .add<Flatten>("flatten")
        .add<Linear>("fc2", 8 * 7 * 6, 1000, b)
        .add<Dropout>("drop2");
    return true;
  }();
  static_cast<void>(built);
  return net;
}

}  // namespace

TEST_CASE("numbers for people") {
  CHECK(with_thousands(0) == "0");
  CHECK(with_thousands(999) == "999");
  CHECK(with_thousands(1000) == "1,000");
  CHECK(with_thousands(60965224) == "60,965,224");
  CHECK(with_thousands(-123456) == "-123,456");
  CHECK(in_bytes(1023) == "1023 B");
  CHECK(in_bytes(1536) == "1.5 KiB");
  CHECK(in_bytes(1161600) == "1.1 MiB");
  CHECK(in_bytes(std::int64_t{5} << 30) == "5.0 GiB");
  CHECK(in_bytes(std::int64_t{5} << 60) == "5.0 EiB");
  CHECK(image_size({32, 96, 55, 55}) == "96x55x55");
  CHECK(image_size({32, 4096}) == "4096");
}

TEST_CASE("walk: sizes, parameters, connections and multiply-adds by hand") {
  const auto steps = small_net().walk({2, 3, 33, 29});
  REQUIRE(steps.size() == 7);
  const WalkStep& conv = steps[0];
  CHECK(conv.name == "conv1");
  CHECK(conv.kind == "Conv2d");
  CHECK(conv.out == Shape{2, 8, 16, 14});
  CHECK(conv.formula == "h: floor((33 - 5 + 2*1)/2) + 1 = 16, w: floor((29 - 5 + 2*1)/2) + 1 = 14");
  CHECK(conv.detail == "8 filters of 3x5x5, stride 2, padding 1");
  CHECK(conv.parameters == 8 * 3 * 5 * 5 + 8);
  CHECK(conv.connections == (8 * 3 * 5 * 5 + 8) * 16 * 14);
  CHECK(conv.multiply_adds == 8 * 3 * 5 * 5 * 16 * 14);
  CHECK(conv.memory == 2 * 8 * 16 * 14 * 4);
  CHECK(steps[2].detail == "x / (2 + 0.0001 * sum of x^2 over 5 channels)^0.75");
  CHECK(steps[3].out == Shape{2, 8, 7, 6});
  CHECK(steps[3].detail == "maximum of 3x3, stride 2");
  CHECK(steps[4].formula == "8 * 7 * 6 = 336");
  CHECK(steps[4].memory == 0);
  CHECK(steps[5].parameters == 337000);
  CHECK(steps[5].connections == 337000);
  CHECK(steps[5].multiply_adds == 336000);
  CHECK(steps[6].parameters == 0);
  const WalkTotals sum = totals(steps);
  CHECK(sum.parameters == 608 + 337000);
  CHECK(sum.multiply_adds == 600 * 224 + 336000);
  CHECK(sum.connections == 608 * 224 + 337000);
}

TEST_CASE("walk: a layer that does not fit says so without computing anything") {
  CHECK_THROWS_WITH_AS(
      small_net().walk({1, 3, 32, 32}),
      "fc2: linear: input has 392 values a row but the weight [1000, 336] expects 336", ShapeError);
  CHECK_THROWS_AS(small_net().walk({1, 1, 33, 29}), ShapeError);
}

TEST_CASE("walk as text") {
  Sequential net;
  Backend& b = device("reference");
  net.add<Conv2d>("conv1", 3, 96, Conv2dOptions{.kernel = 11, .stride = 4}, b)
      .add<ReLU>("relu1")
      .add<MaxPool2d>("pool1", Pool2dOptions{.kernel = 3, .stride = 2});
  CHECK(
      walk_text(net.walk({32, 3, 227, 227})) ==
      R"(layer  output size                         shape      parameters  connections  multiply-adds    memory
input                                      3x227x227
conv1  floor((227 - 11 + 2*0)/4) + 1 = 55  96x55x55       34,944  105,705,600    105,415,200  35.4 MiB
relu1  as its input                        96x55x55                                           35.4 MiB
pool1  floor((55 - 3 + 2*0)/2) + 1 = 27    96x27x27                                            8.5 MiB
total                                                     34,944  105,705,600    105,415,200  79.4 MiB
Parameters are learned numbers. Connections (parameters times the places where each
is used) and multiply-adds are of one image, forward, in layers that learn; memory
is that of the outputs in f32 for a batch of 32.
)");
}

TEST_CASE("a count that 63 bits cannot hold is \"more than\" what they can") {
  Conv2dOptions options;
  options.pad = 65534;
  const WalkStep conv = conv2d_step({5, 3, 227, 227}, {3, 3, 65534, 65534}, options);
  CHECK(conv.parameters == 38652346407);  // 3 * 3 * 65534^2 + 3
  CHECK(conv.connections == uncountable);
  const std::string text = walk_text({conv, conv});
  CHECK(text.find("77,304,692,814  more than 9,223,372,036,854,775,806") != std::string::npos);
  CHECK(text.find('-' + std::to_string(9)) == std::string::npos);
  const auto json = nlohmann::json::parse(walk_json({conv}));
  CHECK(json["steps"][0]["multiply_adds"] == "more than 9223372036854775806");
  CHECK(json["totals"]["connections"] == "more than 9223372036854775806");
  CHECK(json["totals"]["parameters"] == 38652346407);

  const Pool2dOptions pool = {.kernel = 3, .stride = 1};
  const WalkStep large = AvgPool2d(pool).walk({65535, 274877906944, 15, 15})[0];
  CHECK(large.memory == uncountable);  // 65535 * 2^38 * 13 * 13 * 4
  CHECK(in_bytes(large.memory) == "more than 8.0 EiB");
  CHECK_THROWS_AS(AvgPool2d(pool).walk({65535, 274877906944, 99, 99}), ShapeError);
  // Of an empty batch, the sizes behind it are free.
  CHECK(Flatten().walk({0, std::int64_t{1} << 40, std::int64_t{1} << 40, 1}).empty() == false);
}

TEST_CASE("walk as Markdown and JSON") {
  const auto steps = small_net().walk({2, 3, 33, 29});
  const std::string markdown = walk_markdown(steps);
  CHECK(markdown.find("| conv1 | 8 filters of 3x5x5, stride 2, padding 1 | h: floor((33") !=
        std::string::npos);
  CHECK(markdown.find("| total |  |  |  | 337,608 | 473,192 | 470,400 | ") != std::string::npos);

  const auto json = nlohmann::json::parse(walk_json(steps));
  CHECK(json["batch"] == 2);
  REQUIRE(json["steps"].size() == 7);
  CHECK(json["steps"][0]["name"] == "conv1");
  CHECK(json["steps"][0]["out"] == nlohmann::json({2, 8, 16, 14}));
  CHECK(json["steps"][5]["parameters"] == 337000);
  CHECK(json["totals"]["multiply_adds"] == 470400);
  CHECK(nlohmann::json::parse(walk_json({}))["steps"].empty());
}
