#include "tools/builtin/calculator_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace facet::tools::calculator {
namespace {

constexpr int kDigits = 15;  ///< What a double can hold of every decimal.

Error bad(const std::string& message) {
  return {Code::invalid_argument, message};
}

std::string digits_of(Wide value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  std::string out;
  for (; value != 0; value /= 10) {
    const int digit = static_cast<int>(value % 10);
    out += static_cast<char>('0' + (negative ? -digit : digit));
  }
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

Result<Number> to_whole_if_exact(long double value) {
  // Every whole long double below 2^63 is exact.
  if (std::trunc(value) == value && std::abs(value) < 9223372036854775808.0L) {
    return Number::whole(static_cast<Wide>(value));
  }
  return Number::rounded(value);
}

/// value rounded half away from zero at `digits` decimals.
Result<Number> round_to(const Number& value, const Number& digits) {
  if (!digits.is_whole() || digits.as_whole() < 0 || digits.as_whole() > kDigits) {
    return bad("round takes 0 to " + std::to_string(kDigits) + " digits");
  }
  if (value.is_whole()) return value;
  const long double scale = std::pow(10.0L, static_cast<long double>(digits.as_whole()));
  // A decimal such as 2.675 lies a hair below its half in binary; 15 digits are what was meant.
  const long double scaled = value.as_real() * scale;
  const long double nudge = std::copysign(std::abs(scaled) * 1e-17L, scaled);
  return to_whole_if_exact(std::round(scaled + nudge) / scale);
}

}  // namespace

Result<Number> Number::rounded(long double value) {
  if (std::isnan(value)) return bad("the result is not a number");
  if (std::abs(value) > static_cast<long double>(std::numeric_limits<double>::max())) {
    return Error{Code::limit_exceeded, "the result is too large"};
  }
  return Number(value);
}

Result<std::string> Number::text() const {
  if (is_whole()) {
    const Wide value = as_whole();
    if (value < std::numeric_limits<std::int64_t>::min() ||
        value > static_cast<Wide>(std::numeric_limits<std::uint64_t>::max())) {
      return Error{Code::limit_exceeded,
                   "the result " + digits_of(value) + " does not fit into 64 bits"};
    }
    return digits_of(value);
  }
  // to_chars and from_chars, because a plugin may have changed the locale of the process.
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(),
                                 buffer.data() + buffer.size(),
                                 as_real(),
                                 std::chars_format::general,
                                 kDigits)
                       .ptr;
  std::string out(buffer.data(), end);
  // Below 2^53 a rounded value that is whole is shown as one; general format writes 5.6e+15 beyond
  // 15 digits.
  long double shown = 0;
  std::from_chars(buffer.data(), end, shown);
  if (std::trunc(shown) == shown && std::abs(shown) < 9007199254740992.0L) {
    return digits_of(static_cast<Wide>(shown));
  }
  return out;
}

Result<Number> add(const Number& a, const Number& b) {
  Wide sum = 0;
  if (a.is_whole() && b.is_whole() && !__builtin_add_overflow(a.as_whole(), b.as_whole(), &sum)) {
    return Number::whole(sum);
  }
  return Number::rounded(a.as_real() + b.as_real());
}

Result<Number> subtract(const Number& a, const Number& b) {
  Wide difference = 0;
  if (a.is_whole() && b.is_whole() &&
      !__builtin_sub_overflow(a.as_whole(), b.as_whole(), &difference)) {
    return Number::whole(difference);
  }
  return Number::rounded(a.as_real() - b.as_real());
}

Result<Number> multiply(const Number& a, const Number& b) {
  Wide product = 0;
  if (a.is_whole() && b.is_whole() &&
      !__builtin_mul_overflow(a.as_whole(), b.as_whole(), &product)) {
    return Number::whole(product);
  }
  return Number::rounded(a.as_real() * b.as_real());
}

Result<Number> divide(const Number& a, const Number& b) {
  if (b.as_real() == 0) return bad("division by zero");
  // The smallest Wide divided by -1 is the one quotient that overflows.
  if (a.is_whole() && b.is_whole() && b.as_whole() != -1 && a.as_whole() % b.as_whole() == 0) {
    return Number::whole(a.as_whole() / b.as_whole());
  }
  if (b.is_whole() && b.as_whole() == -1) return negate(a);
  return Number::rounded(a.as_real() / b.as_real());
}

Result<Number> modulo(const Number& a, const Number& b) {
  if (b.as_real() == 0) return bad("division by zero in %");
  if (a.is_whole() && b.is_whole()) {
    if (b.as_whole() == -1) return Number::whole(0);
    const Wide rest = a.as_whole() % b.as_whole();
    return Number::whole(rest != 0 && (rest < 0) != (b.as_whole() < 0) ? rest + b.as_whole()
                                                                       : rest);
  }
  const long double rest = std::fmod(a.as_real(), b.as_real());
  const bool other_sign = rest != 0 && (rest < 0) != (b.as_real() < 0);
  return Number::rounded(other_sign ? rest + b.as_real() : rest);
}

Result<Number> power(const Number& base, const Number& exponent) {
  if (base.as_real() == 0 && exponent.as_real() < 0) return bad("division by zero in ^");
  if (base.is_whole() && exponent.is_whole() && exponent.as_whole() >= 0) {
    Wide result = 1;
    Wide factor = base.as_whole();
    Wide left = exponent.as_whole();
    bool exact = true;
    // Squaring: at most 127 rounds, because left halves in each.
    for (; left > 0 && exact; left /= 2) {
      if (left % 2 == 1) exact = !__builtin_mul_overflow(result, factor, &result);
      if (exact && left > 1) exact = !__builtin_mul_overflow(factor, factor, &factor);
    }
    if (exact) return Number::whole(result);
  }
  if (base.as_real() < 0 && std::trunc(exponent.as_real()) != exponent.as_real()) {
    return bad("a negative number has no such power");
  }
  return Number::rounded(std::pow(base.as_real(), exponent.as_real()));
}

Result<Number> negate(const Number& a) {
  return subtract(Number::whole(0), a);
}

Result<Number> call_function(const std::string& name, const std::vector<Number>& arguments) {
  const auto less = [](const Number& a, const Number& b) {
    return a.is_whole() && b.is_whole() ? a.as_whole() < b.as_whole() : a.as_real() < b.as_real();
  };
  if (name == "min" || name == "max") {
    const auto found = name == "min" ? std::min_element(arguments.begin(), arguments.end(), less)
                                     : std::max_element(arguments.begin(), arguments.end(), less);
    if (found == arguments.end()) return bad(name + " takes at least 1 argument");
    return *found;
  }
  if (name == "round" && arguments.size() == 2) return round_to(arguments[0], arguments[1]);
  static constexpr std::array<const char*, 5> kOneArgument{"sqrt", "abs", "round", "floor", "ceil"};
  if (std::find(kOneArgument.begin(), kOneArgument.end(), name) == kOneArgument.end()) {
    return bad("unknown function \"" + name + "\"; known are sqrt abs round floor ceil min max");
  }
  if (arguments.size() != 1) {
    return bad(name + " takes 1 argument, has " + std::to_string(arguments.size()));
  }
  const Number& x = arguments[0];
  if (name == "abs") return x.as_real() < 0 ? negate(x) : Result<Number>(x);
  if (name == "sqrt") {
    if (x.as_real() < 0) return bad("a negative number has no square root");
    return to_whole_if_exact(std::sqrt(x.as_real()));
  }
  if (x.is_whole()) return x;
  if (name == "round") return round_to(x, Number::whole(0));
  return to_whole_if_exact(name == "floor" ? std::floor(x.as_real()) : std::ceil(x.as_real()));
}

}  // namespace facet::tools::calculator
