#include "tools/typed.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace trip {

enum class Cabin { economy, business };
FACET_ENUM(Cabin, {Cabin::economy, "economy"}, {Cabin::business, "business"})

struct Guest {
  std::string name;
  std::uint8_t age = 0;
};
FACET_FIELDS(Guest, FACET_FIELD(name, "Full name.", {.length_min = 1}), FACET_FIELD(age, ""))

struct TravelArgs {
  std::string city;
  int nights = 1;
  double budget = 0;
  bool refundable = false;
  std::optional<Cabin> cabin;
  std::vector<Guest> guests;
};
FACET_FIELDS(TravelArgs,
             FACET_FIELD(city, "Where to go."),
             FACET_FIELD(nights, "How many nights.", {.minimum = 1, .maximum = 30}),
             FACET_FIELD(budget, "In EUR.", {.minimum = 0.5}),
             FACET_FIELD(refundable, ""),
             FACET_FIELD(cabin, "Class of travel."),
             FACET_FIELD(guests, "Who travels.", {.length_max = 4}))

struct Wide {
  std::int64_t a = 0;
  std::uint64_t b = 0;
  std::optional<std::int16_t> c;
};
FACET_FIELDS(Wide, FACET_FIELD(a, ""), FACET_FIELD(b, ""), FACET_FIELD(c, ""))

struct NoArgs {};
FACET_FIELDS(NoArgs)

struct Narrow {
  float part = 0;
};
FACET_FIELDS(Narrow, FACET_FIELD(part, ""))

}  // namespace trip

namespace {

using facet::Code;
using facet::Error;
using facet::Result;
using facet::tools::CallContext;
using facet::tools::make_tool;
using Json = nlohmann::ordered_json;

const Json kTrip = Json::parse(R"({"city":"Oslo","nights":3,"budget":900.5,"refundable":true,
    "cabin":"business","guests":[{"name":"Ada","age":36},{"name":"Bo","age":9}]})");

template <typename Callable>
std::string result_of(Callable callable) {
  const auto tool = make_tool<trip::TravelArgs>("t", "T.", callable);
  const auto result = tool->call(kTrip, CallContext{});
  return result ? facet::dump_json(*result) : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("the schema of a struct is derived from its types, in order", "[tools][unit]") {
  const Json expected = Json::parse(R"({"type":"object","properties":{
    "city":{"type":"string","description":"Where to go."},
    "nights":{"type":"integer","description":"How many nights.","minimum":1,"maximum":30},
    "budget":{"type":"number","description":"In EUR.","minimum":0.5},
    "refundable":{"type":"boolean"},
    "cabin":{"type":"string","description":"Class of travel.","enum":["economy","business"]},
    "guests":{"type":"array","description":"Who travels.","items":{"type":"object","properties":{
        "name":{"type":"string","description":"Full name.","minLength":1},
        "age":{"type":"integer","minimum":0,"maximum":255}},
      "required":["name","age"],"additionalProperties":false},"maxItems":4}},
    "required":["city","nights","budget","refundable","guests"],"additionalProperties":false})");
  CHECK(facet::tools::schema_of<trip::TravelArgs>() == facet::dump_json(expected));
}

TEST_CASE("derived schemas compile and accept what the struct can hold", "[tools][unit]") {
  const auto schema =
      facet::tools::Schema::compile_text(facet::tools::schema_of<trip::TravelArgs>());
  REQUIRE(schema.has_value());
  CHECK_FALSE(schema->check(kTrip).has_value());
}

TEST_CASE("arguments become a struct", "[tools][unit]") {
  const auto args = facet::tools::arguments_as<trip::TravelArgs>(kTrip);
  REQUIRE(args.has_value());
  CHECK(args->city == "Oslo");
  CHECK(args->nights == 3);
  CHECK(args->budget == 900.5);
  CHECK(args->refundable);
  CHECK(args->cabin == trip::Cabin::business);
  REQUIRE(args->guests.size() == 2);
  CHECK(args->guests[1].name == "Bo");
  CHECK(args->guests[1].age == 9);
}

TEST_CASE("integers keep all 64 bits and are refused beyond their type", "[tools][unit]") {
  const auto read = [](const char* text) {
    return facet::tools::arguments_as<trip::Wide>(Json::parse(text));
  };
  const auto widest = read(R"({"a":-9223372036854775808,"b":18446744073709551615})");
  REQUIRE(widest.has_value());
  CHECK(widest->a == std::numeric_limits<std::int64_t>::min());
  CHECK(widest->b == std::numeric_limits<std::uint64_t>::max());
  CHECK_FALSE(widest->c.has_value());
  CHECK(read(R"({"a":2.0,"b":1})").has_value());
  struct Row {
    const char* text;
    const char* message;
  };
  const Row row = GENERATE(values<Row>({
      {R"({"a":9223372036854775808,"b":0})", "/a is beyond the range of its type"},
      {R"({"a":1.5,"b":0})", "/a must be an integer"},
      {R"({"a":1,"b":-1})", "/b is beyond the range of its type"},
      {R"({"a":1,"b":0,"c":40000})", "/c is beyond the range of its type"},
      {R"({"a":1})", "/b is missing"},
      {R"({"a":"1","b":0})", "/a must be an integer"},
  }));
  const auto refused = read(row.text);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::invalid_argument);
  CHECK(refused.error().message == row.message);
}

TEST_CASE("a number beyond a float is refused, not infinite", "[tools][unit]") {
  const auto read = [](const char* text) {
    return facet::tools::arguments_as<trip::Narrow>(Json::parse(text));
  };
  CHECK(read(R"({"part":3.4e38})").has_value());
  CHECK(read(R"({"part":-0.1})")->part == -0.1F);
  for (const char* text : {R"({"part":1e39})", R"({"part":-1e308})"}) {
    const auto refused = read(text);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message == "/part is beyond the range of its type");
  }
}

TEST_CASE("a float comes back with the digits it was given", "[tools][unit]") {
  const auto tool = facet::tools::make_tool<trip::Narrow>(
      "echo", "Echoes.", [](const trip::Narrow& args) { return args; });
  const auto result = tool->call(Json::parse(R"({"part":0.1})"), {});
  REQUIRE(result.has_value());
  CHECK(facet::dump_json(*result) == R"({"part":0.1})");
}

TEST_CASE("a tool may have no arguments", "[tools][unit]") {
  CHECK(facet::tools::schema_of<trip::NoArgs>() ==
        R"({"type":"object","properties":{},"additionalProperties":false})");
  const auto tool = facet::tools::make_tool<trip::NoArgs>(
      "ping", "Answers.", [](const trip::NoArgs&) { return "pong"; });
  const auto result = tool->call(Json::object(), {});
  REQUIRE(result.has_value());
  CHECK(facet::dump_json(*result) == R"({"result":"pong"})");
}

TEST_CASE("what a callable returns becomes JSON", "[tools][unit]") {
  CHECK(result_of([](const trip::TravelArgs& args) { return args.city; }) ==
        R"({"result":"Oslo"})");
  CHECK(result_of([](const trip::TravelArgs& args) { return args.nights * 2; }) ==
        R"({"result":6})");
  CHECK(result_of([](const trip::TravelArgs& args) { return args.budget; }) ==
        R"({"result":900.5})");
  CHECK(result_of([](const trip::TravelArgs& args) { return args.refundable; }) ==
        R"({"result":true})");
  CHECK(result_of([](const trip::TravelArgs& args) { return args.guests[0]; }) ==
        R"({"name":"Ada","age":36})");
  CHECK(result_of([](const trip::TravelArgs& args) { return args.guests; }) ==
        R"({"result":[{"name":"Ada","age":36},{"name":"Bo","age":9}]})");
  CHECK(result_of([](const trip::TravelArgs& args) { return *args.cabin; }) ==
        R"({"result":"business"})");
  CHECK(result_of([](const trip::TravelArgs&) {
          return std::vector<bool>{true, false};
        }) == R"({"result":[true,false]})");
  CHECK(result_of([](const trip::TravelArgs&) { return facet::tools::JsonText{"[1, 2]"}; }) ==
        "[1,2]");
  CHECK(result_of([](const trip::TravelArgs&) {}) == R"({"result":"done"})");
  CHECK(result_of([](const trip::TravelArgs&) -> facet::Status { return facet::ok(); }) ==
        R"({"result":"done"})");
  CHECK(result_of([](const trip::TravelArgs&, const CallContext& context) -> Result<std::uint64_t> {
          return std::uint64_t{context.output_bytes_max};
        }) == R"({"result":65536})");
  CHECK(result_of([](const trip::TravelArgs&) -> Result<int> {
          return Error{Code::not_found, "no room"};
        }) == "error: no room");
  CHECK(result_of([](const trip::TravelArgs&) { return std::string("a\xFF"); }) ==
        "{\"result\":\"a\xEF\xBF\xBD\"}");
}

TEST_CASE("a result that JSON cannot hold is an error", "[tools][unit]") {
  CHECK(result_of([](const trip::TravelArgs&) {
          return std::numeric_limits<double>::infinity();
        }) == "error: t: the result is not a finite number");
  CHECK(result_of([](const trip::TravelArgs&) {
          return facet::tools::JsonText{"{"};
        }).find("error: t: the result is not JSON") == 0);
}
