// JsonWriter: JSON text, piece by piece, for headers that must not see json.hpp.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace facet::tools {

/// Puts the commas; the caller keeps the brackets in balance. Not thread-safe.
class JsonWriter {
 public:
  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);
  void string(std::string_view value);  ///< Repairs what is not UTF-8.
  void number(std::int64_t value);
  void number(std::uint64_t value);
  void number(double value);  ///< JSON has no infinity and no NaN: they make finish() an Error.
  void number(float value);   ///< In the fewest digits that give this float back.
  void boolean(bool value);
  void null();
  void raw(std::string_view json);

  /// The value written. invalid_data when it is not JSON.
  Result<nlohmann::ordered_json> finish() const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void separate();

  std::string text_;
  std::string error_;
  bool fresh_ = true;  ///< Nothing stands in front of the next value at this level.
};

}  // namespace facet::tools
