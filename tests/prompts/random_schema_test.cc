// Random schemas: whatever the grammar lets a model write is an instance, and every instance of the
// kind the schema was made for is let through. FACET_SCHEMAS sets how many (10,000 for the bar).
#include "base/grammar/schema_grammar.h"
#include "base/json.h"
#include "prompts/python_text.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace facet::grammar {
namespace {

using Json = nlohmann::ordered_json;

/// A schema and one of its instances, made together.
struct Pair {
  Json schema;
  Json instance;
};

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : engine_(seed) {}

  Pair make(int depth) {
    switch (below(depth > 0 ? 13 : 8)) {
      case 0:
        return integer();
      case 1:
        return number();
      case 2:
        return string();
      case 3:
        return pattern();
      case 4:
        return enumeration();
      case 5:
        return {{{"type", "boolean"}}, below(2) == 0};
      case 6:
        return format();
      case 7:
        return {{{"type", Json::array({"null", "integer"})}}, nullptr};
      case 8:
        return array(depth);
      case 9:
        return tuple(depth);
      case 10:
        return either(depth);
      case 11:
        return merged(depth);
      default:
        return object(depth);
    }
  }

 private:
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(bound)); }

  std::string text() {
    static const std::vector<std::string> parts{
        "a", "b", " ", "\"", "\\", "\n", "<", "{", "}", ",", ":", "é", "😀", "0", "/", "\x01"};
    std::string out;
    for (int i = below(6); i > 0; --i) out += parts[static_cast<std::size_t>(below(16))];
    return out;
  }

  Pair integer() {
    const int low = below(2000) - 1000;
    const int high = low + below(1500);
    const int value = low + below(high - low + 1);
    Json schema{{"type", "integer"}};
    if (below(2) == 0) schema["minimum"] = low;
    if (below(2) == 0) schema["maximum"] = high;
    if (below(4) == 0) schema["exclusiveMaximum"] = high + 1;
    if (below(4) == 0 && value != 0 && std::abs(value) < 900) {
      schema["multipleOf"] = std::abs(value);
    }
    return {schema, value};
  }

  Pair number() {
    const double low = (below(4000) - 2000) / 8.0;
    const double high = low + below(1000) / 8.0 + 0.125;
    Json schema{{"type", "number"}};
    if (below(2) == 0) schema["minimum"] = low;
    if (below(2) == 0) schema["exclusiveMaximum"] = high;
    return {schema, low};
  }

  Pair string() {
    const std::string value = text();
    std::int64_t length = 0;
    for (const char c : value) length += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    Json schema{{"type", "string"}};
    if (below(2) == 0) schema["minLength"] = std::max<std::int64_t>(0, length - below(3));
    if (below(2) == 0) schema["maxLength"] = length + below(40);
    return {schema, value};
  }

  Pair pattern() {
    static const std::vector<std::pair<const char*, const char*>> known{
        {"^[a-c]+$", "abc"},
        {"x\\d{2}", "ax12b"},
        {"^(?:foo|bar)-[^\\n\"]*$", "foo-é<>"},
        {"^\\s*\"q\"", " \"q\"z"},
        {"(a+)+$", "baa"}};
    const auto& [expression, value] = known[static_cast<std::size_t>(below(5))];
    Json schema{{"type", "string"}, {"pattern", expression}};
    if (below(3) == 0) schema["maxLength"] = 12;
    return {schema, value};
  }

  Pair format() {
    static const std::vector<std::pair<const char*, const char*>> known{
        {"date", "2024-02-29"},
        {"time", "23:59:59Z"},
        {"date-time", "2001-01-31T00:00:00+01:00"},
        {"uuid", "01234567-89ab-cdef-0123-456789abcdef"},
        {"ipv4", "192.168.0.255"},
        {"email", "a.b@example.org"},
        {"uri", "https://example.org/a?b#c"}};
    const auto& [name, value] = known[static_cast<std::size_t>(below(7))];
    return {{{"type", "string"}, {"format", name}}, value};
  }

  Pair enumeration() {
    Json values = Json::array({below(100), text(), nullptr, below(2) == 0, 1.5, text() + "x"});
    if (below(3) == 0) values.push_back({{"k", Json::array({1, text()})}});
    const Json value = values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
    return {{{"enum", values}}, value};
  }

  Pair array(int depth) {
    const Pair item = make(depth - 1);
    Json value = Json::array();
    for (int i = below(4); i > 0; --i) value.push_back(item.instance);
    const auto size = static_cast<int>(value.size());
    Json schema{{"type", "array"}, {"items", item.schema}};
    if (below(2) == 0) schema["minItems"] = std::max(0, size - below(2));
    if (below(2) == 0) schema["maxItems"] = size + below(3);
    return {schema, value};
  }

  Pair tuple(int depth) {
    const Pair first = make(depth - 1);
    const Pair second = make(depth - 1);
    Json schema{{"type", "array"},
                {"prefixItems", Json::array({first.schema, second.schema})},
                {"items", below(2) == 0 ? Json(false) : Json{{"type", "integer"}}}};
    Json value = Json::array({first.instance});
    if (below(2) == 0) value.push_back(second.instance);
    return {schema, value};
  }

  Pair either(int depth) {
    const Pair first = make(depth - 1);
    const Pair second = make(depth - 1);
    return {{{"anyOf", Json::array({first.schema, second.schema})}},
            below(2) == 0 ? first.instance : second.instance};
  }

  Pair merged(int depth) {
    const Pair first = object(depth - 1);
    return {{{"allOf", Json::array({first.schema, {{"type", Json::array({"object", "array"})}}})}},
            first.instance};
  }

  Pair object(int depth) {
    Json properties = Json::object();
    Json required = Json::array();
    Json value = Json::object();
    for (int i = below(5); i > 0; --i) {
      const std::string name = "p" + std::to_string(i) + text();
      if (properties.contains(name)) continue;
      const Pair member = make(depth > 0 ? depth - 1 : 0);
      properties[name] = member.schema;
      const bool needed = below(2) == 0;
      if (needed) required.push_back(name);
      if (needed || below(2) == 0) value[name] = member.instance;
    }
    Json schema{{"type", "object"}, {"properties", properties}, {"required", required}};
    if (below(4) == 0) {
      const Pair extra = make(0);
      schema["additionalProperties"] = extra.schema;
      value["extra"] = extra.instance;
    } else if (below(3) == 0) {
      schema["additionalProperties"] = false;
    }
    return {schema, value};
  }

  std::mt19937 engine_;
};

int schema_count() {
  const char* const asked = std::getenv("FACET_SCHEMAS");
  return asked == nullptr ? 300 : std::atoi(asked);
}

}  // namespace

TEST_CASE("What a random schema's grammar writes is an instance, and instances are let through",
          "[prompts][schema][unit]") {
  const int count = schema_count();
  int written = 0;
  for (int seed = 0; seed < count; ++seed) {
    Maker maker(static_cast<std::uint32_t>(seed));
    const Pair pair = maker.make(3);
    INFO("seed " << seed << " schema " << dump_json(pair.schema));
    auto made = grammar_of_schema(dump_json(pair.schema));
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    const auto validator = tools::Schema::compile(pair.schema);
    REQUIRE(validator);
    REQUIRE_FALSE(validator->check(pair.instance));
    const test::GrammarTexts texts(made->grammar);
    INFO("instance " << dump_json(pair.instance));
    REQUIRE(texts.accepts(dump_json(pair.instance)));
    REQUIRE(texts.accepts(prompts::spaced_json(pair.instance)));
    std::mt19937 random(static_cast<std::uint32_t>(seed));
    for (int i = 0; i < 2; ++i) {
      const std::string text = texts.random(random, 60);
      INFO("text " << text);
      const auto parsed = parse_json(text, "text");
      REQUIRE(parsed);
      const auto violation = validator->check(*parsed);
      INFO((violation ? violation->text() : ""));
      REQUIRE_FALSE(violation);
      ++written;
    }
  }
  CHECK(written == 2 * count);
}

}  // namespace facet::grammar
