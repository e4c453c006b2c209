// Result<T>: a value or an Error. The names are those of std::expected (C++23), so an alias can
// replace this file later. Expected failures travel as Error; bugs are FACET_CHECKs.
#pragma once

#include "base/check.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace facet {

/// The closed list of failures that callers can tell apart. The command line maps them to exit
/// codes.
enum class Code {
  invalid_argument,   ///< The caller or the user gave a value that can never be right.
  not_found,          ///< A named thing (file, tool, token, document) does not exist.
  invalid_data,       ///< Bytes from outside (file, network, model) break their format.
  unsupported,        ///< Well-formed, but a type, architecture, version or feature we do not have.
  limit_exceeded,     ///< A stated limit or budget was reached.
  unavailable,        ///< A resource or backend cannot be had now: I/O error, memory, device, lock.
  permission_denied,  ///< Policy, approval or the operating system said no.
  timeout,            ///< A deadline passed.
  cancelled,          ///< A stop was asked for.
  internal,           ///< A library failed in a way that is not the caller's fault.
};

/// Stable lower-case name of `code`, as printed in JSON ("invalid_argument").
std::string_view code_name(Code code);

/// What went wrong. `message` names the thing and the value, in one sentence without a final stop.
struct Error {
  Code code = Code::internal;
  std::string message;

  /// The same error with `context` and a colon in front of the message: one layer adds it once.
  [[nodiscard]] Error with_context(std::string_view context) const;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // The conversion is the point, as in std::expected.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // An error converts too, as std::unexpected does.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  /// REQUIRES: has_value().
  T& value() & { return get(); }
  const T& value() const& { return get(); }
  T&& value() && { return std::move(get()); }
  T& operator*() & { return get(); }
  const T& operator*() const& { return get(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T* operator->() const { return &get(); }

  /// REQUIRES: !has_value().
  [[nodiscard]] const Error& error() const {
    FACET_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }

  template <typename U>
  [[nodiscard]] T value_or(U&& other) const& {
    return has_value() ? get() : static_cast<T>(std::forward<U>(other));
  }

 private:
  T& get() {
    FACET_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& get() const {
    FACET_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

/// Success or an Error. `return {};` or `return ok();` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  // An error converts too, as std::unexpected does.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}

  [[nodiscard]] bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] const Error& error() const {
    FACET_CHECK(!has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

inline Status ok() {
  return {};
}

}  // namespace facet

#define FACET_CONCAT_INNER_(a, b) a##b
#define FACET_CONCAT_(a, b) FACET_CONCAT_INNER_(a, b)

/// Returns the error of `expression` (a Result) from the enclosing function, if it has one.
#define FACET_TRY_STATUS(expression) \
  FACET_TRY_STATUS_INNER_(FACET_CONCAT_(facet_status_, __COUNTER__), expression)
#define FACET_TRY_STATUS_INNER_(name, expression) \
  do {                                            \
    if (auto name = (expression); !name) {        \
      return name.error();                        \
    }                                             \
  } while (false)

/// `FACET_TRY(auto x, f());` declares x with f's value, or returns f's error.
#define FACET_TRY(declaration, expression) \
  FACET_TRY_INNER_(FACET_CONCAT_(facet_result_, __COUNTER__), declaration, expression)
#define FACET_TRY_INNER_(name, declaration, expression) \
  auto name = (expression);                             \
  if (!name) {                                          \
    return name.error();                                \
  }                                                     \
  declaration = *std::move(name)
