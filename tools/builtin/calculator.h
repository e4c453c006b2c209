// calculator: computes an arithmetic expression. Its own parser; nothing is ever evaluated as code.
#pragma once

#include "base/result.h"
#include "tools/tool.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace facet::tools {

inline constexpr std::string_view kCalculator = "calculator";  ///< The tool's name.

struct CalculatorLimits {
  std::size_t expression_bytes_max = 1000;
  int nesting_depth_max = 64;
};

/// The value of `expression` as the text of a JSON number.
///
/// Grammar, loosest first: + and - ; * / % and "of" ; unary - and + ; ^ (also written **), to the
/// right; numbers, pi, e, parentheses and the functions sqrt abs round floor ceil min max, with
/// round(x, digits). "15% of 80" and "80 * 15%" are percentages; a percentage next to + or - is
/// refused, because people and calculators do not agree on what it means.
///
/// Whole numbers are exact up to 128 bits; everything else has 15 digits. A value that is whole has
/// no fraction (560, not 560.0).
///
/// invalid_argument for what is not an expression, with the position; division by zero and the root
/// of a negative number too. limit_exceeded for a too long or too deep expression and for a result
/// beyond the range of a double, or whole and beyond 64 bits after exact arithmetic.
Result<std::string> evaluate_expression(std::string_view expression, CalculatorLimits limits = {});

/// Tool `calculator` with the one parameter `expression`; the result is {"result": 560}.
std::shared_ptr<const Tool> make_calculator(CalculatorLimits limits = {});

}  // namespace facet::tools
