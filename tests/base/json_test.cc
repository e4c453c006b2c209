#include "base/json.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <iterator>
#include <random>
#include <string>

TEST_CASE("JSON objects keep the order of their keys", "[base][unit]") {
  const auto value = facet::parse_json(R"({"b":1,"a":[true,null]})", "request");
  REQUIRE(value.has_value());
  CHECK(facet::dump_json(*value) == R"({"b":1,"a":[true,null]})");
}

TEST_CASE("JSON that is broken, too long or too deep is refused with its source", "[base][unit]") {
  const auto broken = facet::parse_json("{\"a\":", "request");
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().code == facet::Code::invalid_data);
  CHECK(broken.error().message.find("request is not JSON") == 0);

  const std::string deep(100'000, '[');
  const auto too_deep = facet::parse_json(deep, "request");
  REQUIRE_FALSE(too_deep.has_value());
  CHECK(too_deep.error().code == facet::Code::limit_exceeded);

  const auto too_long = facet::parse_json("[1,2,3]", "request", {.bytes_max = 3});
  REQUIRE_FALSE(too_long.has_value());
  CHECK(too_long.error().code == facet::Code::limit_exceeded);
}

TEST_CASE("a key that is given twice keeps its place and takes the last value", "[base][unit]") {
  CHECK(facet::dump_json(*facet::parse_json(R"({"a":1,"b":[2],"a":{"c":3}})", "request")) ==
        R"({"a":{"c":3},"b":[2]})");
}

TEST_CASE("numbers that no double holds are refused", "[base][unit]") {
  const auto large = facet::parse_json(R"({"a":1e400})", "request");
  REQUIRE_FALSE(large.has_value());
  CHECK(large.error().code == facet::Code::invalid_data);
  CHECK(facet::dump_json(*facet::parse_json("[18446744073709551615,-0]", "request")) ==
        "[18446744073709551615,0]");
}

TEST_CASE("an object of very many keys is read in linear time", "[base][unit]") {
  // 200,000 keys took over a minute when each was compared with all before it: a tool result of two
  // megabytes would have stopped the process.
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"" + std::to_string(i % 199'999) + "\":1,";
  text.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  const auto value = facet::parse_json(text, "request");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  REQUIRE(value.has_value());
  CHECK(value->size() == 199'999);
}

TEST_CASE("random JSON reads as the library reads it", "[base][unit]") {
  std::mt19937 random(7);
  const auto below = [&random](unsigned bound) { return static_cast<unsigned>(random() % bound); };
  static const char* const kParts[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ":",
                                       ",",
                                       "\"a\"",
                                       "\"b\"",
                                       "1",
                                       "-0.5",
                                       "true",
                                       "null",
                                       "\"\\ud800\"",
                                       " ",
                                       "1e999",
                                       "\xFF"};
  int read = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string text;
    for (unsigned n = below(12); n > 0; --n) text += kParts[below(std::size(kParts))];
    // Half of them are made well-formed more often than chance would.
    if (i % 2 == 0) text = R"({"a":[)" + text + R"(],"b":{"a":1,"a":2}})";
    INFO(text);
    const auto mine = facet::parse_json(text, "request");
    const auto theirs = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    REQUIRE(mine.has_value() == !theirs.is_discarded());
    if (mine) REQUIRE(facet::dump_json(*mine) == theirs.dump());
    read += mine.has_value() ? 1 : 0;
  }
  CHECK(read > 1000);
}

TEST_CASE("brackets inside strings do not count as nesting", "[base][unit]") {
  const std::string text = "[\"" + std::string(1000, '[') + "\\\"[[\"]";
  CHECK(facet::parse_json(text, "request", {.nesting_depth_max = 1}).has_value());
}

TEST_CASE("dumping bytes that are not UTF-8 replaces them", "[base][unit]") {
  CHECK(facet::json_quote("a\xFF") == "\"a\xEF\xBF\xBD\"");
}
