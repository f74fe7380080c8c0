// The curve of the loss in a line of text, and the line that a training draws while it runs.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "scoped_environment.h"
#include "tools/sparkline.h"
#include "tools/terminal.h"

using namespace limulus;
using namespace limulus::tools;

namespace {

int characters(const std::string& text) {
  int count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

bool has_blocks(const std::string& text) { return text.find("\xE2\x96") != std::string::npos; }

StepInfo some_step() {
  StepInfo s;
  s.epoch = 3;
  s.epochs = 28;
  s.batch = 20;
  s.batches = 50;
  s.mean_loss = 1.2345;
  s.mean_top1 = 0.456;
  s.images_per_second = 70.3;
  s.seconds_left = 185;
  return s;
}

}  // namespace

TEST_CASE("a sparkline goes from the least mean to the largest") {
  CHECK(sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 8) == "▁▂▃▄▅▆▇█");
  CHECK(sparkline({3, 1}, 8) == "█▁");  // fewer values than places
  CHECK(sparkline({2, 2, 2}, 3) == "▁▁▁");
  CHECK(sparkline({0, 2, 6, 8}, 2) == "▁█");  // means 1 and 7
  CHECK(sparkline({}, 8).empty());
  CHECK(sparkline({1, 2}, 0).empty());
  // 7 values in 3 places: groups of 2, 2 and 3
  CHECK(sparkline({0, 0, 7, 7, 14, 14, 14}, 3) == "▁▅█");
  CHECK(characters(sparkline(std::vector<float>(1000, 1.0F), 30)) == 30);
}

TEST_CASE("what is no number is shown as such, and does not hide the rest") {
  CHECK(sparkline({1, 2, NAN}, 3) == "▁█!");
  CHECK(sparkline({1, INFINITY, 2}, 3) == "▁!█");
  CHECK(sparkline({1, 1, 3, NAN}, 2) == "▁!");  // a group with one such value
  CHECK(sparkline({NAN, NAN}, 2) == "!!");
}

TEST_CASE("the line of a step fits into the terminal, whatever its width") {
  const std::vector<float> losses(500, 1.5F);
  for (int columns = 1; columns <= 240; ++columns) {
    CAPTURE(columns);
    const std::string line = step_line(some_step(), losses, columns, true);
    // StatusLine cuts what is longer than the shortest form.
    CHECK(characters(line) <= std::max(columns, 60));
    CHECK(line.find("loss 1.2") != std::string::npos);
    if (columns >= 79) CHECK(has_blocks(line));
    if (columns >= 79) CHECK(line.find("70.3 images/s") != std::string::npos);
  }
  CHECK(has_blocks(step_line(some_step(), losses, 64, true)));  // in the place of the speed
  CHECK_FALSE(has_blocks(step_line(some_step(), losses, 50, true)));
  const std::string wide = step_line(some_step(), losses, 120, true);
  CHECK(has_blocks(wide));
  CHECK(wide.find("[=") != std::string::npos);
}

TEST_CASE("without blocks the line is what it was, and pure ASCII") {
  const std::string line = step_line(some_step(), {1, 2, 3}, 100, false);
  CHECK(line ==
        "epoch  3/28 [========>           ] loss 1.234  accuracy 45.6 %  70.3 images/s  "
        "3 min 05 s left");
}

TEST_CASE("a first step has a curve of one character") {
  CHECK(step_line(some_step(), {1.5F}, 100, true).find("▁") != std::string::npos);
}

TEST_CASE("text is cut between characters") {
  CHECK(first_characters("a▁b", 2) == "a▁");
  CHECK(first_characters("▁▂▃", 1) == "▁");
  CHECK(first_characters("abc", 9) == "abc");
  CHECK(first_characters("abc", 0).empty());
}

TEST_CASE("on a pipe there are no blocks, whatever the locale says") {
  if (on_terminal()) {
    MESSAGE("skipped: this test's stderr is a terminal");
    return;
  }
  const Environment locale("LC_ALL", "C.UTF-8");
  CHECK_FALSE(shows_blocks());
}
