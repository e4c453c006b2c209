#include "base/json.h"

#include <nlohmann/json.hpp>

#include <unordered_map>
#include <utility>
#include <vector>

namespace facet {
namespace {

using Json = nlohmann::ordered_json;

/// Beyond this many members an object gets an index: the library's own object looks a key up by
/// going through all of them, so that a megabyte of keys would take a minute to read.
constexpr std::size_t kMembersSearched = 32;

/// Builds the value from the parser's events. The parser keeps its own stack, so depth costs no
/// recursion here or there.
class Builder final : public Json::json_sax_t {
 public:
  explicit Builder(int depth_max) : depth_max_(static_cast<std::size_t>(depth_max)) {}

  [[nodiscard]] Json take() { return std::move(root_); }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] bool is_too_deep() const { return too_deep_; }

  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return add(value) != nullptr;
  }
  bool string(string_t& value) override { return add(std::move(value)) != nullptr; }
  bool binary(binary_t& /*value*/) override { return false; }  // JSON text has none.
  bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position,
                   const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    const bool syntax = dynamic_cast<const Json::parse_error*>(&error) != nullptr;
    // The library quotes a number that is out of range, however long it is.
    error_ = syntax ? "syntax error at byte " + std::to_string(position)
                    : std::string(error.what()).substr(0, 120);
    return false;
  }

 private:
  /// An array or object that is not closed yet. Its place does not move meanwhile: its parent takes
  /// no other member before it is closed.
  struct Open {
    Json* value = nullptr;
    std::string key;                                     ///< Of the member that comes next.
    std::unordered_map<std::string, std::size_t> index;  ///< Filled beyond kMembersSearched.
  };

  Json* add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Open& parent = open_.back();
    if (parent.value->is_array()) {
      parent.value->push_back(std::move(value));
      return &parent.value->back();
    }
    return member(parent, std::move(value));
  }

  /// The member of the key at hand, which takes the place of an earlier one.
  static Json* member(Open& parent, Json value) {
    auto& members = *parent.value->get_ptr<Json::object_t*>();
    using List = Json::object_t::Container;
    std::size_t at = members.size();
    if (members.size() < kMembersSearched) {
      const auto found = members.find(parent.key);
      if (found != members.end()) at = static_cast<std::size_t>(found - members.begin());
    } else {
      if (parent.index.empty()) {
        for (const auto& [key, ignored] : members) parent.index.emplace(key, parent.index.size());
      }
      at = parent.index.emplace(parent.key, members.size()).first->second;
    }
    if (at == members.size()) {
      members.List::emplace_back(std::move(parent.key), std::move(value));
    } else {
      members.List::operator[](at).second = std::move(value);
    }
    return &members.List::operator[](at).second;
  }

  bool open(Json value) {
    if (open_.size() >= depth_max_) {
      too_deep_ = true;
      return false;
    }
    open_.push_back({.value = add(std::move(value)), .key = {}, .index = {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t depth_max_;
  Json root_;
  std::vector<Open> open_;
  std::string error_;
  bool too_deep_ = false;
};

}  // namespace

Result<nlohmann::ordered_json> parse_json(std::string_view text,
                                          std::string_view what,
                                          JsonLimits limits) {
  const std::string name(what);
  if (text.size() > limits.bytes_max) {
    return Error{Code::limit_exceeded,
                 name + " has " + std::to_string(text.size()) + " bytes of JSON; the limit is " +
                     std::to_string(limits.bytes_max)};
  }
  Builder builder(limits.nesting_depth_max);
  if (Json::sax_parse(text, &builder)) return builder.take();
  if (builder.is_too_deep()) {
    return Error{Code::limit_exceeded,
                 name + " nests JSON more than " + std::to_string(limits.nesting_depth_max) +
                     " levels deep"};
  }
  return Error{Code::invalid_data, name + " is not JSON: " + builder.error()};
}

std::string dump_json(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string json_quote(std::string_view text) {
  return dump_json(nlohmann::ordered_json(std::string(text)));
}

}  // namespace facet
