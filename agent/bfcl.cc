#include "agent/bfcl.h"

#include "agent/eval_json.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string_view>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

/// "simple_python_12" without its number; live categories have "live_simple_0-0-0".
std::string category_of(const std::string& id) {
  const std::size_t end = id.find_last_not_of("0123456789-");
  if (end == std::string::npos || id[end] != '_') return id;
  return id.substr(0, end);
}

Result<Message> read_message(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(json_only_fields(json, {"role", "content"}, where));
  FACET_TRY(const std::string role, json_text(json, "role", where));
  FACET_TRY(std::string content, json_text(json, "content", where));
  if (role != "user" && role != "system" && role != "assistant") {
    return Error{Code::invalid_argument, where + "/role is '" + role + "'"};
  }
  FACET_TRY(const Role known, role_from_name(role));
  return Message{.role = known, .content = std::move(content)};
}

Result<std::vector<Message>> read_question(const ordered_json& line, const std::string& where) {
  FACET_TRY(const auto* turns, json_array(line, "question", where));
  if (turns->size() != 1 || !turns->front().is_array() || turns->front().empty()) {
    return Error{Code::invalid_argument,
                 where + "/question has " + std::to_string(turns->size()) +
                     " turns, expected one that is a list of messages"};
  }
  std::vector<Message> out;
  const ordered_json& messages = turns->front();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    FACET_TRY(out.emplace_back(),
              read_message(messages[i], where + "/question/0/" + std::to_string(i)));
  }
  return out;
}

Result<ToolSpec> read_function(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(json_only_fields(json, {"name", "description", "parameters"}, where));
  FACET_TRY(std::string name, json_text(json, "name", where));
  FACET_TRY(std::string description, json_text(json, "description", where));
  FACET_TRY(const auto* parameters, json_object(json, "parameters", where));
  FACET_TRY(const ordered_json schema, bfcl_schema(*parameters, where + "/parameters"));
  return ToolSpec{.name = std::move(name),
                  .description = std::move(description),
                  .parameters = dump_json(schema)};
}

Result<BfclCase> read_case(std::string_view text, std::string_view what) {
  const std::string where(what);
  FACET_TRY(const ordered_json line, parse_json(text, where));
  FACET_TRY_STATUS(json_only_fields(line, {"id", "question", "function"}, where));
  BfclCase out;
  FACET_TRY(out.id, json_text(line, "id", where));
  out.category = category_of(out.id);
  FACET_TRY(out.messages, read_question(line, where));
  FACET_TRY(const auto* functions, json_array(line, "function", where));
  for (std::size_t i = 0; i < functions->size(); ++i) {
    FACET_TRY(out.tools.emplace_back(),
              read_function((*functions)[i], where + "/function/" + std::to_string(i)));
  }
  out.functions = dump_json(*functions);
  return out;
}

/// {function: {parameter: [values]}}
Status check_answer(const ordered_json& answer, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    return Error{Code::invalid_argument, where + what};
  };
  if (!answer.is_object() || answer.size() != 1) return refuse(" is not one {function: {...}}");
  const ordered_json& parameters = answer.front();
  if (!parameters.is_object()) return refuse(" has no object of parameters");
  for (const auto& [name, values] : parameters.items()) {
    if (!values.is_array()) return refuse("/" + name + " is no list of accepted values");
  }
  return ok();
}

Result<std::map<std::string, std::string>> read_answers(const std::filesystem::path& path) {
  std::map<std::string, std::string> out;
  if (path.empty()) return out;
  FACET_TRY_STATUS(
      for_each_line(path, [&](std::string_view text, const std::string& where) -> Result<bool> {
        FACET_TRY(const ordered_json line, parse_json(text, where));
        FACET_TRY_STATUS(json_only_fields(line, {"id", "ground_truth"}, where));
        FACET_TRY(const std::string id, json_text(line, "id", where));
        FACET_TRY(const auto* calls, json_array(line, "ground_truth", where));
        for (std::size_t i = 0; i < calls->size(); ++i) {
          FACET_TRY_STATUS(check_answer((*calls)[i], where + "/ground_truth/" + std::to_string(i)));
        }
        out[id] = dump_json(*calls);
        return true;
      }));
  return out;
}

/// JSON Schema's name of a type; null for "any", nothing for what is none.
const std::map<std::string, const char*>& types() {
  static const std::map<std::string, const char*> kTypes{{"dict", "object"},
                                                         {"float", "number"},
                                                         {"tuple", "array"},
                                                         {"integer", "integer"},
                                                         {"string", "string"},
                                                         {"boolean", "boolean"},
                                                         {"array", "array"},
                                                         {"any", nullptr}};
  return kTypes;
}

}  // namespace

Result<ordered_json> bfcl_schema(const ordered_json& parameters, const std::string& where) {
  if (!parameters.is_object()) return Error{Code::invalid_argument, where + " is not an object"};
  ordered_json out = ordered_json::object();
  for (const auto& [key, value] : parameters.items()) {
    if (key == "type") {
      const auto known = types().find(value.is_string() ? value.get<std::string>() : "");
      if (known == types().end()) {
        return Error{Code::invalid_argument, where + "/type is " + dump_json(value)};
      }
      if (known->second != nullptr) out["type"] = known->second;
    } else if (key == "properties" && value.is_object()) {
      out["properties"] = ordered_json::object();
      const std::string at = where + "/properties/";
      for (const auto& [name, member] : value.items()) {
        FACET_TRY(out["properties"][name], bfcl_schema(member, at + name));
      }
    } else if (key == "items") {
      FACET_TRY(out["items"], bfcl_schema(value, where + "/items"));
    } else if (key != "optional" && key != "format") {
      out[key] = value;
    }
  }
  return out;
}

Result<std::vector<BfclCase>> read_bfcl(const std::filesystem::path& questions,
                                        const std::filesystem::path& answers,
                                        std::int64_t cases_max) {
  FACET_TRY(auto cases, read_eval_cases(questions, cases_max, read_case));
  FACET_TRY(const auto known, read_answers(answers));
  for (BfclCase& test : cases) {
    if (test.category.find("irrelevance") != std::string::npos) continue;
    const auto found = known.find(test.id);
    if (found == known.end()) {
      return Error{Code::invalid_argument,
                   "case '" + test.id + "' has no answer in '" + answers.string() + "'"};
    }
    test.answers = found->second;
  }
  return cases;
}

}  // namespace facet::agent
