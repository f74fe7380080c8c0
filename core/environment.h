#pragma once
// The environment is read here and nowhere else. docs/environment.md lists Limulus's variables with
// their values and what they do; tests/core_environment_test.cpp compares that page with the list.
//
// A variable that is not set and one that is empty are the same. A variable is read anew each time.
#include <string>
#include <string_view>
#include <vector>

namespace limulus::environment {

inline constexpr int most_threads = 1024;  // that LIMULUS_THREADS may ask for

// One of Limulus's own variables, and what it may hold: one of the words; or a whole number from 1
// to `largest`; or, where both are missing, the name of a folder.
struct Variable {
  std::string_view name;
  std::vector<std::string_view> words = {};
  int largest = 0;

  std::string allowed() const;  // "direct or winograd", "a number from 1 to 1024", "a folder"
};
const std::vector<Variable>& variables();

// What the variable of Limulus holds; "" where it is not set. ValueError, which says what is
// allowed, where it holds something else.
std::string value(std::string_view name);

// A switch that is 0 or 1; `otherwise` where it is not set. ValueError as above.
bool is_on(std::string_view name, bool otherwise);

// `text`, if the variable may hold it. ValueError as above.
std::string checked(std::string_view name, std::string text);

// The whole number from 1 to `largest` that all of `text` is; or 0.
int number(std::string_view text, int largest);

// Reads all of them. ValueError for the first that is wrong: a program calls this at its start, so
// that a variable that is read late, or not at all in this run, is not wrong without a word. A
// LIMULUS_ variable that is set and that nobody reads is a note (core/note.h).
void check();

// A variable that belongs to others (HOME, TERM ...); "" where it is not set.
std::string of_others(const char* name);

}  // namespace limulus::environment
