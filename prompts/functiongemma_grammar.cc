// From tool declarations to the grammar of one legal call.
#include "base/json.h"
#include "base/json_pointer.h"
#include "prompts/functiongemma.h"
#include "prompts/functiongemma_declaration.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

/// Builds the nodes of one grammar. Recursion follows the schema, whose nesting was capped when it
/// was parsed.
class Builder {
 public:
  explicit Builder(const CallGrammarOptions& options) : options_(options) {
    escape_ = grammar_.control(kEscape);
    string_ = grammar_.sequence({escape_, grammar_.repeat(grammar_.bytes("", true), 0), escape_});
    comma_ = grammar_.literal(",");
    const Grammar::Node digit = grammar_.bytes("0123456789");
    const int digits_max = options.number_digits_max;
    integer_ = grammar_.sequence(
        {grammar_.optional(grammar_.literal("-")),
         grammar_.choice({grammar_.literal("0"),
                          grammar_.sequence({grammar_.bytes("123456789"),
                                             grammar_.repeat(digit, 0, digits_max - 1)})})});
    const Grammar::Node fraction =
        grammar_.sequence({grammar_.literal("."), grammar_.repeat(digit, 1, digits_max)});
    const Grammar::Node exponent = grammar_.sequence({grammar_.bytes("eE"),
                                                      grammar_.optional(grammar_.bytes("+-")),
                                                      grammar_.repeat(digit, 1, 2)});
    number_ =
        grammar_.sequence({integer_, grammar_.optional(fraction), grammar_.optional(exponent)});
  }

  Status tool(const ToolSpec& spec) {
    tool_ = spec.name;
    if (spec.name.empty() || spec.name.find('{') != std::string::npos) {
      return fail("", "the name cannot be written in a call");
    }
    const std::string what = "parameters of tool \"" + spec.name + "\"";
    auto parameters = parse_json(spec.parameters, what, {.nesting_depth_max = kNestingDepthMax});
    if (!parameters) return Error{Code::invalid_argument, parameters.error().message};
    if (!parameters->is_object()) return fail("", "the schema is not an object");
    FACET_TRY(const Grammar::Node arguments, object(*parameters, ""));
    calls_.push_back(grammar_.sequence({grammar_.literal("call:" + spec.name), arguments}));
    return ok();
  }

  Grammar take() {
    grammar_.set_root(
        grammar_.sequence({grammar_.choice(calls_), grammar_.control("<end_function_call>")}));
    return std::move(grammar_);
  }

 private:
  [[nodiscard]] Error fail(const std::string& pointer, const std::string& what) const {
    return Error{Code::invalid_argument,
                 "tool \"" + tool_ + "\", schema at \"" + pointer + "\": " + what};
  }

  /// `{key:value,...}`: sorted, required ones present.
  Result<Grammar::Node> object(const Json& schema, const std::string& pointer) {
    FACET_TRY_STATUS(check_combinations(schema, pointer));
    const Json empty = Json::object();
    const auto found = schema.find("properties");
    const Json& properties = found == schema.end() ? empty : *found;
    if (!properties.is_object()) return fail(pointer + "/properties", "is not an object");
    FACET_TRY(const auto required, required_names(schema, properties, pointer));

    std::vector<Member> members;
    for (const auto& [name, property] : sorted_members(properties)) {
      const std::string key(name);
      const std::string at = pointer + "/properties/" + pointer_token(key);
      const bool needed = std::find(required.begin(), required.end(), key) != required.end();
      if (is_reserved_property(key)) {
        if (!needed) continue;  // The model is never shown it and may leave it out.
        return fail(at, "a required parameter cannot have this name in FunctionGemma's format");
      }
      if (key.empty() || key.find_first_of(":,{}[]") != std::string::npos || strip(key) != key) {
        return fail(at, "the name cannot be written in a call");
      }
      FACET_TRY(const Grammar::Node value, this->value(*property, at));
      members.push_back(
          {.node = grammar_.sequence({grammar_.literal(key + ":"), value}), .required = needed});
    }
    const Grammar::Node open = grammar_.literal("{");
    const Grammar::Node close = grammar_.literal("}");
    return grammar_.sequence({open, member_list(members), close});
  }

  struct Member {
    Grammar::Node node = -1;
    bool required = false;
  };

  /// From the last member to the first: `after` follows a member that is there, `first` begins the
  /// list. Each is built once and shared, so the grammar grows with the number of members only.
  Grammar::Node member_list(const std::vector<Member>& members) {
    Grammar::Node after = grammar_.literal("");
    Grammar::Node first = after;
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
      const Grammar::Node begins_here = grammar_.sequence({member->node, after});
      first = member->required ? begins_here : grammar_.choice({begins_here, first});
      const Grammar::Node continues = grammar_.sequence({comma_, member->node});
      after =
          grammar_.sequence({member->required ? continues : grammar_.optional(continues), after});
    }
    return first;
  }

  Result<std::vector<std::string>> required_names(const Json& schema,
                                                  const Json& properties,
                                                  const std::string& pointer) {
    std::vector<std::string> names;
    const auto required = schema.find("required");
    if (required == schema.end()) return names;
    if (!required->is_array()) return fail(pointer + "/required", "is not an array");
    for (const Json& name : *required) {
      if (!name.is_string()) return fail(pointer + "/required", "holds a name that is no string");
      names.push_back(name.get<std::string>());
      if (!properties.contains(names.back())) {
        return fail(pointer + "/required", "\"" + names.back() + "\" is no declared property");
      }
    }
    return names;
  }

  Status check_combinations(const Json& schema, const std::string& pointer) {
    constexpr std::array<const char*, 10> kRefused{"$ref",
                                                   "$dynamicRef",
                                                   "anyOf",
                                                   "oneOf",
                                                   "allOf",
                                                   "not",
                                                   "if",
                                                   "prefixItems",
                                                   "patternProperties",
                                                   "dependentSchemas"};
    for (const char* keyword : kRefused) {
      if (schema.contains(keyword)) {
        return fail(pointer + "/" + keyword, "this keyword has no grammar");
      }
    }
    return ok();
  }

  Result<Grammar::Node> value(const Json& schema, const std::string& pointer) {
    if (!schema.is_object()) return fail(pointer, "the schema is not an object");
    FACET_TRY_STATUS(check_combinations(schema, pointer));
    if (schema.contains("const")) return literal(schema["const"], pointer + "/const");
    if (schema.contains("enum")) return enumeration(schema["enum"], pointer + "/enum");
    const auto type = schema.find("type");
    if (type == schema.end()) return fail(pointer, "the schema has no type");
    if (!type->is_string()) return fail(pointer + "/type", "a union of types has no grammar");
    const std::string& name = type->get_ref<const std::string&>();
    if (name == "string") return string_;
    if (name == "integer") return integer_;
    if (name == "number") return number_;
    if (name == "boolean") {
      return grammar_.choice({grammar_.literal("true"), grammar_.literal("false")});
    }
    if (name == "object") return object(schema, pointer);
    if (name == "array") return array(schema, pointer);
    return fail(pointer + "/type", "\"" + name + "\" is no type of a value");
  }

  Result<Grammar::Node> array(const Json& schema, const std::string& pointer) {
    const auto items = schema.find("items");
    if (items == schema.end()) return fail(pointer, "an array needs items");
    FACET_TRY(const Grammar::Node item, value(*items, pointer + "/items"));
    const Grammar::Node more =
        grammar_.repeat(grammar_.sequence({comma_, item}), 0, options_.array_items_max - 1);
    return grammar_.sequence({grammar_.literal("["),
                              grammar_.optional(grammar_.sequence({item, more})),
                              grammar_.literal("]")});
  }

  Result<Grammar::Node> enumeration(const Json& values, const std::string& pointer) {
    if (!values.is_array() || values.empty()) return fail(pointer, "is not a list of values");
    std::vector<Grammar::Node> alternatives;
    for (const Json& value : values) {
      FACET_TRY(const Grammar::Node node, literal(value, pointer));
      alternatives.push_back(node);
    }
    return grammar_.choice(std::move(alternatives));
  }

  Result<Grammar::Node> literal(const Json& value, const std::string& pointer) {
    if (value.is_structured()) return fail(pointer, "only scalars can be enumerated");
    if (!value.is_string()) return grammar_.literal(python_scalar(value));
    return grammar_.sequence(
        {escape_, grammar_.literal(value.get_ref<const std::string&>()), escape_});
  }

  CallGrammarOptions options_;
  Grammar grammar_;
  std::string tool_;
  std::vector<Grammar::Node> calls_;
  Grammar::Node escape_ = -1;
  Grammar::Node string_ = -1;
  Grammar::Node integer_ = -1;
  Grammar::Node number_ = -1;
  Grammar::Node comma_ = -1;
};

}  // namespace

Result<Grammar> functiongemma_call_grammar(const std::vector<ToolSpec>& tools,
                                           const CallGrammarOptions& options) {
  if (tools.empty()) return Error{Code::invalid_argument, "a call grammar needs a tool"};
  if (options.array_items_max < 1 || options.number_digits_max < 1) {
    return Error{Code::invalid_argument, "the limits of a call grammar must be positive"};
  }
  Builder builder(options);
  for (const ToolSpec& tool : tools) FACET_TRY_STATUS(builder.tool(tool));
  return builder.take();
}

}  // namespace facet::prompts
