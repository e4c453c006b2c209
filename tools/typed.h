// Typed tools: a C++ callable becomes a Tool, its parameters become a JSON Schema.
//
//   enum class Cabin { economy, business };
//   FACET_ENUM(Cabin, {Cabin::economy, "economy"}, {Cabin::business, "business"})
//
//   struct TravelArgs {
//     std::string city;
//     int nights = 1;
//     std::optional<Cabin> cabin;
//   };
//   FACET_FIELDS(TravelArgs,
//                FACET_FIELD(city, "Where to go."),
//                FACET_FIELD(nights, "How many nights.", {.minimum = 1, .maximum = 30}),
//                FACET_FIELD(cabin, "Class of travel."))
//
//   auto tool = make_tool<TravelArgs>("book_travel", "Books a trip.",
//                                     [](const TravelArgs& args) { return price_of(args); });
//
// Both macros stand beside the type, in its namespace.
//
// Types of fields: std::string, bool, integers, float, double, enums with FACET_ENUM, structs with
// FACET_FIELDS, std::vector and std::optional of these. Every field but a std::optional is
// required; a tool without arguments has a struct without fields: FACET_FIELDS(NoArgs). The
// callable takes (const Args&) or (const Args&, const CallContext&) and returns T or Result<T>,
// where T is a struct (the object itself is the result), JsonText (taken as it is), or any other
// field type, which becomes {"result": value}; void becomes {"result": "done"}.
#pragma once

#include "base/result.h"
#include "tools/json_writer.h"
#include "tools/tool.h"

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace facet::tools {

/// A result that is JSON text already. Text that is not JSON makes the call an Error.
struct JsonText {
  std::string text;
};

/// What a field allows beyond its type. Items of a vector: `length_*` counts them.
struct FieldLimits {
  // Written out, so that naming some of them is no warning (-Wmissing-field-initializers).
  std::optional<double> minimum = std::nullopt, maximum = std::nullopt;
  std::optional<std::size_t> length_min = std::nullopt, length_max = std::nullopt;
  /// Composed, not copied from the conversation: `x-facet-free` (base/grammar/schema_grammar.h).
  bool is_free = false;
};

template <typename Owner, typename Member>
struct Field {
  const char* name;
  Member Owner::*member;
  const char* description;
  FieldLimits limits;
};

template <typename Owner, typename Member>
Field<Owner, Member> make_field(const char* name,
                                Member Owner::*member,
                                const char* description,
                                FieldLimits limits = {}) {
  return {name, member, description, limits};
}

template <typename E>
struct EnumName {
  E value;
  const char* name;
};

#define FACET_FIELD(member, ...) \
  ::facet::tools::make_field(#member, &FacetDescribed::member, __VA_ARGS__)
#define FACET_FIELDS(Type, ...)                                   \
  [[maybe_unused]] inline auto facet_fields(const Type* unused) { \
    using FacetDescribed [[maybe_unused]] = Type;                 \
    static_cast<void>(unused);                                    \
    return std::make_tuple(__VA_ARGS__);                          \
  }
#define FACET_ENUM(Type, ...)                                                           \
  [[maybe_unused]] inline std::vector<::facet::tools::EnumName<Type>> facet_enum_names( \
      const Type* unused) {                                                             \
    static_cast<void>(unused);                                                          \
    return {__VA_ARGS__};                                                               \
  }

template <typename T>
concept DescribedStruct = requires(const T* type) {
  facet_fields(type);
};
template <typename T>
concept DescribedEnum = std::is_enum_v<T> && requires(const T* type) {
  facet_enum_names(type);
};
template <typename T>
concept FieldInteger = std::integral<T> && !std::same_as<T, bool>;

namespace typed {

// Readers of one JSON value. `at` is the JSON pointer that an error names.
Status read_text(const nlohmann::ordered_json& value, const std::string& at, std::string& out);
Status read_bool(const nlohmann::ordered_json& value, const std::string& at, bool& out);
Status read_number(const nlohmann::ordered_json& value, const std::string& at, double& out);
Status read_signed(const nlohmann::ordered_json& value, const std::string& at, std::int64_t& out);
Status read_unsigned(const nlohmann::ordered_json& value,
                     const std::string& at,
                     std::uint64_t& out);
/// The member `name`, or null when `object` is no object or has none.
const nlohmann::ordered_json* member(const nlohmann::ordered_json& object, const char* name);
bool is_null(const nlohmann::ordered_json& value);
/// The number of items, or nothing when `value` is no array.
std::optional<std::size_t> array_size(const nlohmann::ordered_json& value);
const nlohmann::ordered_json& item(const nlohmann::ordered_json& array, std::size_t index);
Error wrong(const std::string& at, std::string_view message);
/// The limits and x-facet-free as keywords; `length_keywords` is "Length", "Items" or empty for
/// numbers.
void write_limits(JsonWriter& out, const FieldLimits& limits, std::string_view length_keywords);

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T>
struct IsResult : std::false_type {};
template <typename T>
struct IsResult<Result<T>> : std::true_type {};

template <typename T>
void write_schema(JsonWriter& out, const char* description, const FieldLimits& limits);

template <typename T>
void write_object_schema(JsonWriter& out, const char* description) {
  out.begin_object();
  out.key("type");
  out.string("object");
  if (*description != '\0') {
    out.key("description");
    out.string(description);
  }
  out.key("properties");
  out.begin_object();
  std::vector<const char*> required;
  std::apply(
      [&](const auto&... fields) {
        [[maybe_unused]] const auto one = [&]<typename Member>(const Field<T, Member>& field) {
          out.key(field.name);
          write_schema<Member>(out, field.description, field.limits);
          if (!IsOptional<Member>::value) required.push_back(field.name);
        };
        (one(fields), ...);
      },
      facet_fields(static_cast<const T*>(nullptr)));
  out.end_object();
  if (!required.empty()) {
    out.key("required");
    out.begin_array();
    for (const char* name : required) out.string(name);
    out.end_array();
  }
  out.key("additionalProperties");
  out.boolean(false);
  out.end_object();
}

/// The range of T, where the field sets none. 64-bit signed integers need no bound.
template <FieldInteger T>
FieldLimits integer_limits(FieldLimits limits) {
  if (!limits.minimum && (std::is_unsigned_v<T> || sizeof(T) < 8)) {
    limits.minimum = static_cast<double>(std::numeric_limits<T>::min());
  }
  if (!limits.maximum && sizeof(T) < 8) {
    limits.maximum = static_cast<double>(std::numeric_limits<T>::max());
  }
  return limits;
}

template <typename T>
void write_schema(JsonWriter& out, const char* description, const FieldLimits& limits) {
  if constexpr (IsOptional<T>::value) {
    write_schema<typename T::value_type>(out, description, limits);
  } else if constexpr (DescribedStruct<T>) {
    write_object_schema<T>(out, description);
  } else {
    static_assert(std::same_as<T, bool> || std::same_as<T, std::string> || FieldInteger<T> ||
                      std::floating_point<T> || IsVector<T>::value || DescribedEnum<T>,
                  "this type cannot be a field; see the top of tools/typed.h");
    out.begin_object();
    out.key("type");
    if constexpr (std::same_as<T, bool>) out.string("boolean");
    if constexpr (std::same_as<T, std::string> || DescribedEnum<T>) out.string("string");
    if constexpr (FieldInteger<T>) out.string("integer");
    if constexpr (std::floating_point<T>) out.string("number");
    if constexpr (IsVector<T>::value) out.string("array");
    if (*description != '\0') {
      out.key("description");
      out.string(description);
    }
    if constexpr (DescribedEnum<T>) {
      out.key("enum");
      out.begin_array();
      for (const auto& entry : facet_enum_names(static_cast<const T*>(nullptr))) {
        out.string(entry.name);
      }
      out.end_array();
    } else if constexpr (FieldInteger<T>) {
      write_limits(out, integer_limits<T>(limits), "");
    } else if constexpr (IsVector<T>::value) {
      out.key("items");
      write_schema<typename T::value_type>(out, "", {});
      write_limits(out, limits, "Items");
    } else {
      write_limits(out, limits, std::same_as<T, std::string> ? "Length" : "");
    }
    out.end_object();
  }
}

template <typename T>
Status read(const nlohmann::ordered_json& value, const std::string& at, T& out);

template <FieldInteger T>
Status read_integer(const nlohmann::ordered_json& value, const std::string& at, T& out) {
  using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
  Wide wide = 0;
  if constexpr (std::is_signed_v<T>) {
    FACET_TRY_STATUS(read_signed(value, at, wide));
  } else {
    FACET_TRY_STATUS(read_unsigned(value, at, wide));
  }
  if (!std::in_range<T>(wide)) return wrong(at, "is beyond the range of its type");
  out = static_cast<T>(wide);
  return ok();
}

template <typename T>
Status read_struct(const nlohmann::ordered_json& value, const std::string& at, T& out) {
  Status status;
  [[maybe_unused]] const auto one = [&]<typename Member>(const Field<T, Member>& field) {
    if (!status) return;
    const nlohmann::ordered_json* found = member(value, field.name);
    const std::string here = at + "/" + field.name;
    if (found != nullptr) {
      status = read(*found, here, out.*(field.member));
    } else if constexpr (IsOptional<Member>::value) {
      (out.*(field.member)).reset();
    } else {
      status = wrong(here, "is missing");
    }
  };
  std::apply([&](const auto&... fields) { (one(fields), ...); },
             facet_fields(static_cast<const T*>(nullptr)));
  return status;
}

template <typename T>
Status read_vector(const nlohmann::ordered_json& value,
                   const std::string& at,
                   std::vector<T>& out) {
  const auto size = array_size(value);
  if (!size) return wrong(at, "must be an array");
  out.clear();
  for (std::size_t i = 0; i < *size; ++i) {
    T element{};
    FACET_TRY_STATUS(read(item(value, i), at + "/" + std::to_string(i), element));
    out.push_back(std::move(element));
  }
  return ok();
}

template <typename T>
Status read_enum(const nlohmann::ordered_json& value, const std::string& at, T& out) {
  std::string name;
  FACET_TRY_STATUS(read_text(value, at, name));
  for (const auto& entry : facet_enum_names(static_cast<const T*>(nullptr))) {
    if (name != entry.name) continue;
    out = entry.value;
    return ok();
  }
  return wrong(at, "is none of its known names");
}

template <typename T>
Status read(const nlohmann::ordered_json& value, const std::string& at, T& out) {
  if constexpr (IsOptional<T>::value) {
    out.reset();
    if (is_null(value)) return ok();
    return read(value, at, out.emplace());
  } else if constexpr (DescribedStruct<T>) {
    return read_struct(value, at, out);
  } else if constexpr (IsVector<T>::value) {
    return read_vector(value, at, out);
  } else if constexpr (DescribedEnum<T>) {
    return read_enum(value, at, out);
  } else if constexpr (std::same_as<T, bool>) {
    return read_bool(value, at, out);
  } else if constexpr (std::same_as<T, std::string>) {
    return read_text(value, at, out);
  } else if constexpr (FieldInteger<T>) {
    return read_integer(value, at, out);
  } else {
    double number = 0;
    FACET_TRY_STATUS(read_number(value, at, number));
    if constexpr (sizeof(T) < sizeof(double)) {
      constexpr double kMost = std::numeric_limits<T>::max();
      if (number > kMost || number < -kMost) return wrong(at, "is beyond the range of its type");
    }
    out = static_cast<T>(number);
    return ok();
  }
}

template <typename T>
void write(JsonWriter& out, const T& value) {
  if constexpr (IsOptional<T>::value) {
    if (value) {
      write(out, *value);
    } else {
      out.null();
    }
  } else if constexpr (DescribedStruct<T>) {
    out.begin_object();
    [[maybe_unused]] const auto one = [&]<typename Member>(const Field<T, Member>& field) {
      const Member& member_value = value.*(field.member);
      if constexpr (IsOptional<Member>::value) {
        if (!member_value) return;
      }
      out.key(field.name);
      write(out, member_value);
    };
    std::apply([&](const auto&... fields) { (one(fields), ...); },
               facet_fields(static_cast<const T*>(nullptr)));
    out.end_object();
  } else if constexpr (IsVector<T>::value) {
    out.begin_array();
    for (const auto& element : value) {
      write<typename T::value_type>(out, element);
    }
    out.end_array();
  } else if constexpr (DescribedEnum<T>) {
    for (const auto& entry : facet_enum_names(static_cast<const T*>(nullptr))) {
      if (entry.value == value) return out.string(entry.name);
    }
    out.null();
  } else if constexpr (std::same_as<T, bool>) {
    out.boolean(value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    out.string(value);
  } else if constexpr (std::signed_integral<T>) {
    out.number(static_cast<std::int64_t>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    out.number(static_cast<std::uint64_t>(value));
  } else {
    static_assert(std::floating_point<T>, "this type cannot be a result; see tools/typed.h");
    if constexpr (std::same_as<T, float>) {
      out.number(value);
    } else {
      out.number(static_cast<double>(value));
    }
  }
}

/// The whole result of a call as JSON text.
template <typename T>
void write_result(JsonWriter& out, const T& value) {
  if constexpr (std::same_as<T, JsonText>) {
    out.raw(value.text);
  } else if constexpr (DescribedStruct<T>) {
    write(out, value);
  } else {
    out.begin_object();
    out.key("result");
    write(out, value);
    out.end_object();
  }
}

using Call =
    std::function<Status(const nlohmann::ordered_json&, const CallContext&, JsonWriter& result)>;

std::shared_ptr<const Tool> make(ToolSpec spec, Effect effect, Call call);

}  // namespace typed

/// The JSON Schema of Args, which has FACET_FIELDS.
template <DescribedStruct Args>
std::string schema_of() {
  JsonWriter out;
  typed::write_object_schema<Args>(out, "");
  return out.text();
}

/// `value`, which must satisfy schema_of<Args>(), as Args. invalid_argument names the JSON pointer.
template <DescribedStruct Args>
Result<Args> arguments_as(const nlohmann::ordered_json& value) {
  Args out{};
  FACET_TRY_STATUS(typed::read(value, "", out));
  return out;
}

/// A tool that calls `callable`, as the top of this file says. The callable must be safe to call
/// from several threads at once; what it throws is the executor's to catch.
template <DescribedStruct Args, typename Callable>
std::shared_ptr<const Tool> make_tool(std::string name,
                                      std::string description,
                                      Callable callable,
                                      Effect effect = Effect::read_only) {
  auto call = [callable = std::move(callable)](const nlohmann::ordered_json& arguments,
                                               const CallContext& context,
                                               JsonWriter& out) -> Status {
    FACET_TRY(const Args args, arguments_as<Args>(arguments));
    const auto invoke = [&] {
      if constexpr (std::invocable<const Callable&, const Args&, const CallContext&>) {
        return callable(args, context);
      } else {
        static_cast<void>(context);
        return callable(args);
      }
    };
    using Returned = decltype(invoke());
    if constexpr (std::is_void_v<Returned>) {
      invoke();
      typed::write_result(out, std::string("done"));
    } else if constexpr (std::same_as<Returned, Status>) {
      FACET_TRY_STATUS(invoke());
      typed::write_result(out, std::string("done"));
    } else if constexpr (typed::IsResult<Returned>::value) {
      FACET_TRY(const typename Returned::value_type value, invoke());
      typed::write_result(out, value);
    } else {
      typed::write_result(out, invoke());
    }
    return ok();
  };
  return typed::make({.name = std::move(name),
                      .description = std::move(description),
                      .parameters = schema_of<Args>()},
                     effect,
                     std::move(call));
}

}  // namespace facet::tools
