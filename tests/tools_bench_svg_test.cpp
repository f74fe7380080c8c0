// The pictures of limulus bench: labels of a roofline stand beside each other, not on its lines.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "tools/bench/svg.h"

using namespace limulus::tools;

namespace {

struct Box {
  std::string words;
  double left, right, top, bottom;
};

// Where the words of a picture stand; a letter is about 7 wide.
std::vector<Box> words_of(const std::string& svg) {
  static const std::regex text(
      R"re(<text class="(\w+)" x="([\d.-]+)" y="([\d.-]+)" text-anchor="(\w+)">([^<]*)<)re");
  std::vector<Box> found;
  for (std::sregex_iterator at(svg.begin(), svg.end(), text), end; at != end; ++at) {
    const std::smatch& m = *at;
    const double x = std::stod(m[2]), y = std::stod(m[3]),
                 width = 7.0 * static_cast<double>(m[5].length());
    const double left = m[4] == "middle" ? x - width / 2 : m[4] == "end" ? x - width : x;
    found.push_back({m[5], left, left + width, y - 10, y + 2});
  }
  return found;
}

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// Pairs of words that overlap: "conv3 and conv4; ".
std::string collisions(const std::string& svg) {
  const std::vector<Box> all = words_of(svg);
  std::string found;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (overlap(all[i], all[j])) found += all[j].words + " and " + all[i].words + "; ";
  return found;
}

// AlexNet's layers as they were measured once: five convolutions close together, and three layers
// right under the roof.
std::vector<RoofPoint> alexnet() {
  return {{"conv1", 118, 1.02e12}, {"conv2", 421, 1.28e12}, {"conv3", 551, 1.12e12},
          {"conv4", 373, 1.06e12}, {"conv5", 307, 0.97e12}, {"fc6", 15.8, 4.36e11},
          {"fc7", 15.7, 4.23e11},  {"fc8", 15.4, 4.18e11}};
}

Roof roof(double flops, double bytes) {
  Roof r;
  r.flops = flops, r.bytes = bytes;
  return r;
}

}  // namespace

TEST_CASE("roofline: labels do not cover each other") {
  const std::string svg = roofline_svg("alexnet", roof(5.19e11, 5.68e10), alexnet());
  CHECK(words_of(svg).size() >= 14);
  CHECK(collisions(svg) == "");
}

TEST_CASE("roofline: no label stands on the roof") {
  const Roof r = roof(5.19e11, 5.68e10);
  const std::string svg = roofline_svg("alexnet", r, alexnet());
  static const std::regex level(R"re(class="roof" d="M[\d.]+ ([\d.]+)L[\d.]+ \1")re");
  std::smatch m;
  REQUIRE(std::regex_search(svg, m, level));
  const double y = std::stod(m[1]);
  for (const Box& box : words_of(svg)) {
    CAPTURE(box.words);
    const bool label = box.words.find("fc") == 0 || box.words.find("conv") == 0;
    CHECK_FALSE((label && box.top < y && y < box.bottom));
  }
}

TEST_CASE("roofline: few layers anywhere find a place for their names") {
  std::mt19937 draw(2012);
  std::uniform_real_distribution<double> intensity(0, 3), speed(10.5, 12);
  for (int run = 0; run < 50; ++run) {
    std::vector<RoofPoint> points;
    for (int i = 0; i < 4; ++i)
      points.push_back({"conv" + std::to_string(i + 1), std::pow(10, intensity(draw)),
                        std::pow(10, speed(draw))});
    CAPTURE(run);
    CHECK(collisions(roofline_svg("drawn", roof(5.19e11, 5.68e10), points)) == "");
  }
}

TEST_CASE("bars: no line of the grid runs through a name or a value") {
  const std::string svg = bars_svg("ladder", "GFLOP/s", {{"a name", 2}, {"b", 5.7}, {"c", 565}});
  static const std::regex line(R"re(class="line" d="M([\d.]+) ([\d.]+)L\1 ([\d.]+)")re");
  int lines = 0;
  for (std::sregex_iterator at(svg.begin(), svg.end(), line), end; at != end; ++at, ++lines) {
    const double x = std::stod((*at)[1]), top = std::stod((*at)[2]), bottom = std::stod((*at)[3]);
    for (const Box& box : words_of(svg)) {
      CAPTURE(box.words);
      CHECK_FALSE((box.left < x && x < box.right && box.top < bottom && top < box.bottom));
    }
  }
  CHECK(lines >= 4);
}

TEST_CASE("bars: letters are large enough for a telephone") {
  const std::string svg = bars_svg("ladder", "GFLOP/s", {{"a", 1}, {"b", 1000}});
  std::smatch m;
  REQUIRE(std::regex_search(svg, m, std::regex(R"re(viewBox="0 0 (\d+) )re")));
  CHECK(13 * 358 / std::stod(m[1]) >= 7.5);  // letters of 13, in a column of 358 pixels
  CHECK(collisions(svg) == "");
}
