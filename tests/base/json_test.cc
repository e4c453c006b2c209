#include "base/json.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

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

TEST_CASE("brackets inside strings do not count as nesting", "[base][unit]") {
  const std::string text = "[\"" + std::string(1000, '[') + "\\\"[[\"]";
  CHECK(facet::parse_json(text, "request", {.nesting_depth_max = 1}).has_value());
}

TEST_CASE("dumping bytes that are not UTF-8 replaces them", "[base][unit]") {
  CHECK(facet::json_quote("a\xFF") == "\"a\xEF\xBF\xBD\"");
}
