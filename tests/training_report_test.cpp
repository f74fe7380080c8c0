// The page of a run: complete, well-formed, self-contained, and safe against what files bring in.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "backends/registry.h"
#include "core/error.h"
#include "pages/html.h"
#include "pages/plot.h"
#include "temporary_folder.h"
#include "training/report/report.h"

using namespace limulus;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string page_of(const RunReport& run) {
  const TemporaryFolder folder;
  write_report(folder / "report.html", run);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  return get_bytes(folder / "report.html");
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// "" when each element that is opened is closed in the right order and every attribute is quoted;
// otherwise what is wrong.
std::string malformed(const std::string& page) {
  std::vector<std::string> open;
  std::size_t at = page.find("<html");
  while ((at = page.find('<', at)) != std::string::npos) {
    const std::size_t name_begin = at + 1;
    const bool closing = page[name_begin] == '/';
    std::size_t end = name_begin + closing;
    while (end < page.size() && (std::isalnum(static_cast<unsigned char>(page[end])) != 0)) ++end;
    const std::string name = page.substr(name_begin + closing, end - name_begin - closing);
    if (name.empty()) return "a stray <: " + page.substr(at, 40);
    bool quoted = false;
    while (end < page.size() && (quoted || page[end] != '>')) {
      if (page[end] == '"') quoted = !quoted;
      if (page[end] == '<') return "a < inside of a tag: " + page.substr(at, 60);
      if (page[end] == '=' && !quoted && page[end + 1] != '"') return "no quote in " + name;
      ++end;
    }
    if (end == page.size()) return name + " has no end";
    if (closing) {
      if (open.empty() || open.back() != name) {
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      }
      open.pop_back();
    } else if (page[end - 1] != '/' && name != "meta" && name != "img") {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : open.back() + " is not closed";
}

void check_page(const std::string& page) {
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(malformed(page) == "");
  CHECK(page.size() < 2'000'000);
  CHECK(contains(page, "<html lang=\"en\">"));
  // Nothing is fetched, and no picture is without words.
  for (const char* outside : {"http:", "https:", "url(", "<script", "<link", "@import"}) {
    CHECK_FALSE(contains(page, outside));
  }
  CHECK(count(page, " src=\"") == count(page, " src=\"data:image/"));
  CHECK(count(page, "<img") == count(page, " alt=\""));
  // No number that is none (base64 left aside, where any letters may stand).
  std::string words;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t data = std::min(page.find("base64,", at), page.size());
    words += page.substr(at, data - at);
    at = std::min(page.find('"', data), page.size());
  }
  bool numbers = true;
  std::string word;
  for (const char c : words + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    numbers = numbers && word != "nan" && word != "inf";
    word.clear();
  }
  CHECK(numbers);
}

std::vector<std::uint8_t> from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    held += 6;
    if (held >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (held -= 8)));
  }
  return bytes;
}

std::vector<Image> pictures(const std::string& page) {
  std::vector<Image> found;
  for (auto at = page.find("base64,"); at != std::string::npos; at = page.find("base64,", at + 1)) {
    const auto begin = at + 7;
    found.push_back(
        decode_image(from_base64(page.substr(begin, page.find('"', begin) - begin)), "picture"));
  }
  return found;
}

Image plain(int width, int height, std::uint8_t r, std::uint8_t g, std::uint8_t b) {
  Image image{width, height, {}};
  for (int i = 0; i < width * height; ++i) image.rgb.insert(image.rgb.end(), {r, g, b});
  return image;
}

Metrics metrics(std::int64_t classes, const std::vector<std::vector<int>>& confusion) {
  Metrics m(classes);
  std::vector<float> scores(static_cast<std::size_t>(classes));
  for (std::size_t t = 0; t < confusion.size(); ++t) {
    for (std::size_t g = 0; g < confusion[t].size(); ++g) {
      std::fill(scores.begin(), scores.end(), 0.0f);
      scores[g] = 1;
      const auto label = static_cast<std::int64_t>(t);
      for (int i = 0; i < confusion[t][g]; ++i) m.add(scores.data(), &label, 1);
    }
  }
  return m;
}

// A whole run, with names that are not to be trusted.
RunReport example() {
  RunReport r;
  r.config.model = "lenet5";
  r.config.data = "somewhere/<shapes> & \"more\"/";
  r.config.batch = 10;
  r.config.epochs = 4;
  r.classes = {"circle", "<script>alert(1)</script>", "a & b"};
  WalkStep step;
  step.name = "conv1";
  step.kind = "Conv2d";
  step.formula = "floor((28 - 5 + 2*0)/1) + 1 = 24";
  step.detail = "6 filters of 1x5x5";
  step.in = {10, 1, 28, 28};
  step.out = {10, 6, 24, 24};
  step.parameters = 1234567;
  step.multiply_adds = 7654321;
  r.walk = {step};
  for (int i = 0; i < 4000; ++i) r.step_losses.push_back(1 / (1 + 0.01f * static_cast<float>(i)));
  for (int e = 1; e <= 4; ++e) {
    r.epochs.push_back({.epoch = e,
                        .train_loss = 1.0 / e,
                        .train_top1 = 1 - 0.5 / e,
                        .test_loss = 1.2 / e,
                        .test_top1 = 1 - 0.6 / e,
                        .test_top5 = 1,
                        .lr = e < 3 ? 0.01 : 0.001,
                        .seconds = 100,
                        .images_per_second = 100,
                        .waiting = 0.25});
  }
  r.single.metrics = metrics(3, {{8, 2, 0}, {1, 5, 4}, {0, 3, 7}});
  r.ten.metrics = metrics(3, {{9, 1, 0}, {1, 6, 3}, {0, 3, 7}});
  Mistake wrong;
  wrong.name = "test/<b>&\"x\".png";
  wrong.truth = 1;
  wrong.guess = 2;
  wrong.probability = 0.987;
  wrong.image = plain(300, 200, 200, 40, 90);
  Mistake tiny = wrong;
  tiny.image = plain(28, 28, 10, 250, 130);
  Mistake lost = wrong;
  lost.image = {};
  r.single.worst = {wrong, tiny, lost};
  std::vector<float> w(std::size_t{2 * 3 * 2 * 2}, 0.0f);
  w[0] = 1;    // filter 0: red of the upper left is the largest
  w[11] = -1;  // and blue of the lower right the smallest; filter 1 is all zero
  r.filters = Tensor::from(w, {2, 3, 2, 2}, device("reference"));
  r.layer_times = {{"conv1", 0.002, 0.005}, {"", 0.0005, 0.0015}};
  r.train_images = 50;
  r.held_out = 31;
  r.layout = "train and test folders of <3> class folders";
  r.skipped = {{"train/<i>.jpg", "it is empty", SkipRule::unreadable, "training"}};
  r.provenance = {{"flags", "-O3 <none> & \"all\""}};
  return r;
}

}  // namespace

TEST_CASE("report: a complete run") {
  const std::string page = page_of(example());
  check_page(page);
  // Accuracies: (8 + 5 + 7) / 30 and 22 / 30.
  CHECK(contains(page,
                 "After 4 epochs, the network names <strong>66.7%</strong> of 30 held-out images"));
  CHECK(contains(page, "<strong>73.3%</strong> averaged over ten crops"));
  CHECK(contains(page, "95% interval 48.8 to 80.8%"));  // Wilson, 20 of 30
  CHECK(contains(page, "chance, ln 3 = 1.10"));
  CHECK(contains(page, "chance, 1/3 = 33.3%"));
  CHECK(contains(page,
                 "\xC3\xB7"
                 "10"));  // the rate's fall
  CHECK(contains(page, "loss"));
  CHECK(contains(page, "1,234,567"));
  CHECK(contains(page, "floor((28 - 5 + 2*0)/1) + 1 = 24"));
  CHECK(contains(page, "7,654,321"));
  // 2 * 7,654,321 * 10 operations in 2 ms.
  CHECK(contains(page, ">76.5<"));
  CHECK(contains(page, "<th scope=\"row\">weight_decay</th><td>0.0005</td>"));
  CHECK(contains(page, "The most frequent mistake: 4 of 10 images"));
}

TEST_CASE("report: what comes from files is escaped") {
  const std::string page = page_of(example());
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "<b>&\""));
  CHECK_FALSE(contains(page, "<i>.jpg"));
  CHECK(contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  CHECK(contains(page, "&lt;b&gt;&amp;&quot;x&quot;.png"));
  CHECK(contains(page, "lenet5 on &lt;shapes&gt; &amp; &quot;more&quot;"));
  CHECK(contains(page, "-O3 &lt;none&gt; &amp; &quot;all&quot;"));

  CHECK(html::escape("a\x1bz") == "a\\x1bz");
  CHECK(html::escape("<\xE2\x80\xAE>") ==
        "&lt;\\u202e&gt;");  // would turn the direction of writing
  CHECK(html::escape("\xC3\xA9\xF0\x9F\x8C\xB7") == "\xC3\xA9\xF0\x9F\x8C\xB7");
}

TEST_CASE("report: pictures can be decoded and show what they should") {
  const auto found = pictures(page_of(example()));
  REQUIRE(found.size() == 3);  // filters, two mistakes; the third has no pixels

  // Filter 0 goes from -1 to 1, so that zero is the middle; filter 1 has no range.
  const Image& grid = found[0];
  REQUIRE(grid.width * grid.height == 2 * (2 * 2) + 2);  // side by side, a gap of one pixel
  const auto at = [&](int x, int y) {
    const std::uint8_t* p = grid.pixel(x, y);
    return std::vector<int>{p[0], p[1], p[2]};
  };
  CHECK(at(0, 0) == std::vector<int>{255, 128, 128});
  CHECK(at(1, 1) == std::vector<int>{128, 128, 0});
  CHECK(at(grid.width - 1, grid.height - 1) == std::vector<int>{128, 128, 128});

  CHECK(found[1].width == 192);
  CHECK(found[1].height == 192);
  CHECK(std::abs(found[1].pixel(96, 96)[0] - 200) < 6);  // a JPEG
  CHECK(std::abs(found[1].pixel(96, 96)[2] - 90) < 6);
  CHECK(found[2].width == 28);  // small ones exactly
  CHECK(found[2].pixel(5, 5)[1] == 250);
}

TEST_CASE("report: filters of one and of many channels are grey") {
  RunReport run = example();
  run.single.worst.clear();
  for (const std::int64_t channels : {1, 4}) {
    std::vector<float> w(static_cast<std::size_t>(6 * channels * 9), 0.0f);
    w[0] = 1;
    w.back() = std::numeric_limits<float>::quiet_NaN();
    run.filters = Tensor::from(w, {6, channels, 3, 3}, device("reference"));
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "Plain grey: 1 filter with"));
    const auto found = pictures(page);
    REQUIRE(found.size() == 1);
    CHECK(found[0].width == 11);  // 3 columns of 3 pixels
    CHECK(found[0].height == 7);
    CHECK(found[0].pixel(0, 0)[0] == 255);
    CHECK(found[0].pixel(1, 0)[2] == 0);
    CHECK(found[0].pixel(10, 6)[1] == 128);
    CHECK(found[0].pixel(3, 0)[1] == 255);  // the gap is transparent: white on paper
  }
}

TEST_CASE("report: missing parts are told in a sentence") {
  SUBCASE("nothing at all") {
    RunReport run;
    run.finished = false;
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "stopped early, after 0 of 24 epochs"));
    CHECK(contains(page, "Not one step was made"));
    CHECK(contains(page, "No convolution"));
    CHECK(contains(page, "were not timed"));
    CHECK(contains(page, "Nothing was left out"));
  }
  SUBCASE("within the first epoch") {
    RunReport run = example();
    run.finished = false;
    run.epochs.clear();
    run.single = run.ten = {};
    run.step_losses.resize(1);
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "ended within its first epoch"));
    CHECK(contains(page, ">step</text>"));
  }
  SUBCASE("stopped between epochs") {
    RunReport run = example();
    run.finished = false;
    run.epochs.resize(2);
    run.single = run.ten = {};
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "after 2 of 4 epochs"));
    CHECK(contains(page, "The last test, after epoch 2, had <strong>70.0%</strong>"));
    CHECK(contains(page, "no mistake is known"));
  }
  SUBCASE("one crop, or only ten") {
    RunReport run = example();
    run.ten = {};
    CHECK(contains(page_of(run), "ten crops were not evaluated"));
    run.ten = run.single;
    run.single = {};
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "correctly, averaged over ten crops of each"));
    CHECK(contains(page, "seen by their ten crops"));
  }
  SUBCASE("values that are not numbers") {
    RunReport run = example();
    for (auto& e : run.epochs) {
      e.train_loss = e.train_top1 = e.test_loss = e.test_top1 = e.test_top5 = kNan;
      e.lr = e.seconds = e.images_per_second = e.waiting = kNan;
    }
    run.epochs[1].test_loss = std::numeric_limits<double>::infinity();
    for (auto& loss : run.step_losses) loss = std::numeric_limits<float>::quiet_NaN();
    for (auto& t : run.layer_times) t.forward = kNan;
    run.single.worst[0].probability = kNan;
    check_page(page_of(run));
    run.single = run.ten = {};
    check_page(page_of(run));
  }
  SUBCASE("a class without images, an index without a name") {
    RunReport run = example();
    run.single.metrics = metrics(4, {{3, 0, 0, 1}, {}, {0, 0, 2, 0}, {}});
    run.single.worst[0].guess = 77;
    const std::string page = page_of(run);
    check_page(page);
    CHECK(contains(page, "class 3"));
    CHECK(contains(page, "class 77"));
  }
}

TEST_CASE("report: many classes take the compact form") {
  RunReport run = example();
  run.classes.clear();
  std::vector<std::vector<int>> confusion(30, std::vector<int>(30, 0));
  for (std::size_t i = 0; i < 30; ++i) {
    run.classes.push_back("kind " + std::to_string(i));
    confusion[i][i] = 9;
    confusion[i][(i + 1) % 30] = 1;
  }
  confusion[7][3] = 6;
  run.single.metrics = metrics(30, confusion);
  const std::string page = page_of(run);
  check_page(page);
  CHECK_FALSE(contains(page, "class=\"confusion\""));
  CHECK(contains(page, "<th scope=\"row\">kind 7</th><td class=\"text\">kind 3</td><td>6</td>"));
  CHECK(contains(page, "<th scope=\"row\">kind 7</th><td>16</td><td>9</td><td>56.2%</td>"));
  CHECK(contains(page, "held-out, among the first five"));
}

TEST_CASE("report: large runs give a page of bounded size") {
  RunReport run = example();
  run.step_losses.assign(100'000, 0.5f);
  Mistake noisy = run.single.worst[0];
  noisy.image = plain(256, 256, 0, 0, 0);
  std::uint32_t state = 1;
  for (auto& value : noisy.image.rgb) {
    value = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  }
  run.single.worst.assign(100, noisy);
  run.skipped.assign(5000, {"train/x.jpg", "it is empty"});
  const std::string page = page_of(run);
  check_page(page);
  CHECK(contains(page, "5,000 entries took no part: 5,000 unreadable; the first 200 are."));
  const auto begin = page.find("<path class=\"s0\" d=\"M", page.find("class=\"plot\" view"));
  REQUIRE(begin != std::string::npos);
  const std::string path = page.substr(begin, page.find("/>", begin) - begin);
  CHECK(count(path, "L") == 499);
}

TEST_CASE("report: two hundred thousand classes") {
  RunReport run = example();
  const std::int64_t classes = 200'000;
  run.classes.clear();
  for (std::int64_t c = 0; c < classes; ++c) run.classes.push_back("kind " + std::to_string(c));
  run.single.metrics = Metrics(classes);
  run.ten = {};
  std::vector<float> scores(static_cast<std::size_t>(classes));
  scores[9] = 1;
  for (const std::int64_t label : {std::int64_t{9}, std::int64_t{123'456}})
    run.single.metrics.add(scores.data(), &label, 1);
  const std::string page = page_of(run);
  check_page(page);
  CHECK(
      contains(page, "<th scope=\"row\">kind 123456</th><td class=\"text\">kind 9</td><td>1</td>"));
  CHECK(contains(page, "199,998 classes are without held-out images"));
}

TEST_CASE("plot: round ticks and their labels") {
  CHECK(round_ticks(0, 1, 5) ==
        std::vector<double>{0, 1 * 0.2, 2 * 0.2, 3 * 0.2, 4 * 0.2, 5 * 0.2});
  CHECK(round_ticks(0, 24, 7) == std::vector<double>{0, 5, 10, 15, 20});
  CHECK(round_ticks(-3, 3, 3) == std::vector<double>{-2, 0, 2});
  CHECK(round_ticks(1, 1, 5).empty());
  CHECK(round_ticks(0, kNan, 5).empty());
  CHECK(tick_label(0.25, 0.05) == "0.25");
  CHECK(tick_label(2, 0.5) == "2.0");
  CHECK(tick_label(20, 5) == "20");
  CHECK(tick_label(12000, 2000) == "12,000");
  CHECK(tick_label(-0.0, 1) == "0");
}

TEST_CASE("plot: places, gaps and what is cut off") {
  LinePlot plot;
  plot.title = "a < b";
  plot.x_label = "epoch";
  plot.y_max = 2;
  plot.series.push_back({"up", {0, 1, 2, 3, 4}, {0, 1, kNan, 2, 50}});
  const std::string svg = plot_svg(plot);
  CHECK(contains(svg, "aria-label=\"a &lt; b\""));
  // x: 0 .. 4 from 66 to 488; y: 0 .. 2 from 264 up to 20. The gap begins a second piece, and the
  // last point stays at the edge.
  CHECK(contains(svg, "d=\"M66.0 264.0L171.5 142.0M382.5 20.0L488.0 20.0\""));
  CHECK(count(svg, "<circle") == 4);
  CHECK(malformed("<html>" + svg + plot_legend(plot) + "</html>") == "");

  plot.levels = {{"half", 1}};
  const std::string file = plot_file(plot);
  CHECK(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(contains(file, "d=\"M66.0 264.0L171.5 142.0M382.5 20.0L488.0 20.0\""));
  CHECK(contains(file, ">up</text>"));
  CHECK(contains(file, ">half</text>"));
  CHECK(malformed("<html>" + file + "</html>") == "");
}

TEST_CASE("html: numbers and base64") {
  CHECK(html::percent(0.7845) == "78.5%");
  CHECK(html::percent(kNan) == "\xE2\x80\x93");
  CHECK(html::duration(9.5) == "9.5 s");
  CHECK(html::duration(754) == "12 min 34 s");
  CHECK(html::duration(3 * 3600 + 7 * 60) == "3 h 7 min");
  const auto base64 = [](std::vector<std::uint8_t> b) { return html::base64(b); };
  CHECK(base64({}) == "");
  CHECK(base64({'M'}) == "TQ==");
  CHECK(base64({'M', 'a'}) == "TWE=");
  CHECK(base64({'M', 'a', 'n'}) == "TWFu");
  CHECK(base64({0xFF, 0xFF, 0xFE}) == "///+");
  CHECK_THROWS_AS(html::png_uri({2, 2, 3, {1, 2, 3}}), ValueError);
}
