#include "tools/json_writer.h"

#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

void JsonWriter::separate() {
  if (!fresh_) text_ += ',';
  fresh_ = false;
}

void JsonWriter::begin_object() {
  separate();
  text_ += '{';
  fresh_ = true;
}

void JsonWriter::end_object() {
  text_ += '}';
  fresh_ = false;
}

void JsonWriter::begin_array() {
  separate();
  text_ += '[';
  fresh_ = true;
}

void JsonWriter::end_array() {
  text_ += ']';
  fresh_ = false;
}

void JsonWriter::key(std::string_view name) {
  separate();
  text_ += json_quote(name);
  text_ += ':';
  fresh_ = true;
}

void JsonWriter::string(std::string_view value) {
  separate();
  text_ += json_quote(to_valid_utf8(value));
}

void JsonWriter::number(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
}

void JsonWriter::number(std::uint64_t value) {
  separate();
  text_ += std::to_string(value);
}

void JsonWriter::number(double value) {
  separate();
  if (!std::isfinite(value)) error_ = "the result is not a finite number";
  text_ += dump_json(Json(value));
}

void JsonWriter::number(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double shown = static_cast<double>(value);
  if (std::isfinite(value)) std::from_chars(text.data(), end, shown);
  number(shown);
}

void JsonWriter::boolean(bool value) {
  separate();
  text_ += value ? "true" : "false";
}

void JsonWriter::null() {
  separate();
  text_ += "null";
}

void JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
}

Result<Json> JsonWriter::finish() const {
  if (!error_.empty()) return Error{Code::invalid_data, error_};
  return parse_json(text_, "the result");
}

}  // namespace facet::tools
