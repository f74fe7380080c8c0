// The `limulus` program. Exit status: 0 done; 1 it failed, with the reason on stderr; 2 the command
// line was not understood.
#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <new>

#include "core/error.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

int exit_status = 0;

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
  add_gradcheck(app);
  add_bench(app);
  add_devices(app);
  add_convert(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int status = app.exit(e);  // prints help (status 0) or what is wrong
    return status == 0 ? 0 : 2;
  }
  return exit_status;
}

}  // namespace

void set_exit_status(int status) { exit_status = status; }

}  // namespace limulus::tools

int main(int argc, char** argv) {
  const auto fail = [](const char* what) {
    fmt::print(stderr, "{} {}\n", limulus::tools::red("error:"), what);
    return 1;
  };
  try {
    return limulus::tools::run(argc, argv);
  } catch (const limulus::Error& e) {
    return fail(e.what());
  } catch (const std::bad_alloc&) {
    return fail("out of memory; try a smaller --batch");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}
