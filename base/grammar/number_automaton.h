// The JSON numbers between two bounds, or that a number divides, as automata over their digits.
#pragma once

#include "base/byte_automaton.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace facet::grammar {

struct IntegerRange {
  std::optional<std::int64_t> min;  ///< Inclusive.
  std::optional<std::int64_t> max;  ///< Inclusive.
  std::uint64_t multiple_of = 1;    ///< At least 1.
  int digits_max = 17;              ///< 1 to 18; longer numbers are not offered.
};

/// The integers of `range` in their shortest spelling ("-0" and "007" are none). Empty where there
/// are none. limit_exceeded when remainders would need more than 40,000 states.
Result<ByteAutomaton> integer_automaton(const IntegerRange& range);

/// A decimal number in its shortest spelling without an exponent: "-12.5".
struct Decimal {
  bool negative = false;
  std::string whole = "0";  ///< No leading zeros.
  std::string fraction;     ///< No trailing zeros.

  [[nodiscard]] bool is_zero() const { return whole == "0" && fraction.empty(); }
};
/// Exactly what `value`'s shortest spelling says; nothing when it is not finite or its spelling
/// without an exponent is longer than 40 digits.
std::optional<Decimal> decimal_of(double value);

struct NumberRange {
  std::optional<Decimal> min;
  std::optional<Decimal> max;
  bool min_exclusive = false;
  bool max_exclusive = false;
  /// Digits in all. Up to 15, different spellings are different doubles, so that a bound holds for
  /// the number as it is read, not only as it is written.
  int digits_max = 15;
};

/// The decimal numbers of `range`, without exponents. Empty where there are none.
ByteAutomaton number_automaton(const NumberRange& range);

}  // namespace facet::grammar
