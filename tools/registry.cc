#include "base/json.h"
#include "base/utf8.h"
#include "tools/missing_arguments.h"
#include "tools/schema.h"
#include "tools/tool.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

namespace facet::tools {
namespace {

constexpr std::size_t kNameBytesMax = 64;

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), fits);
}

Error bad_tool(const ToolSpec& spec, const std::string& message) {
  return {Code::invalid_argument, "tool " + json_quote(spec.name) + " " + message};
}

/// The parameters of `spec`, compiled; they must describe an object.
Result<Schema> compile_parameters(const ToolSpec& spec) {
  FACET_TRY(const nlohmann::ordered_json parameters, parse_json(spec.parameters, "parameters"));
  const auto type = parameters.is_object() ? parameters.find("type") : parameters.end();
  if (type == parameters.end() || *type != "object") {
    return Error{Code::invalid_argument,
                 R"(the parameters must be a JSON Schema with "type": "object")"};
  }
  return Schema::compile(parameters);
}

}  // namespace

struct Registry::Entries {
  struct Entry {
    std::shared_ptr<const Tool> tool;
    Schema schema;
  };
  std::deque<Entry> list;  // Keeps the addresses of its entries.
  std::unordered_map<std::string_view, const Entry*> by_name;  // Names live in the tools.

  [[nodiscard]] const Entry* find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  }
};

Registry::Registry() : entries_(std::make_unique<Entries>()) {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;
Registry::~Registry() = default;

Status Registry::add(std::shared_ptr<const Tool> tool) {
  if (tool == nullptr) return Error{Code::invalid_argument, "a tool to register is null"};
  const ToolSpec& spec = tool->spec();
  if (!is_name(spec.name)) {
    return bad_tool(spec, "has a name that is not 1 to 64 of A-Z a-z 0-9 _ . -");
  }
  if (entries_->find(spec.name) != nullptr) return bad_tool(spec, "is registered already");
  if (entries_->list.size() >= kToolsMax) {
    return Error{Code::limit_exceeded,
                 "a registry holds at most " + std::to_string(kToolsMax) + " tools"};
  }
  if (spec.description.size() > kDescriptionBytesMax) {
    return bad_tool(spec,
                    "has a description of " + std::to_string(spec.description.size()) +
                        " bytes; the limit is " + std::to_string(kDescriptionBytesMax));
  }
  if (!is_utf8(spec.description)) return bad_tool(spec, "has a description that is not UTF-8");
  auto schema = compile_parameters(spec);
  if (!schema) return schema.error().with_context("tool " + json_quote(spec.name));
  const auto& entry =
      entries_->list.emplace_back(Entries::Entry{std::move(tool), *std::move(schema)});
  entries_->by_name.emplace(entry.tool->spec().name, &entry);
  return ok();
}

const Tool* Registry::find(std::string_view name) const {
  const Entries::Entry* entry = entries_->find(name);
  return entry == nullptr ? nullptr : entry->tool.get();
}

std::shared_ptr<const Tool> Registry::find_shared(std::string_view name) const {
  const Entries::Entry* entry = entries_->find(name);
  return entry == nullptr ? nullptr : entry->tool;
}

const Schema* Registry::arguments_schema(std::string_view name) const {
  const Entries::Entry* entry = entries_->find(name);
  return entry == nullptr ? nullptr : &entry->schema;
}

std::vector<ToolSpec> Registry::specs() const {
  std::vector<ToolSpec> out;
  out.reserve(entries_->list.size());
  for (const Entries::Entry& entry : entries_->list) out.push_back(entry.tool->spec());
  return out;
}

std::size_t Registry::size() const {
  return entries_->list.size();
}

Result<nlohmann::ordered_json> parse_arguments(const ToolSpec& spec,
                                               const Schema& schema,
                                               std::string_view arguments_text,
                                               std::size_t arguments_bytes_max) {
  const std::string what = "the arguments of " + spec.name;
  auto arguments = parse_json(arguments_text, what, {.bytes_max = arguments_bytes_max});
  if (!arguments) return Error{Code::invalid_argument, arguments.error().message};
  if (!arguments->is_object()) {
    return Error{Code::invalid_argument,
                 what + " must be a JSON object, are " + arguments->type_name()};
  }
  if (const auto violation = schema.check(*arguments)) {
    if (const auto missing = missing_arguments(spec, arguments_text); !missing.empty()) {
      return Error{Code::invalid_argument, missing_arguments_text(missing)};
    }
    return Error{Code::invalid_argument, what + ": " + violation->text()};
  }
  return arguments;
}

}  // namespace facet::tools
