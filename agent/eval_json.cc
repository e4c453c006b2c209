#include "agent/eval_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kLineBytesMax = 1U << 20U;

Result<const ordered_json*> json_field(const ordered_json& object,
                                       const char* key,
                                       ordered_json::value_t type,
                                       const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return Error{Code::invalid_argument, where + "/" + key + " is missing"};
  }
  if (found->type() != type) {
    return Error{
        Code::invalid_argument,
        where + "/" + key + " is of type " + found->type_name() + ", which is not expected"};
  }
  return &*found;
}

}  // namespace

Result<const ordered_json*> json_array(const ordered_json& object,
                                       const char* key,
                                       const std::string& where) {
  return json_field(object, key, ordered_json::value_t::array, where);
}

Result<const ordered_json*> json_object(const ordered_json& object,
                                        const char* key,
                                        const std::string& where) {
  return json_field(object, key, ordered_json::value_t::object, where);
}

Result<std::string> json_text(const ordered_json& object,
                              const char* key,
                              const std::string& where) {
  FACET_TRY(const auto* field, json_field(object, key, ordered_json::value_t::string, where));
  return field->get<std::string>();
}

Status json_only_fields(const ordered_json& object,
                        std::initializer_list<std::string_view> known,
                        const std::string& where) {
  if (!object.is_object()) return Error{Code::invalid_argument, where + " is not an object"};
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string message = where;
      message.append("/").append(key).append(" is not a known field");
      return Error{Code::invalid_argument, std::move(message)};
    }
  }
  return ok();
}

ordered_json json_percent(double part, double of) {
  if (of == 0.0) return nullptr;
  return 100.0 * part / of;
}

Error file_error(Code code, std::string_view doing, const std::filesystem::path& path) {
  const std::string reason = std::generic_category().message(errno);
  std::string message = "cannot ";
  message.append(doing).append(" '").append(path.string()).append("': ").append(reason);
  return {code, std::move(message)};
}

Status for_each_line(
    const std::filesystem::path& path,
    const std::function<Result<bool>(std::string_view, const std::string&)>& read) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return file_error(Code::not_found, "open", path);
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    if (line.size() > kLineBytesMax) {
      return Error{Code::limit_exceeded,
                   where + " has " + std::to_string(line.size()) + " bytes, more than " +
                       std::to_string(kLineBytesMax)};
    }
    FACET_TRY(const bool more, read(line, where));
    if (!more) return ok();
  }
  if (file.bad()) return file_error(Code::unavailable, "read", path);
  return ok();
}

}  // namespace facet::agent
