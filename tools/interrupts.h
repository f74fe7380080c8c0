#pragma once
// The signals by which somebody asks a program to end: SIGINT (Ctrl-C), SIGTERM (kill), SIGHUP (the
// terminal was closed), SIGQUIT, SIGUSR1 and SIGUSR2 (a batch system's warning), SIGXCPU
// (ulimit -t), SIGPWR (the current fails), a timer's SIGALRM, SIGVTALRM and SIGPROF, and the others
// that end who does not look out for them.
//
// Whoever starts a program asks the shell how it ended: a program that a signal ended reports 128 +
// the signal's number (130, 143, 129), so that `limulus train && limulus evaluate` does not go on.
// A command that has nothing to save ends at once, which is what happens when nothing here is
// called. One that has calls catch_interrupts(), saves when it is told to, and ends by
// end_if_interrupted().
#include <atomic>
#include <string>

namespace limulus::tools {

// Set by the first signal that was caught.
const std::atomic<bool>& interrupted();

// From now on the first signal only sets that flag; a second one, half a second later or more, ends
// the program at once (but SIGXCPU, which comes every second). A signal that was ignored when the
// program began stays ignored: under nohup, or in a script's background.
void catch_interrupts();

// Nothing is left to save: from now on the first signal ends the program at once, with a last line
// on stderr.
void end_at_interrupt(const std::string& last_line);

// If a signal has come: ends the program by it, as if nobody had caught it.
void end_if_interrupted();

// Ends the program by this signal.
[[noreturn]] void end_by(int signal);

}  // namespace limulus::tools
