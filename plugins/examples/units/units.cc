// The example plugin: convert_units, between units of length, mass, temperature, volume, speed and
// data.
#include "facet_plugin.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

/// A unit of a quantity: value in the base unit = factor * value + shift. Sources of factors: the
/// SI brochure; the international yard and pound agreement of 1959 (exact); US customary volumes.
struct Unit {
  std::string_view quantity;
  std::string_view name;
  std::string_view other_name;
  long double factor;  ///< Long, so that 15 digits of a double come out right.
  long double shift = 0;
};

constexpr std::array<Unit, 39> kUnits{{
    {"length", "m", "meter", 1L},
    {"length", "km", "kilometer", 1000L},
    {"length", "cm", "centimeter", 0.01L},
    {"length", "mm", "millimeter", 0.001L},
    {"length", "mi", "mile", 1609.344L},
    {"length", "yd", "yard", 0.9144L},
    {"length", "ft", "foot", 0.3048L},
    {"length", "in", "inch", 0.0254L},
    {"length", "nmi", "nautical mile", 1852L},
    {"mass", "kg", "kilogram", 1L},
    {"mass", "g", "gram", 0.001L},
    {"mass", "mg", "milligram", 0.000001L},
    {"mass", "t", "tonne", 1000L},
    {"mass", "lb", "pound", 0.45359237L},
    {"mass", "oz", "ounce", 0.028349523125L},
    {"temperature", "K", "kelvin", 1L},
    {"temperature", "C", "celsius", 1L, 273.15L},
    {"temperature", "F", "fahrenheit", 5.0L / 9.0L, 459.67L * 5.0L / 9.0L},
    {"volume", "l", "liter", 1L},
    {"volume", "ml", "milliliter", 0.001L},
    {"volume", "m3", "cubic meter", 1000L},
    {"volume", "gal", "gallon", 3.785411784L},
    {"volume", "qt", "quart", 0.946352946L},
    {"volume", "pt", "pint", 0.473176473L},
    {"volume", "cup", "cup", 0.2365882365L},
    {"volume", "floz", "fluid ounce", 0.0295735295625L},
    {"speed", "m/s", "meter per second", 1L},
    {"speed", "km/h", "kilometer per hour", 1000.0L / 3600.0L},
    {"speed", "mph", "mile per hour", 0.44704L},
    {"speed", "kn", "knot", 1852.0L / 3600.0L},
    {"data", "B", "byte", 1L},
    {"data", "kB", "kilobyte", 1e3L},
    {"data", "MB", "megabyte", 1e6L},
    {"data", "GB", "gigabyte", 1e9L},
    {"data", "TB", "terabyte", 1e12L},
    {"data", "KiB", "kibibyte", 1024L},
    {"data", "MiB", "mebibyte", 1048576L},
    {"data", "GiB", "gibibyte", 1073741824L},
    {"data", "TiB", "tebibyte", 1099511627776L},
}};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

/// "Miles", "feet", "degrees Celsius" and "\u00B0C" as the names in the table.
std::string plain_name(std::string_view text) {
  std::string name = lower(text);
  for (const std::string_view prefix : {"degrees ", "degree ", "\xC2\xB0"}) {
    if (name.rfind(prefix, 0) == 0) name.erase(0, prefix.size());
  }
  std::replace(name.begin(), name.end(), '_', ' ');
  if (name == "feet") return "foot";
  if (name == "inches") return "inch";
  if (const std::size_t at = name.find("s per "); at != std::string::npos) name.erase(at, 1);
  for (const std::string_view british : {"metre", "litre"}) {
    const std::size_t at = name.find(british);
    if (at != std::string::npos) name.replace(at + british.size() - 2, 2, "er");
  }
  const bool plural = name.size() > 3 && name.back() == 's' && name != "celsius";
  return plural ? name.substr(0, name.size() - 1) : name;
}

/// By exact symbol first, because kB and KB or mm and MM may differ; then by name in any case.
const Unit* find_unit(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (text == unit.name) return &unit;
  }
  const std::string name = plain_name(text);
  for (const Unit& unit : kUnits) {
    if (name == unit.other_name || name == lower(unit.name)) return &unit;
  }
  return nullptr;
}

const Unit& known_unit(const std::string& text) {
  if (const Unit* unit = find_unit(text)) return *unit;
  std::string known;
  for (const Unit& unit : kUnits) {
    known += ' ';  // Not " " + name: GCC 12 warns of that sum at -O3 although it is right.
    known += unit.name;
  }
  throw std::invalid_argument("unknown unit \"" + text + "\"; known are" + known);
}

std::string convert_units(const facet_plugin_cpp::Arguments& arguments,
                          const facet_plugin_cpp::Call&) {
  const Unit& from = known_unit(arguments.text("from"));
  const Unit& to = known_unit(arguments.text("to"));
  if (from.quantity != to.quantity) {
    throw std::invalid_argument(std::string(from.name) + " is a " + std::string(from.quantity) +
                                ", " + std::string(to.name) + " is a " + std::string(to.quantity));
  }
  const long double base = arguments.number("value") * from.factor + from.shift;
  const auto value = static_cast<double>((base - to.shift) / to.factor);
  return R"({"result":)" + facet_plugin_cpp::json_number(value) + R"(,"unit":)" +
         facet_plugin_cpp::json_text(to.name) + "}";
}

}  // namespace

FACET_PLUGIN("units",
             "1.0",
             {"convert_units",
              "Converts a value between units.",
              R"({"type":"object","properties":{
                "value":{"type":"number","description":"The number to convert."},
                "from":{"type":"string","description":"The unit it has, like km."},
                "to":{"type":"string","description":"The unit to convert to, like mi."}},
                "required":["value","from","to"],"additionalProperties":false})",
              convert_units})
