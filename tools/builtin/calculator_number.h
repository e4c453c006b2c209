// The numbers of the calculator: exact whole numbers of 128 bits that become long double when they
// must. Private to the calculator.
#pragma once

#include "base/result.h"

#include <string>
#include <variant>
#include <vector>

namespace facet::tools::calculator {

__extension__ using Wide = __int128;

/// A value: exact and whole, or rounded to 64 bits of mantissa.
class Number {
 public:
  static Number whole(Wide value) { return Number(value); }
  /// limit_exceeded when `value` is infinite, invalid_argument when it is NaN.
  static Result<Number> rounded(long double value);

  [[nodiscard]] bool is_whole() const { return std::holds_alternative<Wide>(value_); }
  [[nodiscard]] Wide as_whole() const { return *std::get_if<Wide>(&value_); }
  [[nodiscard]] long double as_real() const {
    const Wide* exact = std::get_if<Wide>(&value_);
    return exact != nullptr ? static_cast<long double>(*exact) : *std::get_if<long double>(&value_);
  }

  /// JSON text: up to 15 digits, without a fraction when there is none.
  [[nodiscard]] Result<std::string> text() const;

 private:
  explicit Number(Wide value) : value_(value) {}
  explicit Number(long double value) : value_(value) {}

  std::variant<Wide, long double> value_;
};

Result<Number> add(const Number& a, const Number& b);
Result<Number> subtract(const Number& a, const Number& b);
Result<Number> multiply(const Number& a, const Number& b);
Result<Number> divide(const Number& a, const Number& b);
/// The remainder has the sign of the divisor, as in Python: -7 % 3 is 2.
Result<Number> modulo(const Number& a, const Number& b);
Result<Number> power(const Number& base, const Number& exponent);
Result<Number> negate(const Number& a);

/// `name` of sqrt abs round floor ceil min max, applied; invalid_argument for another name (listing
/// these) or a wrong count of arguments.
Result<Number> call_function(const std::string& name, const std::vector<Number>& arguments);

}  // namespace facet::tools::calculator
