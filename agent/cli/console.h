// Console: the only place that writes to the terminal. Results go to stdout, progress and errors to
// stderr; colour and bars only where a person looks.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdio>
#include <stop_token>
#include <string>
#include <string_view>

namespace facet::agent::cli {

/// The exit codes of every command; `facet --help` lists them.
enum ExitCode : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_limit = 3,
  exit_approval = 4,
  exit_unavailable = 5,
  exit_timeout = 124,
  exit_interrupted = 130,
};
int exit_code_of(Code code);

/// `text` with control characters and direction overrides made visible, so that documents and tools
/// cannot drive the terminal. Newlines and tabs stay.
std::string printable(std::string_view text);

enum class Style { plain, dim, bold, green, yellow, cyan };

/// Not thread-safe. Output that cannot be written (a closed pipe) is remembered, not repeated.
class Console {
 public:
  /// Looks at the terminals, NO_COLOR and TERM.
  Console();

  void out(std::string_view text);
  void out_line(std::string_view text);
  /// One line; it is out when this returns, so that a program at the other end of a pipe can
  /// answer.
  void out_json(const nlohmann::ordered_json& value, bool is_pretty = false);
  /// `text` in a style where stdout is a terminal with colours.
  [[nodiscard]] std::string styled(Style style, std::string_view text) const;

  /// A line on stderr: "facet: warning: ...".
  void warn(std::string_view text);
  /// A line on stderr: what is going on.
  void note(std::string_view text);
  /// "facet: <message>" on stderr and, for a command that prints JSON, {"error": {"code",
  /// "message"}} on stdout. The exit code of the error.
  int fail(const Error& error, bool is_json);
  int fail(const Error& error, bool is_json, int exit_code);

  /// Draws a bar with `label` on stderr, only when it is a terminal.
  void progress(std::size_t done, std::size_t total, std::string_view label);
  /// Wipes the bar.
  void end_progress();

  [[nodiscard]] bool is_stdout_terminal() const { return is_stdout_terminal_; }
  [[nodiscard]] bool is_stderr_terminal() const { return is_stderr_terminal_; }
  /// True once something could not be written to stdout: what follows would be for nobody.
  [[nodiscard]] bool is_broken() const { return is_broken_; }
  /// False once something could not be written to stdout; why is said on stderr, once, unless the
  /// reader has just gone away.
  [[nodiscard]] bool flush();

  /// All of stdin. limit_exceeded beyond `bytes_max`, cancelled when a stop is asked for.
  [[nodiscard]] static Result<std::string> read_stdin(const std::stop_token& stop = {},
                                                      std::size_t bytes_max = 64U << 20U);
  /// One line of stdin without its end, and no byte of the next one. At the end of the input what
  /// there is. Errors as read_stdin.
  [[nodiscard]] static Result<std::string> read_line(const std::stop_token& stop,
                                                     std::size_t bytes_max = 4096);

 private:
  void write(std::FILE* file, std::string_view text);
  void flush_out();

  bool is_stdout_terminal_;
  bool is_stderr_terminal_;
  bool has_colour_;
  bool has_progress_ = false;
  bool is_broken_ = false;
  int write_error_ = 0;  ///< errno of the write that failed, until it is reported.
};

}  // namespace facet::agent::cli
