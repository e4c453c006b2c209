// facet: the program.
#include "agent/cli/commands.h"
#include "agent/cli/console.h"
#include "agent/cli/cut_file.h"
#include "agent/cli/interrupt.h"

#include <cstdio>
#include <new>
#include <string>
#include <system_error>

namespace cli = facet::agent::cli;

namespace {

int run(int argc, char** argv) {
  cli::report_cut_files();
  const cli::Interrupt interrupt;
  cli::Console console;
  const int exit_code =
      cli::run_command_line(argc, argv, {.console = console, .stop = interrupt.token()});
  if (!console.flush() && exit_code == cli::exit_ok) return cli::exit_failed;
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing of ours throws, but the standard library does where the system has nothing left to
  // give.
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("facet: out of memory\n", stderr);
  } catch (const std::system_error& error) {
    std::fputs(("facet: the system starts no thread: " + std::string(error.what()) + "\n").c_str(),
               stderr);
  }
  return cli::exit_unavailable;
}
