// The page of `limulus look` in a headless Chromium: 200 random units of each network, forward and
// backward, are what the engine of `limulus explain --element` says; receptive fields; the page
// draws without an error. Skipped, with a word, where there is no Chromium.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/philox.h"
#include "look_check.h"
#include "temporary_folder.h"
#include "tools/explain_element.h"
#include "training/report/look_page.h"
#include "training/trained_model.h"

using namespace limulus;

namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 65536> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe))
    text.append(piece.data(), n);
  pclose(pipe);
  return text;
}

std::string chromium() {
  if (const char* path = std::getenv("CHROMIUM")) return path;
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (!output_of(std::string("command -v ") + name).empty()) return name;
  return "";
}

// Runs `script`, an expression of `looked` (what look_page.js gives), in the page; its value as
// JSON.
nlohmann::json in_page(const std::string& browser, std::string page, const std::string& script) {
  const TemporaryFolder folder;
  page +=
      "<pre id=\"result\"></pre><script>lookReady.then((looked) => { "
      "document.getElementById('result').textContent = JSON.stringify(" +
      script +
      "); }).catch((e) => { document.getElementById('result').textContent = "
      "JSON.stringify({error: String(e)}); });</script>";
  put_bytes(folder / "page.html", page);
  const std::string text = output_of(
      browser + " --headless --disable-gpu --no-first-run --no-sandbox --user-data-dir='" +
      (folder / "profile").string() + "' --virtual-time-budget=60000 --dump-dom 'file://" +
      (folder / "page.html").string() + "' 2>/dev/null");
  const std::string open = "<pre id=\"result\">";
  const auto begin = text.rfind(open);
  REQUIRE_MESSAGE(begin != std::string::npos, "the browser ran no script");
  const auto from = begin + open.size();
  const std::string json = text.substr(from, text.find("</pre>", from) - from);
  REQUIRE_MESSAGE(!json.empty(), "the page's scripts did not come to their end");
  return nlohmann::json::parse(json);
}

tools::Values values_of(const Tensor& t, bool batch = true) {
  if (!t.defined()) return {};
  std::vector<std::int64_t> sizes(t.shape().sizes().begin() + (batch ? 1 : 0),
                                  t.shape().sizes().end());
  return {Shape(sizes), t.to_doubles()};
}

tools::LayerRun run_of(const Look& look, std::size_t i) {
  const SeenLayer& layer = look.layers[i];
  tools::LayerRun run;
  run.name = layer.name;
  run.layer = layer.module;
  run.in = layer.x.shape();
  run.x = values_of(layer.x);
  run.y = values_of(layer.y);
  run.dy = values_of(layer.dy);
  run.dx = values_of(i > 0 ? look.layers[i - 1].dy : look.dinput);
  for (const auto& [name, t] : layer.module->parameters())
    (name == "weight" ? run.weight : run.bias) = values_of(t, false);
  return run;
}

bool has_no_terms(const Module& layer) {  // a copy: `explain` says that there is nothing to add up
  return std::string(layer.kind()) == "Flatten" || std::string(layer.kind()) == "Dropout";
}

struct Unit {
  std::size_t layer = 0;
  tools::Index forward, backward;  // of the output, and of the input
};

std::vector<Unit> drawn_units(const Look& look, int count) {
  std::vector<Unit> units;
  for (std::uint64_t block = 0; units.size() < static_cast<std::size_t>(count); ++block) {
    const PhiloxWords drawn = philox_block({12, 34}, block);
    const auto& words = drawn.v;
    Unit u;
    u.layer = words[0] % look.layers.size();
    if (has_no_terms(*look.layers[u.layer].module)) continue;
    const auto place = [](const Shape& shape, std::uint32_t word) {
      tools::Index index(static_cast<std::size_t>(shape.rank() - 1));
      auto at = static_cast<std::int64_t>(word % static_cast<std::uint64_t>(shape.numel()));
      for (std::size_t axis = index.size(); axis-- > 0;) {
        index[axis] = at % shape[static_cast<int>(axis) + 1];
        at /= shape[static_cast<int>(axis) + 1];
      }
      return index;
    };
    u.forward = place(look.layers[u.layer].y.shape(), words[1]);
    u.backward = place(look.layers[u.layer].x.shape(), words[2]);
    units.push_back(u);
  }
  // By layer, so that a layer's values are made ready once.
  std::stable_sort(units.begin(), units.end(),
                   [](const Unit& a, const Unit& b) { return a.layer < b.layer; });
  return units;
}

// Single precision, and sums of up to 9,216 terms: what is compared is the distance in units of the
// terms' sizes.
void check_same(const nlohmann::json& page, const tools::Explanation& engine) {
  double size = std::abs(engine.value);
  for (const tools::Term& t : engine.terms) size += std::abs(t.value);
  CHECK(std::abs(page["value"].get<double>() - engine.value) <= 1e-6 * size + 1e-30);
  // The engine counts the bias among the terms; the page adds it to their sum.
  const std::size_t bias = !engine.terms.empty() && engine.terms[0].what.starts_with("b[") ? 1 : 0;
  if (!engine.terms.empty() && page["terms"].get<std::size_t>() > 0 && !page.contains("single"))
    CHECK(page["terms"].get<std::size_t>() + bias == engine.terms.size());
}

}  // namespace

TEST_CASE("200 units of the page are what `limulus explain --element` says") {
  const std::string browser = chromium();
  if (browser.empty()) {
    MESSAGE("skipped: there is no Chromium here");
    return;
  }
  for (const std::string model : {"alexnet", "lenet5", "cifar-convnet"}) {
    CAPTURE(model);
    const TrainedModel t = drawn_model(model, DType::f32);
    const Image photograph = drawn_photograph(260, 256);
    const Look look = look_at(t, photograph);
    const std::string page = look_page(t, look, photograph, {"photo.jpg", "c.safetensors", "look"});
    CHECK(page.size() < 25'000'000);
    const std::vector<Unit> units = drawn_units(look, 200);
    nlohmann::json asked = nlohmann::json::array();
    for (const Unit& u : units)
      asked.push_back({{"layer", u.layer}, {"forward", u.forward}, {"backward", u.backward}});
    const nlohmann::json answers =
        in_page(browser, page,
                asked.dump() +
                    ".map((u) => { const brief = (e) => e && {value: e.value, tensor: e.tensor, "
                    "terms: e.terms.length, single: e.single}; looked.point(u.layer, u.forward); "
                    "return {forward: brief(looked.units.forward(u.layer, u.forward)), "
                    "backward: brief(looked.units.backward(u.layer, u.backward))}; })");
    REQUIRE_MESSAGE(answers.is_array(), answers.dump());
    std::size_t forward = 0, backward = 0;
    tools::LayerRun run;
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (i == 0 || units[i].layer != units[i - 1].layer) run = run_of(look, units[i].layer);
      CAPTURE(run.name);
      CAPTURE(asked[i].dump());
      if (!answers[i]["forward"]["value"].is_null()) {  // else the page does not hold its weights
        check_same(answers[i]["forward"], tools::explain_forward(run, units[i].forward));
        ++forward;
      }
      if (!answers[i]["backward"].is_null()) {
        check_same(answers[i]["backward"],
                   tools::explain_backward(run, "input", units[i].backward));
        ++backward;
      }
    }
    MESSAGE(model, ": ", forward, " of ", units.size(), " forward and ", backward,
            " backward were compared; the others' weights are not on the page");
    CHECK(forward >= 160);
    CHECK(backward >= 140);
  }
}

TEST_CASE("receptive fields are the known ones") {
  const std::string browser = chromium();
  if (browser.empty()) {
    MESSAGE("skipped: there is no Chromium here");
    return;
  }
  const TrainedModel t = drawn_model("alexnet", DType::f32);
  const Image photograph = drawn_photograph(256, 256);
  const Look look = look_at(t, photograph);
  const nlohmann::json fields = in_page(
      browser, look_page(t, look, photograph, {"p", "c", "look"}),
      "Object.fromEntries(looked.page.layers.flatMap((l, i) => { if (l.out.length < 3) return []; "
      "const b = looked.units.receptive(i, [0, l.out[1] >> 1, l.out[2] >> 1]); "
      "return [[l.name, [b.bottom - b.top, b.right - b.left]]]; }))");
  // field = field before + (F - 1) * product of the strides before; in the middle nothing is
  // clipped
  for (const auto& [name, size] : {std::pair{"conv1", 11},
                                   {"pool1", 19},
                                   {"conv2", 51},
                                   {"pool2", 67},
                                   {"conv3", 99},
                                   {"conv4", 131},
                                   {"conv5", 163},
                                   {"pool5", 195}}) {
    CAPTURE(name);
    CHECK(fields[name] == nlohmann::json({size, size}));
  }
}
