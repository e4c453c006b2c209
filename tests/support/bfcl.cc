#include "tests/support/bfcl.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <utility>

namespace facet::test {
namespace {

using Json = nlohmann::ordered_json;

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

std::vector<agent::BfclCase> read_bfcl_cases(const std::filesystem::path& folder,
                                             const std::string& category) {
  const std::string file = category + ".jsonl";
  const auto answers = folder / "possible_answer" / file;
  const bool has_answers = std::filesystem::exists(answers);
  auto cases = agent::read_bfcl(folder / file, has_answers ? answers : "", 0);
  INFO((cases ? "" : cases.error().message));
  REQUIRE(cases);
  return *std::move(cases);
}

std::vector<std::vector<ToolCall>> accepted_turns(const Json& functions, const Json& answers) {
  std::vector<std::vector<ToolCall>> each;
  for (const Json& answer : answers) {
    for (const auto& [name, accepted] : answer.items()) {
      for (const Json& function : functions) {
        if (function["name"] != name) continue;
        add_calls(name, function["parameters"], accepted, each.emplace_back());
      }
    }
  }
  std::vector<std::vector<ToolCall>> out;
  for (std::size_t varied = 0; varied < each.size(); ++varied) {
    for (const ToolCall& call : each[varied]) {
      std::vector<ToolCall>& turn = out.emplace_back();
      for (const auto& calls : each) turn.push_back(calls.front());
      turn[varied] = call;
    }
  }
  return out;
}

std::vector<BfclCase> read_bfcl(const std::filesystem::path& folder, const std::string& category) {
  std::vector<BfclCase> out;
  for (agent::BfclCase& read : read_bfcl_cases(folder, category)) {
    BfclCase one{.id = read.id, .tools = std::move(read.tools)};
    const Json functions = Json::parse(read.functions);
    for (const Json& answer : Json::parse(read.answers)) {
      for (auto& turn : accepted_turns(functions, Json::array({answer}))) {
        one.answers.push_back(std::move(turn.front()));
      }
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace facet::test
