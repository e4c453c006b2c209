// The example plugin, used as a host uses it.
#include "base/json.h"
#include "plugins/loader.h"
#include "tests/support/catch.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <string>
#include <tuple>

namespace {

using Json = nlohmann::ordered_json;

std::string convert(double value, const std::string& from, const std::string& to) {
  const auto plugin = facet::plugins::load_plugin(FACET_UNITS_PLUGIN);
  if (!plugin) FAIL(plugin.error().message);
  const auto result = plugin->tools.at(0)->call({{"value", value}, {"from", from}, {"to", to}}, {});
  return result ? facet::dump_json(*result) : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("convert_units converts within a quantity", "[plugins][unit]") {
  const auto row = GENERATE(table<double, std::string, std::string, std::string>({
      {42.195, "km", "mi", R"({"result":26.2187574564543,"unit":"mi"})"},
      {6, "feet", "cm", R"({"result":182.88,"unit":"cm"})"},
      {1, "Mile", "Kilometres", R"({"result":1.609344,"unit":"km"})"},
      {180, "F", "C", R"({"result":82.2222222222222,"unit":"C"})"},
      {-40, "degrees Celsius", "fahrenheit", R"({"result":-40,"unit":"F"})"},
      {0,
       "\xC2\xB0"
       "C",
       "kelvin",
       R"({"result":273.15,"unit":"K"})"},
      {10, "lb", "kg", R"({"result":4.5359237,"unit":"kg"})"},
      {2, "gallons", "liters", R"({"result":7.570823568,"unit":"l"})"},
      {100, "km/h", "mph", R"({"result":62.1371192237334,"unit":"mph"})"},
      {36, "kilometers per hour", "m/s", R"({"result":10,"unit":"m/s"})"},
      {1, "GiB", "MB", R"({"result":1073.741824,"unit":"MB"})"},
      {3, "inches", "mm", R"({"result":76.2,"unit":"mm"})"},
  }));
  CHECK(convert(std::get<0>(row), std::get<1>(row), std::get<2>(row)) == std::get<3>(row));
}

TEST_CASE("convert_units says what it cannot convert", "[plugins][unit]") {
  CHECK(convert(1, "km", "kg") == "error: km is a length, kg is a mass");
  CHECK(convert(1, "parsec", "km").find("error: unknown unit \"parsec\"; known are m km") == 0);
  CHECK(convert(1e308, "TiB", "B") == "error: the result is not a finite number");
}

TEST_CASE("the schema of convert_units accepts its arguments only", "[plugins][unit]") {
  const auto plugin = facet::plugins::load_plugin(FACET_UNITS_PLUGIN);
  REQUIRE(plugin.has_value());
  const auto schema = facet::tools::Schema::compile_text(plugin->tools.at(0)->spec().parameters);
  REQUIRE(schema.has_value());
  CHECK_FALSE(schema->check(Json::parse(R"({"value":1,"from":"km","to":"mi"})")).has_value());
  CHECK(schema->check(Json::parse(R"({"value":"1","from":"km","to":"mi"})")).has_value());
  CHECK(schema->check(Json::parse(R"({"value":1,"from":"km"})")).has_value());
}
