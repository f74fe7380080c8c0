#pragma once
// Notes: what a person should know although nothing has failed, such as a cache that is not used
// because others could write to it. The library prints nothing by itself: a program that wants to
// hear of it gives a function (`limulus` prints notes on stderr).
#include <functional>
#include <string>

namespace limulus {

// One listener; an empty function stops listening. Notes come from any thread, one at a time.
void set_note_sink(std::function<void(const std::string&)> sink);

// Passes the text on, once for each listener: what is noted again is not repeated. Never throws.
void note(const std::string& text) noexcept;

}  // namespace limulus
