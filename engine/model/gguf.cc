#include "engine/model/gguf.h"

#include "engine/model/gguf_parser.h"
#include "engine/model/in_quotes.h"

#include <utility>

namespace facet::engine {
namespace {

Error invalid(std::string message) {
  return Error{Code::invalid_data, std::move(message)};
}

template <typename T>
Result<std::optional<T>> typed(const Gguf& gguf, std::string_view key, std::string_view type) {
  const GgufValue* value = gguf.find(key);
  if (value == nullptr) return std::optional<T>();
  if (const T* held = std::get_if<T>(value)) return std::optional<T>(*held);
  return invalid("key " + in_quotes(key) + " is not " + std::string(type));
}

template <typename T>
Result<T> needed(Result<std::optional<T>> found, std::string_view key) {
  if (!found) return found.error();
  if (!found->has_value()) return invalid("key " + in_quotes(key) + " is missing");
  return **found;
}

}  // namespace

Result<Gguf> Gguf::parse(std::span<const std::byte> bytes, const GgufLimits& limits) {
  FACET_TRY(GgufParts parts, parse_gguf(bytes, limits));
  Gguf out;
  out.version_ = parts.version;
  out.metadata_ = std::move(parts.metadata);
  out.tensors_ = std::move(parts.tensors);
  return out;
}

const GgufValue* Gguf::find(std::string_view key) const {
  const auto at = metadata_.find(key);
  return at == metadata_.end() ? nullptr : &at->second;
}

Result<std::optional<std::int64_t>> Gguf::integer(std::string_view key) const {
  return typed<std::int64_t>(*this, key, "an integer");
}

Result<std::optional<double>> Gguf::number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value != nullptr && std::holds_alternative<std::int64_t>(*value)) {
    return std::optional<double>(static_cast<double>(std::get<std::int64_t>(*value)));
  }
  return typed<double>(*this, key, "a number");
}

Result<std::optional<bool>> Gguf::boolean(std::string_view key) const {
  return typed<bool>(*this, key, "a bool");
}

Result<std::optional<std::string_view>> Gguf::string(std::string_view key) const {
  return typed<std::string_view>(*this, key, "a string");
}

Result<std::int64_t> Gguf::need_integer(std::string_view key) const {
  return needed(integer(key), key);
}

Result<double> Gguf::need_number(std::string_view key) const {
  return needed(number(key), key);
}

Result<std::string_view> Gguf::need_string(std::string_view key) const {
  return needed(string(key), key);
}

}  // namespace facet::engine
