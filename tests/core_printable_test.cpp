// A stranger's text is shown, and does nothing.
#include "core/printable.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/checked.h"

using namespace limulus;

TEST_CASE("printable: what acts on a terminal or hides is escaped, the rest stays") {
  CHECK(printable("daisy, caf\xC3\xA9, \xE8\x8A\xB1, \xF0\x9F\x8C\xB7 \\n") ==
        "daisy, caf\xC3\xA9, \xE8\x8A\xB1, \xF0\x9F\x8C\xB7 \\n");
  CHECK(printable("a\x1b[31mb\x07") == "a\\x1b[31mb\\x07");
  CHECK(printable(std::string_view("a\0b\x7f", 4)) == "a\\x00b\\x7f");
  CHECK(printable("one\ntwo\tthree\r") == "one\\x0atwo\\x09three\\x0d");
  CHECK(printable_lines("one\ntwo\tthree\r") == "one\ntwo\tthree\\x0d");
  CHECK(printable("\xC2\x9B"
                  "31m") == "\\u009b31m");  // an escape sequence in one byte, CSI
  CHECK(printable("gpj\xE2\x80\xAE"
                  "exe") == "gpj\\u202eexe");  // the direction turned round
  CHECK(printable("a\xE2\x81\xA6"
                  "b\xD8\x9C") == "a\\u2066b\\u061c");
  CHECK(printable("a\xE2\x80\x8B"
                  "b\xEF\xBB\xBF") == "a\\u200bb\\ufeff");  // no width
  CHECK(printable("a\xE2\x80\xA8"
                  "b") == "a\\u2028b");                   // a line's end, to a browser
  CHECK(printable("\xF3\xA0\x81\x81") == "\\U000e0041");  // an invisible letter A
}

TEST_CASE("printable: bytes that are not UTF-8") {
  CHECK(printable("\xFFz") == "\\xffz");
  CHECK(printable("\xC3") == "\\xc3");                             // cut
  CHECK(printable("\xC0\xAF") == "\\xc0\\xaf");                    // '/' in two bytes
  CHECK(printable("\xE0\x80\xAF") == "\\xe0\\x80\\xaf");           // in three
  CHECK(printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(printable("\xF4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
  for (int byte = 0; byte < 256; ++byte) {
    const std::string shown = printable(std::string(1, static_cast<char>(byte)));
    for (const char c : shown) CHECK((c >= ' ' && c <= '~'));
  }
}

TEST_CASE("printable: JSON stays the same document") {
  for (const std::string text : {"plain", "a\x1b[31m\"b\\",
                                 "gpj\xE2\x80\xAE"
                                 "exe \xC2\x9B \x7f",
                                 "\xF3\xA0\x81\x81 \xF0\x9F\x8C\xB7", "caf\xC3\xA9"}) {
    const nlohmann::json document = {{text, {1, text}}};
    const std::string shown = printable_json(document.dump(2));
    CHECK(nlohmann::json::parse(shown) == document);
    CHECK(printable_lines(shown) == shown);
  }
}

TEST_CASE("checked: sizes do not wrap around") {
  CHECK(size_product(6, 7) == 42);
  CHECK(size_product(std::int64_t{1} << 40, std::int64_t{1} << 40) == uncountable);
  CHECK(size_product(uncountable, 0) == 0);
  CHECK(size_sum(uncountable, 1) == uncountable);
  CHECK(size_sum(2, 3) == 5);
}
