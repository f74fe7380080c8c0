#include "models/description.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/checked.h"
#include "core/error.h"
#include "core/printable.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/bias.h"
#include "layers/branches.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/pad2d.h"
#include "layers/softmax.h"
#include "models/layer_text.h"

namespace limulus {
namespace {

using Json = LayerJson;

constexpr int kDeepest = 64;  // ways within ways
constexpr std::size_t kMostLayers = 100'000;

// ---- a network's text ---------------------------------------------------------------------------

Json pair_of(const Size2d& size) { return Json::array({size.h, size.w}); }

Json text_of(const Sequential& network);

void put_pool(Json& j, const Pool2dOptions& o) {
  j.update({{"kernel", pair_of(o.kernel)},
            {"stride", pair_of(o.stride.value_or(o.kernel))},
            {"pad", pair_of(o.pad)},
            {"ceil", o.ceil},
            {"count_include_pad", o.count_include_pad}});
}

Json text_of(const std::string& name, const Module& m) {
  Json j = {{"name", name}, {"kind", m.kind()}};
  if (const auto* conv = dynamic_cast<const Conv2d*>(&m)) {
    const Conv2dOptions& o = conv->options;
    j.update({{"in", size_product(conv->weight.size(1), o.groups)},
              {"out", conv->weight.size(0)},
              {"kernel", pair_of(o.kernel)},
              {"stride", pair_of(o.stride)},
              {"pad", pair_of(o.pad)},
              {"dilation", pair_of(o.dilation)},
              {"groups", o.groups},
              {"bias", o.bias}});
  } else if (const auto* linear = dynamic_cast<const Linear*>(&m)) {
    j.update({{"in", linear->weight.size(1)},
              {"out", linear->weight.size(0)},
              {"bias", linear->bias.defined()}});
  } else if (const auto* max_pool = dynamic_cast<const MaxPool2d*>(&m)) {
    put_pool(j, max_pool->options);
  } else if (const auto* avg_pool = dynamic_cast<const AvgPool2d*>(&m)) {
    put_pool(j, avg_pool->options);
  } else if (const auto* lrn = dynamic_cast<const LocalResponseNorm*>(&m)) {
    const LrnOptions& o = lrn->options;
    j.update({{"size", o.size},
              {"alpha", o.alpha},
              {"beta", o.beta},
              {"k", o.k},
              {"per_element", o.convention == AlphaConvention::per_element},
              {"within_channel", o.region == LrnRegion::within_channel}});
  } else if (const auto* norm = dynamic_cast<const BatchNorm2d*>(&m)) {
    j.update({{"channels", norm->weight.numel()},
              {"momentum", norm->options.momentum},
              {"eps", norm->options.eps}});
  } else if (const auto* pad = dynamic_cast<const Pad2d*>(&m)) {
    const auto& [top, left, bottom, right, value] = pad->options;
    j["border"] = Json::array({top, left, bottom, right});
    if (std::isinf(value))  // JSON has no infinity
      j["value"] = value < 0 ? "-inf" : "inf";
    else
      j["value"] = value;
  } else if (const auto* bias = dynamic_cast<const Bias*>(&m)) {
    j["shape"] = bias->bias.shape().sizes();
  } else if (const auto* dropout = dynamic_cast<const Dropout*>(&m)) {
    j["p"] = dropout->p;
  } else if (const auto* branches = dynamic_cast<const Branches*>(&m)) {
    j["name"] = branches->name;
    j["join"] = branches->join == Join::add ? "add" : "concat";
    j["ways"] = Json::array();
    for (const auto& way : branches->ways) j["ways"].push_back(text_of(*way));
  } else if (const auto* inner = dynamic_cast<const Sequential*>(&m)) {
    j["layers"] = text_of(*inner);
  } else if (dynamic_cast<const Activation*>(&m) == nullptr &&
             dynamic_cast<const Flatten*>(&m) == nullptr &&
             dynamic_cast<const Softmax*>(&m) == nullptr) {
    throw ValueError(
        fmt::format("describe: layer '{}' is a {}, which has no description", name, m.kind()));
  }
  return j;
}

Json text_of(const Sequential& network) {
  Json layers = Json::array();
  for (const auto& [name, layer] : network.layers()) layers.push_back(text_of(name, *layer));
  return layers;
}

// ---- and back -----------------------------------------------------------------------------------

class Builder {
 public:
  Builder(Backend& backend, DType dtype, std::int64_t most)
      : backend_(backend), dtype_(dtype), most_(most) {}

  std::shared_ptr<Sequential> network(const Json& layers, int depth) {
    if (depth > kDeepest) throw ValueError("the network's layers are nested too deep");
    auto net = std::make_shared<Sequential>();
    for (const Json& json : layers) {
      if (++layers_ > kMostLayers)
        throw ValueError(fmt::format("the network has more than {} layers", kMostLayers));
      const LayerText t(json);
      const bool joins = t.kind == "Branches";
      net->add(joins ? "" : t.name, layer(t, depth));
    }
    return net;
  }

 private:
  void count(const LayerText& t, std::initializer_list<std::int64_t> sizes, std::int64_t more) {
    std::int64_t numbers = 1;
    for (const std::int64_t size : sizes) {
      if (size < 1)
        throw ValueError(
            fmt::format("layer '{}' of the network has a size of {}", printable(t.name), size));
      numbers = size_product(numbers, size);
    }
    numbers_ = size_sum(numbers_, size_sum(numbers, more));
    if (numbers_ > most_)
      throw ValueError(
          fmt::format("with layer '{}' the network would have {} parameters, and there "
                      "are {}",
                      printable(t.name), numbers_, most_));
  }
  Pool2dOptions pool(const LayerText& t) const {
    return {.kernel = t.pair("kernel"),
            .stride = t.pair("stride"),
            .pad = t.pair("pad"),
            .ceil = t.flag("ceil"),
            .count_include_pad = t.flag("count_include_pad")};
  }
  std::shared_ptr<Module> layer(const LayerText& t, int depth);

  Backend& backend_;
  DType dtype_;
  std::int64_t most_, numbers_ = 0;
  std::size_t layers_ = 0;
};

std::shared_ptr<Module> Builder::layer(const LayerText& t, int depth) {
  if (t.kind == "ReLU") return std::make_shared<ReLU>();
  if (t.kind == "Sigmoid") return std::make_shared<Sigmoid>();
  if (t.kind == "Tanh") return std::make_shared<Tanh>();
  if (t.kind == "Flatten") return std::make_shared<Flatten>();
  if (t.kind == "Softmax") return std::make_shared<Softmax>();
  if (t.kind == "Dropout") return std::make_shared<Dropout>(t.number("p"));
  if (t.kind == "MaxPool2d") return std::make_shared<MaxPool2d>(pool(t));
  if (t.kind == "AvgPool2d") return std::make_shared<AvgPool2d>(pool(t));
  if (t.kind == "Conv2d") {
    const std::int64_t in = t.whole("in"), out = t.whole("out"), groups = t.whole("groups");
    const Conv2dOptions o = {.kernel = t.pair("kernel"),
                             .stride = t.pair("stride"),
                             .pad = t.pair("pad"),
                             .dilation = t.pair("dilation"),
                             .groups = groups,
                             .bias = t.flag("bias")};
    count(t, {in / std::max<std::int64_t>(groups, 1), out, o.kernel.h, o.kernel.w}, out);
    return std::make_shared<Conv2d>(in, out, o, backend_, dtype_);
  }
  if (t.kind == "Linear") {
    const std::int64_t in = t.whole("in"), out = t.whole("out");
    count(t, {in, out}, out);
    return std::make_shared<Linear>(in, out, backend_, dtype_, t.flag("bias"));
  }
  if (t.kind == "LocalResponseNorm") {
    return std::make_shared<LocalResponseNorm>(LrnOptions{
        .size = t.whole("size"),
        .alpha = t.number("alpha"),
        .beta = t.number("beta"),
        .k = t.number("k"),
        .convention = t.flag("per_element") ? AlphaConvention::per_element : AlphaConvention::paper,
        .region =
            t.flag("within_channel") ? LrnRegion::within_channel : LrnRegion::across_channels});
  }
  if (t.kind == "BatchNorm2d") {
    const std::int64_t channels = t.whole("channels");
    count(t, {4, channels}, 0);
    return std::make_shared<BatchNorm2d>(
        channels, backend_, dtype_,
        BatchNormOptions{.momentum = t.number("momentum"), .eps = t.number("eps")});
  }
  if (t.kind == "Pad2d") {
    const auto border = t.wholes("border", 4);
    if (border.size() != 4)
      throw ValueError(fmt::format("layer '{}' needs four borders", printable(t.name)));
    return std::make_shared<Pad2d>(
        Pad2dOptions{border[0], border[1], border[2], border[3], t.number("value")});
  }
  if (t.kind == "Bias") {
    const Shape shape(t.wholes("shape", 8));
    count(t, {std::max<std::int64_t>(shape.numel(), 1)}, 0);
    return std::make_shared<Bias>(shape, backend_, dtype_);
  }
  if (t.kind == "Sequential") return network(t.list("layers"), depth + 1);
  if (t.kind == "Branches") {
    const std::string join = t.text("join");
    if (join != "add" && join != "concat")
      throw ValueError(fmt::format("ways of a network cannot meet by '{}'", printable(join)));
    std::vector<std::shared_ptr<Sequential>> ways;
    for (const Json& way : t.list("ways")) {
      if (!way.is_array()) throw ValueError("a way of the network is no list of layers");
      ways.push_back(network(way, depth + 1));
    }
    return std::make_shared<Branches>(t.name, join == "add" ? Join::add : Join::concat, ways);
  }
  throw ValueError(fmt::format("layer '{}' of the network is a '{}', which is not known here",
                               printable(t.name), printable(t.kind)));
}

Json parsed(const std::string& description) {
  Json j = Json::parse(description, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || !j.contains("layers") || !j["layers"].is_array() || !j.contains("input"))
    throw ValueError("the network's description is damaged");
  return j;
}

bool has_parameters(const std::string& kind) {
  return kind == "Conv2d" || kind == "Linear" || kind == "BatchNorm2d" || kind == "Bias" ||
         kind == "Branches";
}

// The last layer that learns decides how many outputs there are, if it is one of these.
Json* last_learning_layer(Json& layers) {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    if (!layer->is_object() || !layer->contains("kind") || !(*layer)["kind"].is_string())
      return nullptr;
    const auto kind = (*layer)["kind"].get<std::string>();
    if (kind == "Sequential" && layer->contains("layers") && (*layer)["layers"].is_array()) {
      if (Json* inner = last_learning_layer((*layer)["layers"])) return inner;
    } else if (has_parameters(kind)) {
      return kind == "Linear" || kind == "Conv2d" ? &*layer : nullptr;
    }
  }
  return nullptr;
}

void set_dropout(Json& layers, double p) {
  for (Json& layer : layers) {
    if (layer.value("kind", "") == "Dropout") layer["p"] = p;
    if (layer.contains("layers")) set_dropout(layer["layers"], p);
    if (layer.contains("ways"))
      for (Json& way : layer["ways"]) set_dropout(way, p);
  }
}

}  // namespace

std::string describe(const Sequential& network, const Shape& input) {
  return Json{{"input", input.sizes()}, {"layers", text_of(network)}}.dump();
}

DescribedNetwork network_from(const std::string& description, std::int64_t classes,
                              Backend& backend, DType dtype, std::int64_t most) {
  Json j = parsed(description);
  std::vector<std::int64_t> input;
  for (const Json& size : j["input"])
    input.push_back(size.is_number_integer() ? size.get<std::int64_t>() : -1);
  for (const std::int64_t size : input)
    if (input.size() != 3 || size < 1 || size > 1 << 20)
      throw ValueError("the input of the network's description is not three sizes");
  if (input.empty()) throw ValueError("the network's description has no input");
  if (classes > 0)
    if (Json* last = last_learning_layer(j["layers"])) (*last)["out"] = classes;
  DescribedNetwork result{Builder(backend, dtype, most).network(j["layers"], 0), Shape(input)};
  if (classes > 0) {
    const auto steps = result.network->walk({1, input[0], input[1], input[2]});
    const Shape out = steps.empty() ? Shape{1} : steps.back().out;
    if (out != Shape{1, classes})
      throw ValueError(
          fmt::format("the network gives {} for an image, and {} classes need [1, {}]; its last "
                      "layer cannot be made to fit",
                      out.str(), classes, classes));
  }
  return result;
}

std::string with_dropout(const std::string& description, double p) {
  Json j = parsed(description);
  set_dropout(j["layers"], p);
  return j.dump();
}

}  // namespace limulus
