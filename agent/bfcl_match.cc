#include "agent/bfcl_match.h"

#include "base/ascii.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <string_view>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

/// Python's types of JSON values.
enum class Type { none, boolean, integer, floating, text, list, dict };

Type type_of(const ordered_json& value) {
  if (value.is_null()) return Type::none;
  if (value.is_boolean()) return Type::boolean;
  if (value.is_number_float()) return Type::floating;
  if (value.is_number()) return Type::integer;
  if (value.is_string()) return Type::text;
  return value.is_array() ? Type::list : Type::dict;
}

/// What a declared type is in Python; `any` is a text.
std::optional<Type> declared_type(const ordered_json& schema) {
  static const std::map<std::string, Type> kTypes{{"string", Type::text},
                                                  {"integer", Type::integer},
                                                  {"float", Type::floating},
                                                  {"boolean", Type::boolean},
                                                  {"array", Type::list},
                                                  {"tuple", Type::list},
                                                  {"dict", Type::dict},
                                                  {"any", Type::text}};
  if (!schema.is_object() || !schema.contains("type") || !schema["type"].is_string()) return {};
  const auto known = kTypes.find(schema["type"].get<std::string>());
  return known == kTypes.end() ? std::nullopt : std::optional(known->second);
}

bool is_empty_text(const ordered_json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

bool may_be_left_out(const ordered_json& accepted) {
  return std::any_of(accepted.begin(), accepted.end(), is_empty_text);
}

/// Python's ==. Depth is bounded by what parse_json lets in.
bool equal(const ordered_json& a, const ordered_json& b) {
  const auto is_number = [](const ordered_json& v) { return v.is_number() || v.is_boolean(); };
  const auto number = [](const ordered_json& v) {
    return v.is_boolean() ? ordered_json(v.get<bool>() ? 1 : 0) : v;
  };
  if (is_number(a) && is_number(b)) return number(a) == number(b);
  if (a.is_array() && b.is_array()) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
  }
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    const auto items = a.items();
    return std::all_of(items.begin(), items.end(), [&](const auto& item) {
      const auto other = b.find(item.key());
      return other != b.end() && equal(item.value(), *other);
    });
  }
  return a == b;
}

bool is_one_of(const ordered_json& value, const ordered_json& accepted) {
  return std::any_of(
      accepted.begin(), accepted.end(), [&](const auto& one) { return equal(value, one); });
}

/// What of a string counts; other values as they are.
ordered_json standard(const ordered_json& value) {
  if (!value.is_string()) return value;
  std::string out;
  for (const char c : value.get_ref<const std::string&>()) {
    if (std::string_view(" ,./-_*^").find(c) != std::string_view::npos) continue;
    out += c == '\'' ? '"' : ascii_lower(c);
  }
  return out;
}

/// Items of a list; "" is a list of none.
ordered_json standard_items(const ordered_json& list) {
  ordered_json out = ordered_json::array();
  if (!list.is_array()) return out;
  for (const ordered_json& item : list) out.push_back(standard(item));
  return out;
}

struct TypeCheck {
  bool fits = false;
  bool is_variable = false;  ///< Then the value is compared as it is.
};

/// `item`: the declared type of a list's items.
TypeCheck check_type(const ordered_json& value,
                     const ordered_json& accepted,
                     Type expected,
                     std::optional<Type> item) {
  const auto answer = std::find_if_not(accepted.begin(), accepted.end(), is_empty_text);
  const bool has_answer = answer != accepted.end();
  if (type_of(value) != expected) {
    return {.fits = has_answer && type_of(value) == type_of(*answer), .is_variable = true};
  }
  const bool is_variable = has_answer && type_of(*answer) != expected;
  if (!item) return {.fits = true, .is_variable = is_variable};
  const bool fits = std::any_of(accepted.begin(), accepted.end(), [&](const ordered_json& one) {
    return !one.is_array() || std::all_of(value.begin(), value.end(), [&](const auto& part) {
      return check_type(part, one, *item, {}).fits;
    });
  });
  return {.fits = fits, .is_variable = is_variable};
}

bool matches_dict(const ordered_json& value, const ordered_json& accepted) {
  if (!value.is_object() || !accepted.is_object()) return false;
  for (const auto& [key, member] : value.items()) {
    const auto known = accepted.find(key);
    if (known == accepted.end() || !known->is_array()) return false;
    if (!is_one_of(standard(member), standard_items(*known))) return false;
  }
  const auto items = accepted.items();
  return std::all_of(items.begin(), items.end(), [&](const auto& item) {
    return value.contains(item.key()) || may_be_left_out(item.value());
  });
}

bool matches_dict_list(const ordered_json& value, const ordered_json& accepted) {
  if (is_empty_text(accepted)) return value.empty();
  return accepted.is_array() &&
         std::equal(value.begin(), value.end(), accepted.begin(), accepted.end(), matches_dict);
}

bool matches_value(const ordered_json& value,
                   const ordered_json& accepted,
                   Type expected,
                   std::optional<Type> item) {
  const auto any = [&](auto matches) {
    return std::any_of(accepted.begin(), accepted.end(), matches);
  };
  if (expected == Type::dict) {
    return any([&](const auto& one) { return matches_dict(value, one); });
  }
  if (expected == Type::text) {
    return any(
        [&](const auto& one) { return one.is_string() && standard(value) == standard(one); });
  }
  if (expected == Type::list && item == Type::dict) {
    return any([&](const auto& one) { return matches_dict_list(value, one); });
  }
  if (expected == Type::list) {
    return any([&](const auto& one) { return equal(standard_items(value), standard_items(one)); });
  }
  return is_one_of(value, accepted);
}

std::string quoted(const std::string& name) {
  return "'" + name + "'";
}

/// Why the value of a parameter is not accepted.
std::optional<std::string> wrong_value(const std::string& name,
                                       const ordered_json& given,
                                       const ordered_json& schema,
                                       const ordered_json& accepted) {
  const auto expected = declared_type(schema);
  if (!expected) return "parameter " + quoted(name) + " has no known type";
  std::optional<Type> item;
  if (*expected == Type::list && schema.contains("items")) item = declared_type(schema["items"]);
  const bool widens = *expected == Type::floating && type_of(given) == Type::integer;
  const ordered_json value = widens ? ordered_json(given.get<double>()) : given;
  const TypeCheck type = check_type(value, accepted, *expected, item);
  if (!type.fits) {
    return "parameter " + quoted(name) + " is " + dump_json(given) + ", not of type " +
           schema["type"].get<std::string>();
  }
  const bool is_right = type.is_variable ? is_one_of(value, accepted)
                                         : matches_value(value, accepted, *expected, item);
  if (is_right) return {};
  return "parameter " + quoted(name) + " is " + dump_json(given) + ", expected one of " +
         dump_json(accepted);
}

const ordered_json& member(const ordered_json& object, const char* key) {
  static const ordered_json kNone = ordered_json::object();
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

/// Why `call` is not the one that `accepted`, the parameters of `function`, describe.
std::optional<std::string> wrong_call(const ordered_json& function,
                                      const ordered_json& accepted,
                                      const ToolCall& call) {
  const auto arguments = parse_json(call.arguments, "arguments");
  if (!arguments) return arguments.error().message;
  if (!arguments->is_object()) return "the arguments are no object";
  const ordered_json& schema = member(function, "parameters");
  for (const ordered_json& name : member(schema, "required")) {
    if (name.is_string() && !arguments->contains(name.get<std::string>())) {
      return "required parameter " + quoted(name.get<std::string>()) + " is missing";
    }
  }
  const ordered_json& properties = member(schema, "properties");
  for (const auto& [name, value] : arguments->items()) {
    if (!properties.contains(name) || !accepted.contains(name)) {
      return "parameter " + quoted(name) + " is not expected";
    }
    if (auto wrong = wrong_value(name, value, properties[name], accepted[name])) return wrong;
  }
  for (const auto& [name, values] : accepted.items()) {
    if (!arguments->contains(name) && !may_be_left_out(values)) {
      return "parameter " + quoted(name) + " is missing";
    }
  }
  return {};
}

const ordered_json& declaration(const ordered_json& functions, const std::string& name) {
  static const ordered_json kNone;
  for (const ordered_json& function : functions) {
    if (function.is_object() && member(function, "name") == name) return function;
  }
  return kNone;
}

}  // namespace

std::optional<std::string> bfcl_mismatch(const ordered_json& functions,
                                         const ordered_json& answers,
                                         const std::vector<ToolCall>& calls) {
  if (calls.size() != answers.size()) {
    return std::to_string(calls.size()) + " calls, expected " + std::to_string(answers.size());
  }
  std::vector<bool> taken(calls.size(), false);
  for (const ordered_json& answer : answers) {
    if (!answer.is_object() || answer.size() != 1 || !answer.front().is_object()) {
      return "an answer is not one {function: {...}}";
    }
    const std::string& name = answer.begin().key();
    std::string why = "no call of " + quoted(name);
    bool is_found = false;
    for (std::size_t i = 0; i < calls.size() && !is_found; ++i) {
      if (taken[i] || calls[i].name != name) continue;
      const auto wrong = wrong_call(declaration(functions, name), answer.front(), calls[i]);
      if (wrong) why = name + ": " + *wrong;
      taken[i] = is_found = !wrong;
    }
    if (!is_found) return why;
  }
  return {};
}

}  // namespace facet::agent
