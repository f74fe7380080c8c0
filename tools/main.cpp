// The `limulus` program. Exit status: 0 done; 1 it failed, with the reason on stderr; 2 the command
// line was not understood; 128 + n where signal n ended it (interrupts.h).
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "core/environment.h"
#include "core/error.h"
#include "core/note.h"
#include "formats/read_file.h"
#include "tools/commands.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/usage.h"

namespace limulus::tools {
namespace {

int exit_status = 0;

// A caller may have closed stdin, stdout or stderr. Then the next file to be opened would get that
// number, and what is printed would end up in a checkpoint: /dev/null takes the place. In that of
// stdout it can only be read, so that who prints there is told that it went nowhere.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);  // the lowest free number
  }
}

// Nobody reads on behind a closed pipe, as in `limulus explain | head -1`.
bool reader_is_gone() {
  pollfd out = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

// What was printed may still wait in a buffer, and the disk below stdout may be full. All output
// passes here once more at the end, so that a part of it that was lost is never a success.
void flush_stdout() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  if (reader_is_gone()) end_by(SIGPIPE);  // quietly, as a program that does not care would
  throw Error(fmt::format("stdout: what was printed could not be written{}{}: is the disk full?",
                          errno != 0 ? ": " : "", errno != 0 ? system_message(errno) : ""));
}

int run(int argc, char** argv) {
  environment::check();
  CLI::App app{
      "limulus: AlexNet from scratch, and what it takes to understand it.\n"
      "Each command has a page of its own with an example: limulus train --help"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of all commands");
  app.set_version_flag("--version", "limulus " LIMULUS_VERSION);
  add_explain(app);
  add_train(app);
  add_evaluate(app);
  add_predict(app);
  add_look(app);
  add_report(app);
  add_figure(app);
  add_gradcheck(app);
  add_compare(app);
  add_bench(app);
  add_scale(app);
  add_devices(app);
#ifdef LIMULUS_OPENCL
  add_tune(app);
#endif
  add_convert(app);
  add_import(app);
  add_pack(app);
  add_new(app);
  add_manual(app);
  refuse_empty_values(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) {
      say(message_text(message_of(app, e)) + "\nRun with --help for more information.");
      return 2;
    }
    app.exit(e);  // prints help, or the version
    std::cout.flush();
  }
  flush_stdout();
  return exit_status;
}

}  // namespace

void set_exit_status(int status) { exit_status = status; }

void add_weights_option(CLI::App& command, DType& weights) {
  command
      .add_option_function<std::string>(
          "--weights",
          [&weights](const std::string& name) {
            weights = name == "bf16" ? DType::bf16 : DType::f32;
          },
          "How the fully connected layers' weights are kept: bf16 halves their memory")
      ->check(one_of({"f32", "bf16"}))
      ->default_str("f32");
}

void add_denormals_option(CLI::App& command, bool& flush) {
  command.add_flag("--flush-denormals", flush,
                   "Numbers below 1.2e-38 become 0: faster where there are many");
}

}  // namespace limulus::tools

int main(int argc, char** argv) {
  const auto fail = [](const char* what) {
    limulus::tools::say_error(what);
    return 1;
  };
  try {
    limulus::tools::open_standard_streams();
    // A write beyond `ulimit -f` fails, with a reason, and nothing is lost.
    std::signal(SIGXFSZ, SIG_IGN);
    limulus::explain_lost_mappings();
    limulus::set_note_sink([](const std::string& text) { limulus::tools::say_note(text); });
    return limulus::tools::run(argc, argv);
  } catch (const limulus::Error& e) {
    return fail(e.what());
  } catch (const std::bad_alloc&) {
    return fail("out of memory; try a smaller --batch");
  } catch (const std::filesystem::filesystem_error& e) {
    return fail((e.path1().string() + ": " + e.code().message()).c_str());
  } catch (const std::system_error& e) {  // what fmt::print throws
    if (std::ferror(stdout) == 0) return fail(e.what());
    return fail(("stdout: what was printed could not be written: " + e.code().message()).c_str());
  } catch (const std::exception& e) {
    return fail(e.what());
  } catch (...) {  // of a plugin
    return fail("an exception was thrown that is not a std::exception and has no text");
  }
}
