// A mapped file that another process has cut short: reading what is gone raises SIGBUS.
#pragma once

namespace facet::agent::cli {

/// From now on such a read ends the program with exit code 5 and one line on stderr that names the
/// file, in place of a death by signal. A SIGBUS of any other cause still kills. Call once, in
/// main.
void report_cut_files();

}  // namespace facet::agent::cli
