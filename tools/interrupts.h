#pragma once
// SIGINT (Ctrl-C), SIGTERM (kill) and SIGHUP (the terminal was closed).
//
// Whoever starts a program asks the shell how it ended: a program that a signal ended reports 128 +
// the signal's number (130, 143, 129), so that `limulus train && limulus evaluate` does not go on. A
// command that has nothing to save ends at once, which is what happens when nothing here is called. One
// that has calls catch_interrupts(), saves when it is told to, and ends by end_if_interrupted().
#include <atomic>
#include <string>

namespace limulus::tools {

// Set by the first signal that was caught.
const std::atomic<bool>& interrupted();

// From now on the first signal only sets that flag; the second one ends the program at once. A
// signal that was ignored when the program began stays ignored: under nohup, or in a script's
// background.
void catch_interrupts();

// Nothing is left to save: from now on the first signal ends the program at once, with a last line on
// stderr.
void end_at_interrupt(const std::string& last_line);

// If a signal has come: ends the program by it, as if nobody had caught it.
void end_if_interrupted();

// Ends the program by this signal.
[[noreturn]] void end_by(int signal);

}  // namespace limulus::tools
