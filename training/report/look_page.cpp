#include "training/report/look_page.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/printable.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "pages/html.h"
#include "pages/style.h"
#include "training/data/resize.h"
#include "training/provenance.h"
#include "training/report/look_summary.h"
#include "training/report/page_texts.h"

namespace limulus {

namespace {

// For a large fully connected layer (fc6: 9,216 weights for each of 4,096 units), the page holds
// only the weights of the units that answer most strongly; for a small one, all.
constexpr std::int64_t kRows = 9, kSmallLayer = 200'000;

// A page larger than this keeps its weights with 16 bits of mantissa: an error of 1 in 131,072 at
// most.
constexpr std::size_t kLargestText = 24'000'000;

// All numbers of the page, in one array. It is stored as planes, all first bytes, then all second
// ones and so on: the bytes with sign and exponent repeat, and compress to a third.
class Numbers {
 public:
  explicit Numbers(bool round_weights = false) : round_weights_(round_weights) {}

  // Where these values stand: {"at", "count"}. A tensor's memory is stored once.
  Json add(const std::vector<float>& values) {
    const std::size_t at = all_.size();
    all_.insert(all_.end(), values.begin(), values.end());
    return {{"at", at}, {"count", values.size()}};
  }
  Json add(const Tensor& t) {
    const auto found = stored_.find(t.data());
    if (found != stored_.end()) return found->second;
    return stored_[t.data()] = add(floats_of(t));
  }
  Json add_weights(std::vector<float> values) {
    if (round_weights_)
      for (float& value : values)  // to the nearest number whose last byte is 0
        value = std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x80U) & ~0xFFU);
    return add(values);
  }
  std::size_t count() const { return all_.size(); }

  std::string text() const {  // base64 of zlib's stream
    const std::size_t n = all_.size();
    std::vector<std::uint8_t> planes(4 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(all_[i]);
      for (std::size_t plane = 0; plane < 4; ++plane)
        planes[plane * n + i] = static_cast<std::uint8_t>(bits >> (8 * plane));
    }
    uLongf size = compressBound(static_cast<uLong>(planes.size()));
    std::vector<std::uint8_t> packed(size);
    if (compress2(packed.data(), &size, planes.data(), static_cast<uLong>(planes.size()), 6) !=
        Z_OK)
      throw Error("look: the page's numbers could not be compressed: out of memory");
    packed.resize(size);
    return html::base64(packed);
  }

 private:
  bool round_weights_;
  std::vector<float> all_;
  std::map<const void*, Json> stored_;
};

Json axis_of(const Window1d& w) {
  return {{"in", w.in},   {"kernel", w.kernel},     {"stride", w.stride},
          {"pad", w.pad}, {"dilation", w.dilation}, {"out", w.out}};
}
Json window_of(const Window2d& window) {
  return {{"h", axis_of(window.h)}, {"w", axis_of(window.w)}};
}

// The units of a fully connected layer in falling order of their values.
std::vector<std::int64_t> strongest_units(const std::vector<float>& y, std::int64_t most) {
  std::vector<std::int64_t> order(y.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return y[static_cast<std::size_t>(a)] > y[static_cast<std::size_t>(b)];
  });
  if (most < static_cast<std::int64_t>(order.size())) order.resize(static_cast<std::size_t>(most));
  return order;
}

// What the arithmetic of each kind of layer needs, besides x and y.
void describe(const SeenLayer& layer, Json& json, Numbers& numbers) {
  const Shape in = layer.x.shape();
  if (const auto* conv = dynamic_cast<const Conv2d*>(layer.module)) {
    const Conv2dShape s = conv2d_shape(in, conv->weight.shape(), conv->options);
    json["window"] = window_of(s.window);
    json["groups"] = s.groups;
    json["weight"] = numbers.add_weights(floats_of(conv->weight));
    if (conv->bias.defined()) json["bias"] = numbers.add(conv->bias);
  } else if (const auto* max_pool = dynamic_cast<const MaxPool2d*>(layer.module)) {
    json["window"] = window_of(pool2d_shape(in, max_pool->options, "max_pool2d").window);
  } else if (const auto* mean_pool = dynamic_cast<const AvgPool2d*>(layer.module)) {
    const Pool2dShape s = pool2d_shape(in, mean_pool->options, "avg_pool2d");
    json["window"] = window_of(s.window);
    json["count_include_pad"] = s.count_include_pad;
  } else if (const auto* norm = dynamic_cast<const LocalResponseNorm*>(layer.module)) {
    const LrnShape s = lrn_shape(in, norm->options);
    json["lrn"] = {{"size", s.size},
                   {"alpha", s.alpha},
                   {"beta", s.beta},
                   {"k", s.k},
                   {"across", norm->options.region == LrnRegion::across_channels}};
  } else if (const auto* linear = dynamic_cast<const Linear*>(layer.module)) {
    const std::vector<float> y = floats_of(layer.y), w = floats_of(linear->weight);
    json["rows"] = Json::object();
    const std::int64_t most = linear->weight.numel() <= kSmallLayer ? layer.y.numel() : kRows;
    for (const std::int64_t unit : strongest_units(y, most)) {
      const auto row = w.begin() + static_cast<std::ptrdiff_t>(unit) * in[1];
      json["rows"][std::to_string(unit)] = numbers.add_weights({row, row + in[1]});
    }
    if (linear->bias.defined()) json["bias"] = numbers.add(linear->bias);
  }
}

// Layers whose output and gradient the page computes from their neighbours' (look_page.js).
bool derived(const Module& layer) {
  return dynamic_cast<const ReLU*>(&layer) != nullptr ||
         dynamic_cast<const Dropout*>(&layer) != nullptr ||
         dynamic_cast<const Flatten*>(&layer) != nullptr;
}

Json layers_of(const Look& look, Numbers& numbers) {
  Json layers = Json::array();
  for (std::size_t i = 0; i < look.layers.size(); ++i) {
    const SeenLayer& layer = look.layers[i];
    const auto steps = layer.module->walk(layer.x.shape());
    Json json = {{"name", layer.name},
                 {"kind", layer.module->kind()},
                 {"in", without_batch(layer.x.shape())},
                 {"out", without_batch(layer.y.shape())},
                 {"formula", steps.at(0).formula},
                 {"detail", steps.at(0).detail}};
    if (!derived(*layer.module)) json["y"] = numbers.add(layer.y);
    if (i + 1 == look.layers.size() || !derived(*look.layers[i + 1].module))
      json["dy"] = numbers.add(layer.dy);
    describe(layer, json, numbers);
    layers.push_back(std::move(json));
  }
  return layers;
}

Json map_json(const PlaceMap& map, Numbers& numbers) {
  return {{"channels", map.channels},
          {"height", map.height},
          {"width", map.width},
          {"values", numbers.add(map.values)}};
}

Json why_json(const Why& why, Numbers& numbers) {
  const Projection& p = why.projection;
  Json cam = map_json(why.cam, numbers), drop = map_json(why.occlusion.drop, numbers),
       projection = map_json(p.pixels, numbers);
  cam["layer"] = why.cam_of;
  drop["window"] = why.occlusion.window;
  drop["stride"] = why.occlusion.stride;
  projection.update({{"layer", p.layer},
                     {"channel", p.channel},
                     {"row", p.row},
                     {"column", p.column},
                     {"value", p.value}});
  return {{"saliency", map_json(why.saliency, numbers)},
          {"guided", map_json(why.guided, numbers)},
          {"cam", cam},
          {"occlusion", drop},
          {"projection", projection}};
}

std::string picture_uri(const Image& image) {
  return html::jpeg_uri({image.width, image.height, 3, image.rgb}, 90);
}

// The photograph, at most 640 pixels wide and high.
Image thumbnail(const Image& photograph) {
  const int larger = std::max(photograph.width, photograph.height);
  if (larger <= 640) return photograph;
  const auto scaled = [&](int n) { return std::max(1, static_cast<int>(640.0 * n / larger)); };
  return resize(photograph, scaled(photograph.width), scaled(photograph.height));
}

// Where the network's square lies in the photograph, as fractions of its width and height.
Json square_in(const Image& photograph, const TrainConfig& config) {
  const double w = photograph.width, h = photograph.height;
  const double scale =
      config.prepare.short_side > 0 ? std::min(w, h) / config.prepare.short_side : 1;
  const double side = std::min({scale * config.augment.crop, w, h});
  return {{"left", (w - side) / 2 / w},
          {"top", (h - side) / 2 / h},
          {"width", side / w},
          {"height", side / h}};
}

// Inside of a <script>, "</" would end it; JSON may write it otherwise.
std::string in_script(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // No "</script>", and no "<!--", behind which a browser reads on in another way.
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos; at += 6)
    text.replace(at, 1, "\\u003c");
  return text;
}

// Everything that the scripts read; `numbers` is filled on the way.
Json page_json(const TrainedModel& trained, const Look& look, const Image& photograph,
               const LookTitle& title, Numbers& numbers) {
  Json classes = Json::array(), guesses = guesses_json(trained, look, 5);
  for (const std::string& name : trained.classes) classes.push_back(printable(name));
  for (Json& guess : guesses) guess["class"] = classes.at(guess["index"].get<std::size_t>());
  Json neighbours = neighbours_json(trained, look.neighbours, true);
  if (neighbours.contains("nearest"))
    for (Json& n : neighbours["nearest"])
      for (const char* text : {"name", "class"}) n[text] = printable(n[text].get<std::string>());
  Json page = {{"model", trained.config.model},
               {"photograph", printable(title.photograph)},
               {"checkpoint", printable(title.checkpoint)},
               {"classes", classes},
               {"target", look.target},
               {"guesses", guesses},
               {"side", look.input.size(3)},
               {"channels", look.input.size(1)},
               {"picture", picture_uri(look.picture)},
               {"thumbnail", picture_uri(thumbnail(photograph))},
               {"square", square_in(photograph, trained.config)},
               {"input", numbers.add(look.input)},
               {"dinput", numbers.add(look.dinput)},
               {"layers", layers_of(look, numbers)},
               {"why", why_json(look.why, numbers)},
               {"neighbours", neighbours}};
  page["numbers"] = numbers.count();
  return page;
}

}  // namespace

std::string look_page(const TrainedModel& trained, const Look& look, const Image& photograph,
                      const LookTitle& title) {
  Numbers exact;
  Json page = page_json(trained, look, photograph, title, exact);
  std::string packed = exact.text();
  page["rounded_weights"] = packed.size() > kLargestText;
  if (packed.size() > kLargestText) {
    Numbers rounded(true);
    page_json(trained, look, photograph, title, rounded);
    packed = rounded.text();
  }
  const std::string heading = fmt::format("What {} sees in {}", html::escape(trained.config.model),
                                          html::escape(title.photograph));
  std::string rows;
  for (const auto& [name, value] : build_provenance())
    rows +=
        fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", html::escape(name), html::escape(value));
  return fmt::format(
      R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0}</title>
<style>{1}{2}</style>
</head>
<body>
<header>
<p class="kicker">Limulus, {3}</p>
<h1>{0}</h1>
</header>
<noscript><p>This page draws its pictures with JavaScript, from numbers inside of it; nothing is
fetched.</p></noscript>
<main id="look"></main>
<section>
<h2>What made this page</h2>
<div class="scroll"><table class="pairs">
<tr><th>command</th><td>{4}</td></tr>
{5}</table></div>
</section>
<script id="page" type="application/json">{6}</script>
<script id="numbers" type="text/plain">{7}</script>
<script>{8}</script>
<script>{9}</script>
</body>
</html>
)",
      heading, html::style(), report::look_css(), html::escape(title.checkpoint),
      html::escape(title.command), rows, in_script(page), packed, report::look_units_js(),
      report::look_page_js());
}

}  // namespace limulus
