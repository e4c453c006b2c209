#include "agent/cli/console.h"

#include "tests/support/catch.h"

using namespace facet;
using namespace facet::agent::cli;

TEST_CASE("text from outside cannot drive the terminal", "[agent]") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(printable("plain\ttext\n") == "plain\ttext\n");
  CHECK(printable("\033[2J") == mark + "[2J");
  CHECK(printable("a\rb\x7F") == "a" + mark + "b" + mark);
  CHECK(printable("\xC2\x9B") == mark);  // U+009B, the one-byte escape sequence.
  CHECK(printable("\xE2\x80\xAE"
                  "abc") == mark + "abc");   // U+202E turns the text around.
  CHECK(printable("\xE2\x81\xA6") == mark);  // U+2066 isolates.
  CHECK(printable("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC") == "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC");
  CHECK(printable("\xFF") == mark);
}

TEST_CASE("every kind of error has its exit code", "[agent]") {
  CHECK(exit_code_of(Code::invalid_argument) == 2);
  CHECK(exit_code_of(Code::not_found) == 1);
  CHECK(exit_code_of(Code::invalid_data) == 1);
  CHECK(exit_code_of(Code::unsupported) == 1);
  CHECK(exit_code_of(Code::limit_exceeded) == 3);
  CHECK(exit_code_of(Code::permission_denied) == 4);
  CHECK(exit_code_of(Code::unavailable) == 5);
  CHECK(exit_code_of(Code::timeout) == 124);
  CHECK(exit_code_of(Code::cancelled) == 130);
  CHECK(exit_code_of(Code::internal) == 1);
}
