#include "tools/builtin/calculator.h"

#include "base/utf8.h"
#include "tools/builtin/calculator_number.h"
#include "tools/typed.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <numbers>
#include <system_error>
#include <utility>
#include <vector>

namespace facet::tools {
namespace {

using calculator::Number;
using calculator::Wide;

struct CalculatorArgs {
  std::string expression;
};
FACET_FIELDS(CalculatorArgs,
             FACET_FIELD(expression, "For example 3 * (20 + 1.5).", {.is_free = true}))

/// A value and whether it was written as a bare percentage.
struct Operand {
  Number value;
  bool percent = false;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// The signs of typography as ASCII, which models like to copy from documents.
std::string plain_signs(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSigns{{
      {"\xC3\x97", "*"},      // multiplication sign
      {"\xC3\xB7", "/"},      // division sign
      {"\xE2\x88\x92", "-"},  // minus sign
      {"\xC2\xB7", "*"},      // middle dot
      {"\xC2\xA0", " "},      // no-break space
      {"\xE2\x80\xAF", " "},  // narrow no-break space
  }};
  std::string out(text);
  for (const auto& [sign, plain] : kSigns) {
    for (std::size_t at = out.find(sign); at != std::string::npos; at = out.find(sign, at)) {
      out.replace(at, sign.size(), plain);
    }
  }
  return out;
}

/// Recursive descent; one function per line of the grammar. Depth is capped in operand().
class Parser {
 public:
  Parser(std::string_view text, CalculatorLimits limits) : text_(text), limits_(limits) {}

  Result<Number> run() {
    skip_space();
    if (at_end()) return bad("the expression is empty");
    FACET_TRY(const Operand whole, sum());
    if (!at_end()) return unexpected();
    return whole.value;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void skip_space() {
    while (!at_end() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  /// Takes `token` and the space behind it when it comes next.
  bool take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    skip_space();
    return true;
  }
  [[nodiscard]] std::string_view word() const {
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    return text_.substr(at_, end - at_);
  }
  bool take_word(std::string_view wanted) {
    if (word() != wanted) return false;
    return take(wanted);
  }
  [[nodiscard]] Error bad(const std::string& message) const {
    return {Code::invalid_argument, message};
  }
  [[nodiscard]] Error unexpected() const {
    if (at_end()) return bad("the expression ends too early");
    if (peek() == ',') {
      return bad("unexpected ',' at position " + std::to_string(at_ + 1) +
                 "; write numbers without separators, like 2000");
    }
    const std::size_t length = std::max<std::size_t>(1, utf8_length_at(text_, at_));
    const std::string_view what = is_letter(peek()) ? word() : text_.substr(at_, length);
    return bad("unexpected \"" + std::string(utf8_prefix(what, 40)) + "\" at position " +
               std::to_string(at_ + 1));
  }

  Result<Operand> sum() {
    FACET_TRY(Operand left, product());
    for (;;) {
      const bool plus = peek() == '+';
      if (!plus && peek() != '-') return left;
      take(plus ? "+" : "-");
      FACET_TRY(const Operand right, product());
      if (left.percent || right.percent) {
        return bad("a percentage next to + or - is ambiguous; write 200 * 1.1 or 200 + 0.1 * 200");
      }
      FACET_TRY(left.value,
                plus ? calculator::add(left.value, right.value)
                     : calculator::subtract(left.value, right.value));
    }
  }

  Result<Operand> product() {
    FACET_TRY(Operand left, sign());
    for (;;) {
      if (peek() == '*' && peek(1) != '*') {
        take("*");
        FACET_TRY(const Operand right, sign());
        FACET_TRY(left.value, calculator::multiply(left.value, right.value));
      } else if (take("/")) {
        FACET_TRY(const Operand right, sign());
        FACET_TRY(left.value, calculator::divide(left.value, right.value));
      } else if (take("%")) {
        FACET_TRY(const Operand right, sign());
        FACET_TRY(left.value, calculator::modulo(left.value, right.value));
      } else if (left.percent && take_word("of")) {
        FACET_TRY(const Operand right, sign());
        FACET_TRY(left.value, calculator::multiply(left.value, right.value));
      } else {
        return left;
      }
      left.percent = false;
    }
  }

  /// -2 ^ 2 is -4: the sign binds less than the power.
  Result<Operand> sign() {
    bool negative = false;
    while (peek() == '-' || peek() == '+') {
      if (take("-")) {
        negative = !negative;
      } else {
        take("+");
      }
    }
    FACET_TRY(Operand value, power());
    if (negative) {
      FACET_TRY(value.value, calculator::negate(value.value));
    }
    return value;
  }

  Result<Operand> power() {
    FACET_TRY(Operand base, operand());
    if (!take("^") && !take("**")) return base;
    if (base.percent) return bad("a percentage has no power; write it as a fraction");
    if (++depth_ > limits_.nesting_depth_max) return too_deep();
    FACET_TRY(const Operand exponent, sign());  // To the right: 2^3^2 is 2^9.
    --depth_;
    FACET_TRY(base.value, calculator::power(base.value, exponent.value));
    return base;
  }

  Result<Operand> operand() {
    if (depth_ >= limits_.nesting_depth_max) return too_deep();
    ++depth_;
    Result<Number> value = is_digit(peek()) || peek() == '.' ? number()
                           : is_letter(peek())               ? name()
                           : peek() == '('                   ? group()
                                                             : Result<Number>(unexpected());
    --depth_;
    if (!value) return value.error();
    return percentage(*std::move(value));
  }

  /// A % behind a value is a percentage unless an operand follows, which makes it a remainder.
  Result<Operand> percentage(Number value) {
    if (peek() != '%') return Operand{.value = std::move(value)};
    const std::size_t before = at_;
    take("%");
    const bool operand_follows =
        is_digit(peek()) || peek() == '.' || peek() == '(' || (is_letter(peek()) && word() != "of");
    if (operand_follows) {
      at_ = before;
      return Operand{.value = std::move(value)};
    }
    if (peek() == '-' || peek() == '+') {
      return bad(
          "% before + or - is ambiguous; write (10 / 100) or put the remainder's divisor in "
          "parentheses");
    }
    FACET_TRY(Number part, calculator::divide(value, Number::whole(100)));
    return Operand{.value = std::move(part), .percent = true};
  }

  Result<Number> group() {
    take("(");
    FACET_TRY(const Operand inner, sum());
    if (!take(")")) return at_end() ? bad("a \")\" is missing") : unexpected();
    return inner.value;
  }

  Result<Number> name() {
    const std::string found(word());
    const std::size_t start = at_;
    take(found);
    if (found == "pi") return Number::rounded(std::numbers::pi_v<long double>);
    if (found == "e") return Number::rounded(std::numbers::e_v<long double>);
    if (peek() != '(') {
      at_ = start;
      return unexpected();
    }
    take("(");
    std::vector<Number> arguments;
    if (!take(")")) {
      do {
        FACET_TRY(const Operand argument, sum());
        arguments.push_back(argument.value);
      } while (take(","));
      if (!take(")")) return at_end() ? bad("a \")\" is missing") : unexpected();
    }
    return calculator::call_function(found, arguments);
  }

  /// Digits, a point, digits, an exponent; decimal only.
  Result<Number> number() {
    const std::size_t start = at_;
    while (is_digit(peek())) ++at_;
    bool whole = true;
    if (peek() == '.') {
      whole = false;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const std::size_t signed_exponent = peek(1) == '-' || peek(1) == '+' ? 2 : 1;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(signed_exponent))) {
      whole = false;
      at_ += signed_exponent;
      while (is_digit(peek())) ++at_;
    }
    const std::string digits(text_.substr(start, at_ - start));
    if (digits == ".")
      return bad("a \".\" at position " + std::to_string(start + 1) + " is no number");
    if (is_letter(peek()) || peek() == '.') return unexpected();
    if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) {
      return bad("the number " + digits + " begins with 0; write numbers without separators");
    }
    skip_space();
    if (is_digit(peek())) {
      return bad("two numbers without an operator at position " + std::to_string(at_ + 1));
    }
    if (!whole) return real(digits);
    Wide value = 0;
    for (const char c : digits) {
      if (__builtin_mul_overflow(value, Wide{10}, &value) ||
          __builtin_add_overflow(value, Wide{c - '0'}, &value)) {
        return real(digits);
      }
    }
    return Number::whole(value);
  }

  static Result<Number> real(const std::string& digits) {
    long double value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) {
      return Error{Code::limit_exceeded, "the number " + digits + " is out of range"};
    }
    return Number::rounded(value);
  }

  [[nodiscard]] Error too_deep() const {
    return {Code::limit_exceeded,
            "the expression nests more than " + std::to_string(limits_.nesting_depth_max) +
                " levels deep"};
  }

  std::string_view text_;
  CalculatorLimits limits_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::string> evaluate_expression(std::string_view expression, CalculatorLimits limits) {
  if (expression.size() > limits.expression_bytes_max) {
    return Error{Code::limit_exceeded,
                 "the expression has " + std::to_string(expression.size()) +
                     " bytes; the limit is " + std::to_string(limits.expression_bytes_max)};
  }
  const std::string text = plain_signs(expression);
  FACET_TRY(const Number value, Parser(text, limits).run());
  return value.text();
}

std::shared_ptr<const Tool> make_calculator(CalculatorLimits limits) {
  return make_tool<CalculatorArgs>(std::string(kCalculator),
                                   "Computes an arithmetic expression.",
                                   [limits](const CalculatorArgs& args) -> Result<JsonText> {
                                     FACET_TRY(const std::string value,
                                               evaluate_expression(args.expression, limits));
                                     return JsonText{R"({"result":)" + value + "}"};
                                   });
}

}  // namespace facet::tools
