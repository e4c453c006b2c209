#include "plugins/facet_plugin.hpp"

#include "tests/support/catch.h"

#include <limits>
#include <stdexcept>
#include <string>

namespace {

using facet_plugin_cpp::Arguments;
using facet_plugin_cpp::json_number;
using facet_plugin_cpp::json_text;

}  // namespace

TEST_CASE("arguments are read by name and type", "[plugins][unit]") {
  const Arguments arguments(
      R"({"name":"A \"b\" \u00fc \ud83d\ude00 \n","n":-1.5e3,"yes":true,"no":false,)"
      R"("list":[1,{"a":"]}"}],"nothing":null, "spaced" : 7 })");
  CHECK(arguments.text("name") == "A \"b\" \xC3\xBC \xF0\x9F\x98\x80 \n");
  CHECK(arguments.number("n") == -1500);
  CHECK(arguments.boolean("yes"));
  CHECK_FALSE(arguments.boolean("no"));
  CHECK(arguments.raw("list") == R"([1,{"a":"]}"}])");
  CHECK(arguments.raw("nothing") == "null");
  CHECK(arguments.number("spaced") == 7);
  CHECK(arguments.has("list"));
  CHECK_FALSE(arguments.has("name2"));
  CHECK_FALSE(Arguments("{}").has("a"));
}

TEST_CASE("arguments of another type or shape throw", "[plugins][unit]") {
  const Arguments arguments(R"({"a":"x","b":1})");
  CHECK_THROWS_AS(arguments.number("a"), std::invalid_argument);
  CHECK_THROWS_AS(arguments.text("b"), std::invalid_argument);
  CHECK_THROWS_AS(arguments.boolean("b"), std::invalid_argument);
  CHECK_THROWS_AS(arguments.raw("c"), std::invalid_argument);
  const std::string text = GENERATE("",
                                    "[",
                                    "{",
                                    R"({"a)",
                                    R"({"a":)",
                                    R"({"a":1)",
                                    R"({"a":"\q"})",
                                    R"({"a":"\ud800"})",
                                    R"({"a" 1})");
  INFO(text);
  CHECK_THROWS_AS(Arguments(text).text("a"), std::invalid_argument);
}

TEST_CASE("results are written as JSON", "[plugins][unit]") {
  CHECK(json_text("a\"b\\c\n\xC3\xBC") == "\"a\\\"b\\\\c\\u000a\xC3\xBC\"");
  CHECK(json_number(560) == "560");
  CHECK(json_number(0.1 + 0.2) == "0.3");
  CHECK(json_number(-2.5) == "-2.5");
  CHECK_THROWS_AS(json_number(std::numeric_limits<double>::quiet_NaN()), std::range_error);
  CHECK_THROWS_AS(json_number(std::numeric_limits<double>::infinity()), std::range_error);
}
