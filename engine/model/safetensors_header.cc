#include "engine/model/safetensors_header.h"

#include "base/checked.h"
#include "engine/model/in_quotes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <unordered_set>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::string_view kMetadata = "__metadata__";

/// Receives the header as events. Every handler returns false to stop with `error_` set.
class HeaderHandler : public nlohmann::json::json_sax_t {
 public:
  explicit HeaderHandler(const SafetensorsLimits& limits) : limits_(limits) {}

  bool null() override { return fail("a null value"); }
  bool boolean(bool) override { return fail("a boolean value"); }
  bool binary(binary_t&) override { return fail("a binary value"); }
  bool number_float(number_float_t, const string_t& text) override {
    return fail("the number " + text.substr(0, 40));
  }
  bool number_integer(number_integer_t value) override {
    return fail("the number " + std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position,
                   const std::string&,
                   const nlohmann::detail::exception& exception) override {
    static_cast<void>(exception);
    return fail_with(Code::invalid_data, "no JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] const Error& error() const { return error_; }
  std::vector<SafetensorsEntry> take() { return std::move(entries_); }

 private:
  /// Where in the header the parser is. The format has no deeper level.
  enum class Place { outside, header, entry, metadata, shape, offsets };

  bool fail(const std::string& what) {
    std::string where = place_ == Place::outside ? "the header" : in_quotes(name_);
    if (!field_.empty())
      where += " has under " + in_quotes(field_) + " ";
    else
      where += " has ";
    return fail_with(Code::invalid_data, where + what);
  }
  bool fail_with(Code code, std::string message) {
    error_ = Error{code, "safetensors header: " + std::move(message)};
    return false;
  }
  bool finish_entry();

  const SafetensorsLimits& limits_;
  Place place_ = Place::outside;
  Error error_{Code::invalid_data, "safetensors header: not read"};
  std::vector<SafetensorsEntry> entries_;
  std::unordered_set<std::string> names_;
  std::string name_;   ///< Key of the current entry.
  std::string field_;  ///< Key inside it.
  SafetensorsEntry entry_;
  std::vector<std::int64_t> offsets_;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

bool HeaderHandler::number_unsigned(number_unsigned_t value) {
  const auto number = checked_cast<std::int64_t>(value);
  if (!number) return fail("the number " + std::to_string(value));
  if (place_ == Place::shape) {
    if (entry_.shape.size() == limits_.dims_max) return fail("too many dimensions");
    entry_.shape.push_back(*number);
    return true;
  }
  if (place_ == Place::offsets) {
    if (offsets_.size() == 2) return fail("more than two offsets");
    offsets_.push_back(*number);
    return true;
  }
  return fail("the number " + std::to_string(value));
}

bool HeaderHandler::string(string_t& value) {
  if (place_ == Place::metadata) return true;
  if (place_ != Place::entry || field_ != "dtype") return fail("a text value");
  entry_.dtype = value;
  has_dtype_ = true;
  return true;
}

bool HeaderHandler::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::header;
    return true;
  }
  if (place_ != Place::header) return fail("an object");
  if (name_ == kMetadata) {
    place_ = Place::metadata;
    return true;
  }
  entry_ = SafetensorsEntry{.name = name_};
  offsets_.clear();
  has_dtype_ = has_shape_ = has_offsets_ = false;
  place_ = Place::entry;
  return true;
}

bool HeaderHandler::key(string_t& name) {
  if (place_ == Place::metadata) return true;
  if (place_ == Place::entry) {
    field_ = name;
    const bool again = (field_ == "dtype" && has_dtype_) || (field_ == "shape" && has_shape_) ||
                       (field_ == "data_offsets" && has_offsets_);
    return again ? fail("a second value") : true;
  }
  if (name.size() > limits_.name_bytes_max) {
    return fail_with(Code::limit_exceeded,
                     "a tensor name of " + std::to_string(name.size()) + " bytes, at most " +
                         std::to_string(limits_.name_bytes_max) + " are read");
  }
  if (names_.size() == limits_.tensors_max) {
    return fail_with(Code::limit_exceeded,
                     "more than " + std::to_string(limits_.tensors_max) + " tensors");
  }
  name_ = name;
  field_.clear();
  return names_.insert(name).second
             ? true
             : fail_with(Code::invalid_data, in_quotes(name) + " occurs twice");
}

bool HeaderHandler::start_array(std::size_t) {
  if (place_ == Place::entry && field_ == "shape") {
    place_ = Place::shape;
    has_shape_ = true;
    return true;
  }
  if (place_ == Place::entry && field_ == "data_offsets") {
    place_ = Place::offsets;
    has_offsets_ = true;
    return true;
  }
  return fail("an array");
}

bool HeaderHandler::end_array() {
  place_ = Place::entry;
  return true;
}

bool HeaderHandler::finish_entry() {
  field_.clear();
  if (!has_dtype_ || !has_shape_ || !has_offsets_ || offsets_.size() != 2) {
    return fail("no dtype, shape or pair of data_offsets");
  }
  entry_.begin = offsets_[0];
  entry_.end = offsets_[1];
  entries_.push_back(std::move(entry_));
  place_ = Place::header;
  return true;
}

bool HeaderHandler::end_object() {
  if (place_ == Place::entry) return finish_entry();
  place_ = place_ == Place::metadata ? Place::header : Place::outside;
  return true;
}

/// Refuses overlong texts before the JSON parser walks through them byte by byte: no stretch
/// without a quote may be longer than a text.
Status check_texts(std::string_view text, std::size_t bytes_max) {
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('"'), text.size());
    if (size > bytes_max) {
      return Error{Code::limit_exceeded,
                   "safetensors header: a text (a tensor name, or metadata) of " +
                       std::to_string(size) + " bytes, at most " + std::to_string(bytes_max) +
                       " are read"};
    }
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return ok();
}

}  // namespace

Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::string_view text,
                                                               const SafetensorsLimits& limits) {
  // The library would skip a byte order mark; the format begins with the brace.
  if (!text.starts_with('{')) {
    return Error{Code::invalid_data, "safetensors header: it does not begin with '{'"};
  }
  FACET_TRY_STATUS(check_texts(text, limits.text_bytes_max));
  try {
    HeaderHandler handler(limits);
    if (!nlohmann::json::sax_parse(text, &handler)) return handler.error();
    return handler.take();
  } catch (const std::exception& error) {
    return Error{Code::invalid_data, std::string("safetensors header: ") + error.what()};
  }
}

}  // namespace facet::engine
