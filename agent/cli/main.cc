// facet: the program.
#include "agent/cli/commands.h"
#include "agent/cli/console.h"
#include "agent/cli/cut_file.h"
#include "agent/cli/interrupt.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <new>
#include <string>
#include <system_error>
#include <unistd.h>

namespace cli = facet::agent::cli;

namespace {

/// A file that is opened while stdin, stdout or stderr is closed (`>&-`) would get its number, and
/// results would be written into that file. What is put there instead can be neither read nor
/// written, so that whoever tries gets an error.
void hold_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one: those below it are open by now.
    if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

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
  hold_standard_descriptors();
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
