#include "tests/support/bfcl.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <fstream>
#include <map>

namespace facet::test {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<Json> out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    auto parsed = parse_json(line, path.filename().string());
    REQUIRE(parsed);
    out.push_back(*std::move(parsed));
  }
  return out;
}

/// An accepted value as it is passed: each member of a dictionary again lists what is accepted.
Json plain_value(const Json& schema, const Json& value) {
  const std::string type = schema.value("type", "");
  if (type == "dict" && value.is_object()) {
    Json out = Json::object();
    for (const auto& [key, options] : value.items()) {
      const Json properties = schema.value("properties", Json::object());
      const Json member = properties.value(key, Json::object());
      if (!options.is_array()) {
        out[key] = options;
      } else if (!options.empty() && options[0] != "") {
        out[key] = plain_value(member, options[0]);
      }
    }
    return out;
  }
  if ((type == "array" || type == "tuple") && value.is_array() && schema.contains("items")) {
    Json out = Json::array();
    for (const Json& item : value) out.push_back(plain_value(schema["items"], item));
    return out;
  }
  return value;
}

/// For each accepted value of each argument one call with it, the others at their first.
void add_calls(const std::string& name,
               const Json& parameters,
               const Json& accepted,
               std::vector<ToolCall>& out) {
  const Json properties = parameters.value("properties", Json::object());
  const auto call_with = [&](const std::string& varied, std::size_t choice) {
    Json arguments = Json::object();
    // In the order of the declaration, as a model writes them.
    for (const auto& [key, schema] : properties.items()) {
      if (!accepted.contains(key) || accepted[key].empty()) continue;
      const Json& value = accepted[key][key == varied ? choice : 0];
      if (value != "") arguments[key] = plain_value(schema, value);
    }
    out.push_back({.name = name, .arguments = dump_json(arguments)});
  };
  call_with("", 0);
  for (const auto& [key, values] : accepted.items()) {
    for (std::size_t i = 1; i < values.size(); ++i) call_with(key, i);
  }
}

}  // namespace

Json bfcl_schema(const Json& parameters) {
  static const std::map<std::string, std::string> kTypes{{"dict", "object"},
                                                         {"float", "number"},
                                                         {"tuple", "array"},
                                                         {"integer", "integer"},
                                                         {"string", "string"},
                                                         {"boolean", "boolean"},
                                                         {"array", "array"}};
  Json out = Json::object();
  for (const auto& [key, value] : parameters.items()) {
    if (key == "type") {
      if (value != "any") out["type"] = kTypes.at(value.get<std::string>());
    } else if (key == "properties") {
      out["properties"] = Json::object();
      for (const auto& [name, member] : value.items()) {
        out["properties"][name] = bfcl_schema(member);
      }
    } else if (key == "items") {
      out["items"] = bfcl_schema(value);
    } else if (key != "optional" && key != "format") {
      // "optional" is no keyword; "format" stands on values the answers write otherwise.
      out[key] = value;
    }
  }
  return out;
}

std::vector<BfclCase> read_bfcl(const std::filesystem::path& folder, const std::string& category) {
  std::map<std::string, Json> answers;
  for (const Json& line : read_lines(folder / "possible_answer" / (category + ".jsonl"))) {
    answers[line["id"].get<std::string>()] = line["ground_truth"];
  }
  std::vector<BfclCase> out;
  for (const Json& line : read_lines(folder / (category + ".jsonl"))) {
    BfclCase one{.id = line["id"].get<std::string>()};
    std::map<std::string, Json> parameters;
    for (const Json& function : line["function"]) {
      const auto name = function["name"].get<std::string>();
      parameters[name] = function["parameters"];
      one.tools.push_back({.name = name,
                           .description = function["description"].get<std::string>(),
                           .parameters = dump_json(bfcl_schema(function["parameters"]))});
    }
    const auto found = answers.find(one.id);
    if (found != answers.end()) {
      for (const Json& call : found->second) {
        for (const auto& [name, accepted] : call.items()) {
          add_calls(name, parameters.at(name), accepted, one.answers);
        }
      }
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace facet::test
