// Reads workflows. The one place that includes yaml-cpp; its exceptions end here.
#include "agent/workflow/workflow.h"

#include "agent/workflow/references.h"
#include "base/json.h"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// Turns YAML into a Workflow; knows the source's name for its messages.
class Reader {
 public:
  explicit Reader(std::string_view source) : source_(source) {}

  Result<Workflow> read(const YAML::Node& root) {
    FACET_TRY_STATUS(
        expect_keys(root, {"name", "description", "variables", "steps", "result"}, "a workflow"));
    Workflow workflow;
    FACET_TRY(workflow.name, required_text(root, "name"));
    FACET_TRY(workflow.description, optional_text(root, "description"));
    FACET_TRY_STATUS(read_variables(root["variables"], workflow));
    FACET_TRY_STATUS(read_steps(root, workflow));
    FACET_TRY(workflow.result, optional_text(root, "result"));
    FACET_TRY_STATUS(check_references(workflow.result, root["result"]));
    return workflow;
  }

 private:
  [[nodiscard]] Error at(const YAML::Node& node, const std::string& what) const {
    // Mark() counts from 0; a node that is not there has line -1.
    return Error{Code::invalid_data,
                 source_ + ":" + std::to_string(std::max(node.Mark().line, 0) + 1) + ": " + what};
  }

  Status expect_keys(const YAML::Node& node,
                     const std::vector<std::string_view>& known,
                     const std::string& what) const {
    if (!node.IsMap()) return at(node, what + " is a mapping of keys to values");
    std::set<std::string> seen;
    for (const auto& item : node) {
      if (!item.first.IsScalar()) return at(item.first, "a key is not plain text");
      const std::string key = item.first.Scalar();
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        std::string text = "unknown key \"";
        text.append(key).append("\"; ").append(what).append(" has ");
        const std::size_t named = text.size();
        for (const std::string_view name : known) {
          if (text.size() > named) text += ", ";
          text += name;
        }
        return at(item.first, text);
      }
      if (!seen.insert(key).second) return at(item.first, "the key \"" + key + "\" is repeated");
    }
    return ok();
  }

  Result<std::string> optional_text(const YAML::Node& node, const char* key) const {
    const YAML::Node value = node[key];
    if (!value.IsDefined() || value.IsNull()) return std::string();
    if (!value.IsScalar()) return at(value, std::string("\"") + key + "\" is not text");
    return value.Scalar();
  }

  Result<std::string> required_text(const YAML::Node& node, const char* key) const {
    FACET_TRY(std::string text, optional_text(node, key));
    if (text.empty()) return at(node, std::string("\"") + key + "\" is missing or empty");
    return text;
  }

  /// A name that can be referred to: letters, digits, _ and -.
  Status take_name(const YAML::Node& node, const std::string& name) {
    const bool legal = !name.empty() && name.size() <= 64 &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '_' || c == '-';
                       });
    if (!legal) return at(node, "\"" + name + "\" is not a name (letters, digits, _ and -)");
    if (!names_.insert(name).second) return at(node, "the name \"" + name + "\" is taken");
    return ok();
  }

  Status read_variables(const YAML::Node& node, Workflow& workflow) {
    if (!node.IsDefined() || node.IsNull()) return ok();
    if (!node.IsMap()) return at(node, "\"variables\" is a mapping of names to values");
    for (const auto& item : node) {
      FACET_TRY_STATUS(take_name(item.first, item.first.Scalar()));
      FACET_TRY(const Json value, to_json(item.second, 0));
      workflow.variables.emplace_back(item.first.Scalar(), dump_json(value));
    }
    return ok();
  }

  Status read_steps(const YAML::Node& root, Workflow& workflow) {
    const YAML::Node steps = root["steps"];
    if (!steps.IsDefined() || !steps.IsSequence() || steps.size() == 0) {
      return at(root, "\"steps\" is missing or not a list with at least one step");
    }
    if (steps.size() > kWorkflowStepsMax) {
      return Error{Code::limit_exceeded,
                   source_ + " has " + std::to_string(steps.size()) + " steps; the limit is " +
                       std::to_string(kWorkflowStepsMax)};
    }
    for (const YAML::Node& node : steps) {
      FACET_TRY(WorkflowStep step, read_step(node));
      FACET_TRY_STATUS(take_name(node, step.name));
      workflow.steps.push_back(std::move(step));
    }
    return ok();
  }

  Result<WorkflowStep> read_step(const YAML::Node& node) {
    FACET_TRY_STATUS(expect_keys(
        node, {"name", "ask", "images", "answer_schema", "tool", "arguments"}, "a step"));
    WorkflowStep step;
    step.line = node.Mark().line + 1;
    FACET_TRY(step.name, required_text(node, "name"));
    FACET_TRY(step.prompt, optional_text(node, "ask"));
    FACET_TRY(step.tool, optional_text(node, "tool"));
    if (step.prompt.empty() == step.tool.empty()) {
      return at(node, "step \"" + step.name + "\" needs either \"ask\" or \"tool\"");
    }
    const YAML::Node arguments = node["arguments"];
    if (!step.prompt.empty()) {
      if (arguments.IsDefined()) return at(arguments, "\"arguments\" belong to a \"tool\" step");
      FACET_TRY_STATUS(check_references(step.prompt, node["ask"]));
      FACET_TRY_STATUS(read_images(node["images"], step));
      const YAML::Node schema = node["answer_schema"];
      if (schema.IsDefined()) {
        if (!schema.IsMap()) return at(schema, "\"answer_schema\" is a mapping");
        FACET_TRY(const Json value, to_json(schema, 0));
        step.answer_schema = dump_json(value);
      }
      return step;
    }
    if (node["answer_schema"].IsDefined()) {
      return at(node["answer_schema"], "\"answer_schema\" belongs to an \"ask\" step");
    }
    if (node["images"].IsDefined()) {
      return at(node["images"], "\"images\" belong to an \"ask\" step");
    }
    step.kind = WorkflowStep::Kind::tool;
    if (arguments.IsDefined() && !arguments.IsNull()) {
      if (!arguments.IsMap()) return at(arguments, "\"arguments\" is a mapping");
      FACET_TRY(const Json value, to_json(arguments, 0));
      step.arguments = dump_json(value);
      FACET_TRY_STATUS(check_references_in(value, arguments));
    }
    return step;
  }

  /// One path, or a list of them.
  Status read_images(const YAML::Node& node, WorkflowStep& step) const {
    if (!node.IsDefined() || node.IsNull()) return ok();
    if (node.IsScalar()) {
      step.images.push_back(node.Scalar());
    } else if (node.IsSequence()) {
      for (const YAML::Node& item : node) {
        if (!item.IsScalar()) return at(item, "an image is the path of a file");
        step.images.push_back(item.Scalar());
      }
    } else {
      return at(node, "\"images\" is a path or a list of paths");
    }
    if (step.images.size() > kWorkflowImagesMax) {
      return Error{Code::limit_exceeded,
                   source_ + ": step \"" + step.name + "\" has " +
                       std::to_string(step.images.size()) + " images; the limit is " +
                       std::to_string(kWorkflowImagesMax)};
    }
    for (const std::string& path : step.images) {
      if (path.empty()) return at(node, "an image is the path of a file, not empty");
      FACET_TRY_STATUS(check_references(path, node));
    }
    return ok();
  }

  Status check_references(std::string_view text, const YAML::Node& node) const {
    const auto paths = find_references(text);
    if (!paths) return at(node, paths.error().message);
    for (const std::string& path : *paths) {
      const std::string name = path.substr(0, path.find('.'));
      if (!names_.contains(name)) {
        return at(node, "${" + path + "} names no variable and no earlier step");
      }
    }
    return ok();
  }

  Status check_references_in(const Json& value, const YAML::Node& node) const {
    if (value.is_string()) return check_references(value.get_ref<const std::string&>(), node);
    if (!value.is_structured()) return ok();
    for (const auto& item : value) FACET_TRY_STATUS(check_references_in(item, node));
    return ok();
  }

  /// YAML's core schema: plain true/false/null and numbers have their type, quoted text is text.
  /// Aliases are copied out, so the number of nodes is capped.
  Result<Json> to_json(const YAML::Node& node, int depth) {
    if (depth > kWorkflowDepthMax || ++nodes_ > kWorkflowNodesMax) {
      return Error{Code::limit_exceeded,
                   source_ + " nests deeper than " + std::to_string(kWorkflowDepthMax) +
                       " levels or has more than " + std::to_string(kWorkflowNodesMax) + " values"};
    }
    if (node.IsNull()) return Json(nullptr);
    if (node.IsScalar()) return scalar(node);
    Json out = node.IsSequence() ? Json::array() : Json::object();
    for (const auto& item : node) {
      if (node.IsSequence()) {
        FACET_TRY(Json value, to_json(item, depth + 1));
        out.push_back(std::move(value));
      } else {
        if (!item.first.IsScalar()) return at(item.first, "a key is not plain text");
        const std::string& key = item.first.Scalar();
        if (out.contains(key)) return at(item.first, "the key \"" + key + "\" is repeated");
        FACET_TRY(Json value, to_json(item.second, depth + 1));
        out[key] = std::move(value);
      }
    }
    return out;
  }

  static Json scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() != "?") return text;  // Quoted.
    if (text == "true" || text == "false") return text == "true";
    if (text == "null" || text == "~") return nullptr;
    const char* end = text.data() + text.size();
    std::int64_t integer = 0;
    if (const auto read = std::from_chars(text.data(), end, integer);
        read.ec == std::errc() && read.ptr == end) {
      return integer;
    }
    double number = 0.0;
    const bool begins_like_a_number =
        text.find_first_of("0123456789") <= 1 && text.find_first_of("0123456789") != text.npos;
    if (const auto read = std::from_chars(text.data(), end, number);
        begins_like_a_number && read.ec == std::errc() && read.ptr == end) {
      return number;
    }
    return text;
  }

  std::string source_;
  std::set<std::string> names_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<Workflow> parse_workflow(std::string_view yaml, std::string_view source) {
  if (yaml.size() > kWorkflowBytesMax) {
    return Error{Code::limit_exceeded,
                 std::string(source) + " has " + std::to_string(yaml.size()) +
                     " bytes; the limit for a workflow is " + std::to_string(kWorkflowBytesMax)};
  }
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() > 1) {
      return Error{Code::invalid_data,
                   std::string(source) + ":" + std::to_string(documents[1].Mark().line + 1) +
                       ": a second document; a workflow is one"};
    }
    return Reader(source).read(documents.empty() ? YAML::Node() : documents.front());
  } catch (const YAML::Exception& error) {
    return Error{
        Code::invalid_data,
        std::string(source) + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg};
  }
}

Result<Workflow> load_workflow(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    return Error{Code::not_found, "there is no workflow " + path.string()};
  }
  const auto size = std::filesystem::file_size(path, code);
  if (code) return Error{Code::unavailable, "cannot read " + path.string() + ": " + code.message()};
  if (size > kWorkflowBytesMax) {
    return Error{Code::limit_exceeded,
                 path.string() + " has " + std::to_string(size) +
                     " bytes; the limit for a workflow is " + std::to_string(kWorkflowBytesMax)};
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return Error{Code::unavailable, "cannot read " + path.string()};
  return parse_workflow(text.str(), path.string());
}

}  // namespace facet::agent
