// Misspelled names, and notes.
#include "core/names.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/note.h"

using namespace limulus;

TEST_CASE("the name that was probably meant") {
  const std::vector<std::string> commands = {"explain", "train", "evaluate", "predict", "bench"};
  const auto meant = [&](const char* typed) { return nearest_name(typed, commands); };
  CHECK(meant("trian") == "train");  // two letters changed places
  CHECK(meant("tran") == "train");
  CHECK(meant("traiin") == "train");
  CHECK(meant("TRAIN") == "train");
  CHECK(meant("evalaute") == "evaluate");
  CHECK(meant("eval") == "evaluate");  // the beginning of one name
  CHECK(meant("ben") == "bench");
  CHECK(meant("xyz") == "");
  CHECK(meant("") == "");
  CHECK(meant("t") == "");
  CHECK(meant("completely-else") == "");
  CHECK(nearest_name("conv", {"conv1", "conv2"}) == "conv1");  // one mistake from both: the first
  CHECK(nearest_name("alexnet-", {"alexnet-keras", "alexnet-towers"}) == "");
  CHECK(nearest_name("x", {}) == "");
}

TEST_CASE("a message lists what there is, with the nearest first") {
  CHECK(known_names("papr", {"default", "paper"}) ==
        "; did you mean 'paper'? There are default, paper");
  CHECK(known_names("xyz", {"default", "paper"}) == "; there are default, paper");
}

TEST_CASE("a note is passed on once to who listens, and to nobody else") {
  std::vector<std::string> heard;
  note("before anybody listens");
  set_note_sink([&](const std::string& text) { heard.push_back(text); });
  note("one");
  note("two");
  note("one");
  CHECK(heard == std::vector<std::string>{"one", "two"});
  set_note_sink([&](const std::string& text) { heard.push_back("again " + text); });
  note("one");
  CHECK(heard.back() == "again one");
  set_note_sink([](const std::string&) { throw 1; });
  note("a listener that fails does not harm");
  set_note_sink({});
  note("three");
  CHECK(heard.size() == 3);
}
