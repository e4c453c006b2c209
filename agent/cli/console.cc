#include "agent/cli/console.h"

#include "agent/events.h"
#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <span>
#include <unistd.h>

namespace facet::agent::cli {

namespace {

constexpr std::size_t kBarCells = 24;
constexpr int kStopPollMs = 100;

/// Reads what there is of stdin, at most `bytes`; 0 at its end.
Result<std::size_t> read_some(std::span<char> bytes, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd fd{.fd = STDIN_FILENO, .events = POLLIN};
    const int ready = ::poll(&fd, 1, kStopPollMs);
    if (ready == 0) continue;
    const ssize_t got = ready < 0 ? -1 : ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) {
      return Error{Code::unavailable, std::string("stdin cannot be read: ") + std::strerror(errno)};
    }
  }
  return Error{Code::cancelled, "interrupted while reading stdin"};
}

Error too_much_input(std::size_t bytes_max) {
  return Error{Code::limit_exceeded,
               "stdin holds more than " + std::to_string(bytes_max) + " bytes"};
}

/// Characters that move the cursor, change the direction of text or hide it.
bool is_unsafe(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) {
    return (byte(0) < 0x20 && byte(0) != '\n' && byte(0) != '\t') || byte(0) == 0x7F;
  }
  if (character.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;  // U+0080 to U+009F
  if (character.size() != 3 || byte(0) != 0xE2) return false;
  const bool is_embedding = byte(1) == 0x80 && byte(2) >= 0xAA && byte(2) <= 0xAE;
  const bool is_isolate = byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;
  return is_embedding || is_isolate;
}

std::string_view style_code(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::dim:
      return "\033[2m";
    case Style::bold:
      return "\033[1m";
    case Style::green:
      return "\033[32m";
    case Style::yellow:
      return "\033[33m";
    case Style::cyan:
      return "\033[36m";
  }
  return "";
}

}  // namespace

int exit_code_of(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return exit_usage;
    case Code::limit_exceeded:
      return exit_limit;
    case Code::permission_denied:
      return exit_approval;
    case Code::unavailable:
      return exit_unavailable;
    case Code::timeout:
      return exit_timeout;
    case Code::cancelled:
      return exit_interrupted;
    case Code::not_found:
    case Code::invalid_data:
    case Code::unsupported:
    case Code::internal:
      return exit_failed;
  }
  return exit_failed;
}

std::string printable(std::string_view text) {
  const std::string valid = to_valid_utf8(text);
  std::string out;
  out.reserve(valid.size());
  std::size_t at = 0;
  while (at < valid.size()) {
    const std::size_t length = std::max<std::size_t>(utf8_length_at(valid, at), 1);
    const std::string_view character = std::string_view(valid).substr(at, length);
    if (is_unsafe(character)) {
      out += "\xEF\xBF\xBD";
    } else {
      out += character;
    }
    at += length;
  }
  return out;
}

Console::Console()
    : is_stdout_terminal_(::isatty(STDOUT_FILENO) == 1),
      is_stderr_terminal_(::isatty(STDERR_FILENO) == 1) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool is_dumb = term != nullptr && std::string_view(term) == "dumb";
  has_colour_ = is_stdout_terminal_ && (no_colour == nullptr || *no_colour == '\0') && !is_dumb;
}

void Console::write(std::FILE* file, std::string_view text) {
  errno = 0;
  const std::size_t written = std::fwrite(text.data(), 1, text.size(), file);
  if (written == text.size() || file != stdout) return;
  is_broken_ = true;
  write_error_ = errno;
}

void Console::flush_out() {
  if (is_broken_) return;
  errno = 0;
  if (std::fflush(stdout) == 0) return;
  is_broken_ = true;
  write_error_ = errno;
}

void Console::out(std::string_view text) {
  if (is_broken_) return;
  write(stdout, text);
  // A person watches text stream in; a pipe gets it in blocks.
  if (is_stdout_terminal_) flush_out();
}

void Console::out_line(std::string_view text) {
  out(text);
  out("\n");
}

void Console::out_json(const nlohmann::ordered_json& value, bool is_pretty) {
  out_line(dump_json(value, is_pretty ? 2 : -1));
  flush_out();
}

std::string Console::styled(Style style, std::string_view text) const {
  if (!has_colour_ || style == Style::plain) return std::string(text);
  return std::string(style_code(style)) + std::string(text) + "\033[0m";
}

void Console::warn(std::string_view text) {
  end_progress();
  write(stderr, "facet: warning: " + printable(text) + "\n");
}

void Console::note(std::string_view text) {
  end_progress();
  write(stderr, printable(text) + "\n");
}

int Console::fail(const Error& error, bool is_json) {
  return fail(error, is_json, exit_code_of(error.code));
}

int Console::fail(const Error& error, bool is_json, int exit_code) {
  end_progress();
  std::string message = printable(error.message);
  std::replace(message.begin(), message.end(), '\n', ' ');
  write(stderr, "facet: " + message + "\n");
  if (is_json) out_json({{"error", error_json(error)}});
  return exit_code;
}

void Console::progress(std::size_t done, std::size_t total, std::string_view label) {
  if (!is_stderr_terminal_) return;
  has_progress_ = true;
  const std::size_t filled = total == 0 ? 0 : kBarCells * std::min(done, total) / total;
  const std::string bar = std::string(filled, '#') + std::string(kBarCells - filled, '.');
  const std::string counts = total == 0 ? "" : std::to_string(done) + "/" + std::to_string(total);
  write(stderr,
        "\r\033[K[" + bar + "] " + counts + " " + std::string(utf8_prefix(printable(label), 40)));
  std::fflush(stderr);
}

void Console::end_progress() {
  if (!has_progress_) return;
  has_progress_ = false;
  write(stderr, "\r\033[K");
  std::fflush(stderr);
}

bool Console::flush() {
  flush_out();
  if (write_error_ != 0 && write_error_ != EPIPE) {
    write(stderr, std::string("facet: stdout: ") + std::strerror(write_error_) + "\n");
  }
  write_error_ = 0;
  return !is_broken_;
}

Result<std::string> Console::read_stdin(const std::stop_token& stop, std::size_t bytes_max) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    FACET_TRY(const std::size_t got, read_some(buffer, stop));
    if (got == 0) return text;
    text.append(buffer.data(), got);
    if (text.size() > bytes_max) return too_much_input(bytes_max);
  }
}

Result<std::string> Console::read_line(const std::stop_token& stop, std::size_t bytes_max) {
  std::string line;
  std::array<char, 1> byte{};
  while (true) {
    FACET_TRY(const std::size_t got, read_some(byte, stop));
    if (got == 0 || byte[0] == '\n') return line;
    line += byte[0];
    if (line.size() > bytes_max) return too_much_input(bytes_max);
  }
}

}  // namespace facet::agent::cli
