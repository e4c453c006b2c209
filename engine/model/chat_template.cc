#include "engine/model/chat_template.h"

#include "base/json.h"
#include "base/mapped_file.h"

#include <nlohmann/json.hpp>

#include <string_view>
#include <system_error>

namespace facet::engine {
namespace {

Result<std::string> within_limit(std::string text) {
  if (text.size() <= kChatTemplateBytesMax) return text;
  return Error{Code::limit_exceeded,
               "the chat template has " + std::to_string(text.size()) + " bytes; the limit is " +
                   std::to_string(kChatTemplateBytesMax)};
}

/// The text of a file; empty when it is not there.
Result<std::string> text_of(const std::filesystem::path& path) {
  std::error_code no_error;  // What cannot be looked at is not there for us.
  if (!std::filesystem::exists(path, no_error)) return std::string();
  if (std::filesystem::file_size(path, no_error) == 0) return std::string();
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// The member "chat_template": a text, or a list of {"name", "template"}.
Result<std::string> template_in(const std::string& text, const char* name) {
  if (text.empty()) return std::string();
  FACET_TRY(const auto json, parse_json(text, name));
  if (!json.is_object()) {
    return Error{Code::invalid_data, std::string(name) + " is not an object"};
  }
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return std::string();
  if (found->is_string()) return within_limit(found->get<std::string>());
  const Error error{
      Code::invalid_data,
      std::string(name) + ": chat_template is neither a text nor a list of named ones"};
  if (!found->is_array()) return error;
  for (const auto& item : *found) {
    if (!item.is_object() || !item.contains("name") || !item.contains("template")) return error;
    if (item.at("name") != "default") continue;
    if (!item.at("template").is_string()) return error;
    return within_limit(item.at("template").get<std::string>());
  }
  return std::string();
}

}  // namespace

Result<std::string> read_gguf_chat_template(const Gguf& gguf) {
  FACET_TRY(const auto text, gguf.string("tokenizer.chat_template"));
  return within_limit(std::string(text.value_or("")));
}

Result<std::string> read_hf_chat_template(const std::filesystem::path& folder) {
  FACET_TRY(std::string text, text_of(folder / "chat_template.jinja"));
  if (!text.empty()) return within_limit(std::move(text));
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    FACET_TRY(const std::string json, text_of(folder / name));
    FACET_TRY(text, template_in(json, name));
    if (!text.empty()) return text;
  }
  return std::string();
}

}  // namespace facet::engine
