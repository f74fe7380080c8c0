// The `limulus` program. Exit status: 0 done; 1 it failed, with the reason on stderr; 2 the command
// line was not understood.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>

#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

int exit_status = 0;

// A caller may have closed stdin, stdout or stderr. Then the next file to be opened would get that
// number, and what is printed would end up in a checkpoint: /dev/null takes the place.
void open_standard_streams() {
  for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR))
    if (fd > STDERR_FILENO) {
      close(fd);
      return;
    }
}

// What was printed may still wait in a buffer, and the disk below stdout may be full.
void flush_stdout() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw Error("stdout: what was printed could not be written: is the disk full?");
}

int run(int argc, char** argv) {
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
  add_gradcheck(app);
  add_compare(app);
  add_bench(app);
  add_devices(app);
#ifdef LIMULUS_OPENCL
  add_tune(app);
#endif
  add_convert(app);
  add_new(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, error;
    const int status = app.exit(e, out, error);  // help (status 0), or what is wrong
    fmt::print("{}", out.str());
    std::fputs(printable_lines(error.str()).c_str(), stderr);
    flush_stdout();
    return status == 0 ? 0 : 2;
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
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str("f32");
}

void add_denormals_option(CLI::App& command, bool& flush) {
  command.add_flag("--flush-denormals", flush,
                   "Numbers below 1.2e-38 become 0: faster where there are many");
}

}  // namespace limulus::tools

int main(int argc, char** argv) {
  const auto fail = [](const char* what) {
    limulus::tools::say(limulus::tools::red("error:") + " " + limulus::tools::message_text(what));
    return 1;
  };
  try {
    limulus::tools::open_standard_streams();
    // A write beyond `ulimit -f` fails, with a reason, and nothing is lost.
    std::signal(SIGXFSZ, SIG_IGN);
    limulus::explain_lost_mappings();
    return limulus::tools::run(argc, argv);
  } catch (const limulus::Error& e) {
    return fail(e.what());
  } catch (const std::bad_alloc&) {
    return fail("out of memory; try a smaller --batch");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}
