// facet: the program.
#include "agent/cli/commands.h"
#include "agent/cli/console.h"
#include "agent/cli/cut_file.h"
#include "agent/cli/interrupt.h"

int main(int argc, char** argv) {
  namespace cli = facet::agent::cli;
  cli::report_cut_files();
  const cli::Interrupt interrupt;
  cli::Console console;
  const int exit_code =
      cli::run_command_line(argc, argv, {.console = console, .stop = interrupt.token()});
  if (!console.flush() && exit_code == cli::exit_ok) return cli::exit_failed;
  return exit_code;
}
