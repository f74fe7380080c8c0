// Environment variables: what each may hold, that the page lists them all, and that nothing else in
// the sources reads the environment.
#include "core/environment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/note.h"
#include "scoped_environment.h"
#include "temporary_folder.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

const fs::path root = LIMULUS_SOURCE_DIR;

// The library, the program and the examples; what tests and the course's judges do is their own.
std::vector<fs::path> sources() {
  std::vector<fs::path> all;
  for (const char* folder : {"backends", "benchmarks", "core", "examples", "formats", "gradcheck",
                             "layers", "models", "pages", "tools", "training"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (const fs::path& path = entry.path();
          path.extension() == ".h" || path.extension() == ".cpp")
        all.push_back(path);
  return all;
}

// The first group of each match.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), expression), end; it != end; ++it)
    found.insert((*it)[1]);
  return found;
}

std::set<std::string> names() {
  std::set<std::string> all;
  for (const environment::Variable& v : environment::variables()) all.emplace(v.name);
  return all;
}

}  // namespace

TEST_CASE("each variable: what is allowed is taken, what is not is an error that lists it") {
  for (const environment::Variable& v : environment::variables()) {
    CAPTURE(v.name);
    for (const std::string_view word : v.words) {
      const Environment good(std::string(v.name), std::string(word));
      CHECK(environment::value(v.name) == word);
    }
    {
      const Environment empty(std::string(v.name), "");
      CHECK(environment::value(v.name).empty());
    }
    if (v.allowed() == "a folder") continue;  // whose files are looked for when they are needed
    for (const char* wrong : {"yes", "2x", "-1", "DIRECT", " 1", "1 ", "00", "\x1b[31m"}) {
      CAPTURE(wrong);
      const Environment bad(std::string(v.name), wrong);
      const std::string said =
          message_of<ValueError>([&] { static_cast<void>(environment::value(v.name)); });
      CHECK(said.starts_with(std::string(v.name) + " is \""));
      CHECK(has(said, "but must be " + v.allowed() + "; unset it"));
      CHECK_FALSE(has(said, "\x1b"));
      CHECK(message_of<ValueError>([] { environment::check(); }) == said);
    }
  }
}

TEST_CASE("what an error lists") {
  const auto allowed = [](const environment::Variable& v) { return v.allowed(); };
  CHECK(allowed({.name = "A", .words = {"a"}}) == "a");
  CHECK(allowed({.name = "A", .words = {"a", "b"}}) == "a or b");
  CHECK(allowed({.name = "A", .words = {"a", "b", "c"}}) == "a, b or c");
  CHECK(allowed({.name = "A", .largest = 7}) == "a number from 1 to 7");
  CHECK_THROWS_AS(environment::value("LIMULUS_FUSSE"), ValueError);
}

TEST_CASE("a misspelled variable is told of, with the one that was meant") {
  std::vector<std::string> notes;
  set_note_sink([&](const std::string& text) { notes.push_back(text); });
  {
    const Environment misspelled("LIMULUS_THREAD", "2"), other("LIMULUS_WHATEVER", "1");
    const Environment known("LIMULUS_THREADS", "2"), scripts("LIMULUS_PREFIX", "/usr");
    const Environment empty("LIMULUS_TREADS", ""), others("XLIMULUS_THREAD", "1");
    environment::check();
  }
  set_note_sink({});
  std::sort(notes.begin(), notes.end());
  CHECK(notes == std::vector<std::string>{
                     "LIMULUS_THREAD is set, but Limulus has no such variable; did you mean "
                     "LIMULUS_THREADS? (docs/environment.md lists them)",
                     "LIMULUS_WHATEVER is set, but Limulus has no such variable "
                     "(docs/environment.md lists them)"});
}

TEST_CASE("a number") {
  CHECK(environment::number("1", 8) == 1);
  CHECK(environment::number("8", 8) == 8);
  for (const char* none : {"", "0", "9", "-1", "+1", " 1", "1 ", "1x", "99999999999"})
    CHECK_MESSAGE(environment::number(none, 8) == 0, none);
}

TEST_CASE("a switch") {
  for (const bool otherwise : {false, true}) {
    const Environment empty("LIMULUS_TRACE", "");
    CHECK(environment::is_on("LIMULUS_TRACE", otherwise) == otherwise);
    const Environment one("LIMULUS_TRACE", "1");
    CHECK(environment::is_on("LIMULUS_TRACE", otherwise));
    const Environment zero("LIMULUS_TRACE", "0");
    CHECK_FALSE(environment::is_on("LIMULUS_TRACE", otherwise));
  }
}

TEST_CASE("docs/environment.md has a row for each variable, with its values") {
  const std::string page = get_bytes(root / "docs/environment.md");
  for (const environment::Variable& v : environment::variables()) {
    std::string values;
    for (const std::string_view word : v.words)
      values += (values.empty() ? "`" : ", `") + std::string(word) + "`";
    const std::string row =
        "\n| `" + std::string(v.name) + "` | " + (values.empty() ? v.allowed() : values) + " | ";
    CHECK_MESSAGE(has(page, row), "no row that begins with ", row.substr(1));
  }
  // Nor one for a variable that there is not.
  const std::string first = page.substr(0, page.find("\nLimulus also follows"));
  CHECK(matches(first, R"(\n\| `(\w+)` \|)") == names());
}

TEST_CASE("core/environment.cpp alone reads the environment") {
  std::set<std::string> used;
  std::string others;
  for (const fs::path& path : sources()) {
    if (path == root / "core/environment.cpp") continue;
    const std::string text = get_bytes(path);
    CAPTURE(path.string());
    CHECK(matches(text, R"((getenv\s*\(|\benviron\b))").empty());
    used.merge(matches(text, R"re((?:value|is_on|checked)\("(LIMULUS_\w+)")re"));
    CHECK(matches(text, R"re(of_others\("(LIMULUS_\w+)")re").empty());
    for (const std::string& name : matches(text, R"re(of_others\("(\w+)")re")) others += name + " ";
  }
  CHECK(used == names());
  const std::string page = get_bytes(root / "docs/environment.md");
  for (const std::string& name : matches(others, R"((\w+))"))
    CHECK_MESSAGE(has(page, "`" + name + "`"), name, " is not on the page");
}

TEST_CASE("the scripts' own variables are on the page, too") {
  const std::string page = get_bytes(root / "docs/environment.md");
  std::set<std::string> read;
  for (const char* folder : {"benchmarks", "course", "docs", "examples"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".py")
        read.merge(matches(get_bytes(entry.path()), R"re(environ(?:\.get\(|\[)"(LIMULUS_\w+)")re"));
  CHECK(read.contains("LIMULUS_PREFIX"));
  std::string noted;
  set_note_sink([&](const std::string& text) { noted += text; });
  for (const std::string& name : read) {
    CHECK_MESSAGE(has(page, "| `" + name + "` |"), name, " is not on the page");
    const Environment set(name, "x");
    environment::check();
    CHECK_MESSAGE(!has(noted, name + " is set"), noted);
  }
  set_note_sink({});
}
