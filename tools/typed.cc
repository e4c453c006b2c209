#include "tools/typed.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

/// The tool behind make_tool.
class TypedTool final : public Tool {
 public:
  TypedTool(ToolSpec spec, Effect effect, typed::Call call)
      : spec_(std::move(spec)), effect_(effect), call_(std::move(call)) {}

  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Effect effect() const override { return effect_; }

  Result<Json> call(const Json& arguments, const CallContext& context) const override {
    JsonWriter out;
    FACET_TRY_STATUS(call_(arguments, context, out));
    auto value = out.finish();
    if (!value) return value.error().with_context(spec_.name);
    return value;
  }

 private:
  ToolSpec spec_;
  Effect effect_;
  typed::Call call_;
};

}  // namespace

namespace typed {

Error wrong(const std::string& at, std::string_view message) {
  return {Code::invalid_argument,
          (at.empty() ? std::string("the arguments") : at) + " " + std::string(message)};
}

Status read_text(const Json& value, const std::string& at, std::string& out) {
  if (!value.is_string()) return wrong(at, "must be a string");
  out = value.get<std::string>();
  return ok();
}

Status read_bool(const Json& value, const std::string& at, bool& out) {
  if (!value.is_boolean()) return wrong(at, "must be a boolean");
  out = value.get<bool>();
  return ok();
}

Status read_number(const Json& value, const std::string& at, double& out) {
  if (!value.is_number()) return wrong(at, "must be a number");
  out = value.get<double>();
  return ok();
}

namespace {

/// `value` as a whole number within [least, most], or an error. 2^63 and 2^64 are exact here.
Result<long double> whole(const Json& value,
                          const std::string& at,
                          long double least,
                          long double most) {
  const long double number = value.is_number() ? value.get<long double>() : std::nanl("");
  if (!(std::trunc(number) == number)) return wrong(at, "must be an integer");
  if (number < least || number > most) return wrong(at, "is beyond the range of its type");
  return number;
}

}  // namespace

Status read_signed(const Json& value, const std::string& at, std::int64_t& out) {
  FACET_TRY(const long double number,
            whole(value, at, -9223372036854775808.0L, 9223372036854775807.0L));
  out = static_cast<std::int64_t>(number);
  return ok();
}

Status read_unsigned(const Json& value, const std::string& at, std::uint64_t& out) {
  FACET_TRY(const long double number, whole(value, at, 0.0L, 18446744073709551615.0L));
  out = static_cast<std::uint64_t>(number);
  return ok();
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool is_null(const Json& value) {
  return value.is_null();
}

std::optional<std::size_t> array_size(const Json& value) {
  if (!value.is_array()) return std::nullopt;
  return value.size();
}

const Json& item(const Json& array, std::size_t index) {
  return array[index];
}

void write_limits(JsonWriter& out, const FieldLimits& limits, std::string_view length_keywords) {
  const auto number = [&](const char* name, const std::optional<double>& bound) {
    if (!bound) return;
    out.key(name);
    const bool integral = std::trunc(*bound) == *bound && std::abs(*bound) < 9.0e15;
    if (integral) {
      out.number(static_cast<std::int64_t>(*bound));
    } else {
      out.number(*bound);
    }
  };
  const auto length = [&](const char* prefix, const std::optional<std::size_t>& bound) {
    if (!bound || length_keywords.empty()) return;
    out.key(prefix + std::string(length_keywords));
    out.number(static_cast<std::uint64_t>(*bound));
  };
  number("minimum", limits.minimum);
  number("maximum", limits.maximum);
  length("min", limits.length_min);
  length("max", limits.length_max);
  if (limits.is_free) {
    out.key("x-facet-free");
    out.boolean(true);
  }
}

std::shared_ptr<const Tool> make(ToolSpec spec, Effect effect, Call call) {
  return std::make_shared<TypedTool>(std::move(spec), effect, std::move(call));
}

}  // namespace typed
}  // namespace facet::tools
