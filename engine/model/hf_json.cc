#include "engine/model/hf_json.h"

#include "base/checked.h"
#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace facet::engine {
namespace {

using Json = nlohmann::ordered_json;

Error wrong(std::string_view key, const Json& value, std::string_view expected) {
  return Error{Code::invalid_data,
               std::string(key) + " is " + to_valid_utf8(dump_json(value).substr(0, 80)) +
                   ", expected " + std::string(expected)};
}

template <typename T>
std::optional<T> integer_of(const Json& value) {
  if (value.is_number_unsigned()) return checked_cast<T>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return checked_cast<T>(value.get<std::int64_t>());
  return std::nullopt;
}

}  // namespace

const Json* JsonFields::find(std::string_view key) const {
  if (object_ == nullptr) return nullptr;
  const auto at = object_->find(std::string(key));
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

Result<int> JsonFields::integer(std::string_view key, int otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  const auto out = integer_of<int>(*value);
  if (!out) return wrong(key, *value, "an integer");
  return *out;
}

Result<double> JsonFields::number(std::string_view key, double otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) return wrong(key, *value, "a number");
  return value->get<double>();
}

Result<bool> JsonFields::boolean(std::string_view key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return wrong(key, *value, "true or false");
  return value->get<bool>();
}

Result<std::string> JsonFields::text(std::string_view key, std::string otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) return wrong(key, *value, "a text");
  return value->get<std::string>();
}

Result<JsonFields> JsonFields::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return JsonFields();
  if (!value->is_object()) return wrong(key, *value, "an object");
  return JsonFields(value);
}

Result<std::vector<std::string>> JsonFields::texts(std::string_view key) const {
  std::vector<std::string> out;
  const Json* value = find(key);
  if (value == nullptr) return out;
  if (!value->is_array()) return wrong(key, *value, "a list of texts");
  for (const Json& element : *value) {
    if (!element.is_string()) return wrong(key, element, "a list of texts");
    out.push_back(element.get<std::string>());
  }
  return out;
}

Result<std::vector<std::int32_t>> JsonFields::integers(std::string_view key) const {
  std::vector<std::int32_t> out;
  const Json* value = find(key);
  if (value == nullptr) return out;
  const std::vector<Json> elements =
      value->is_array() ? value->get<std::vector<Json>>() : std::vector<Json>{*value};
  for (const Json& element : elements) {
    const auto id = integer_of<std::int32_t>(element);
    if (!id) return wrong(key, element, "an integer or a list of integers");
    out.push_back(*id);
  }
  return out;
}

}  // namespace facet::engine
