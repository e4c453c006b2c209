// Typed reads of JSON configuration files: an absent or null key has a default, a key of another
// type is an error that names it.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

/// The fields of one JSON object, borrowed; empty when the object is absent.
class JsonFields {
 public:
  JsonFields() = default;
  /// REQUIRES: `object` is null or points to a JSON object that outlives this.
  explicit JsonFields(const nlohmann::ordered_json* object) : object_(object) {}

  /// True when there is no such object.
  [[nodiscard]] bool empty() const { return object_ == nullptr; }

  [[nodiscard]] Result<int> integer(std::string_view key, int otherwise) const;
  [[nodiscard]] Result<double> number(std::string_view key, double otherwise) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key, bool otherwise) const;
  [[nodiscard]] Result<std::string> text(std::string_view key, std::string otherwise) const;
  /// The object under `key`, empty() when it is absent or null.
  [[nodiscard]] Result<JsonFields> object(std::string_view key) const;
  /// A list of texts; empty when absent.
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view key) const;
  /// One integer or a list of them; empty when absent.
  [[nodiscard]] Result<std::vector<std::int32_t>> integers(std::string_view key) const;

 private:
  [[nodiscard]] const nlohmann::ordered_json* find(std::string_view key) const;

  const nlohmann::ordered_json* object_ = nullptr;
};

}  // namespace facet::engine
