#include "tools/builtin/calculator.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <utility>

namespace {

using facet::Code;
using facet::tools::evaluate_expression;

std::string value_of(const std::string& expression) {
  const auto value = evaluate_expression(expression);
  return value ? *value : "error: " + value.error().message;
}

}  // namespace

TEST_CASE("expressions have the values of arithmetic", "[tools][unit]") {
  const auto row = GENERATE(table<std::string, std::string>({
      {"4 * 140", "560"},
      {"0.1 * 5600", "560"},
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"2 ^ 3 ^ 2", "512"},
      {"2 ** 10", "1024"},
      {"-2 ^ 2", "-4"},
      {"2 ^ -1", "0.5"},
      {"--3", "3"},
      {"7 / 2", "3.5"},
      {"6 / 2", "3"},
      {"1 / 3", "0.333333333333333"},
      {"7 % 3", "1"},
      {"-7 % 3", "2"},
      {"7.5 % 2", "1.5"},
      {"0.1 + 0.2", "0.3"},
      {"12.50 * 3", "37.5"},
      {"1e3 + 1", "1001"},
      {"15% of 80", "12"},
      {"80 * 15%", "12"},
      {"2000 * (1 + 0.19)", "2380"},
      {"sqrt(16) + abs(-3)", "7"},
      {"sqrt(2)", "1.4142135623731"},
      {"round(2.5)", "3"},
      {"round(-2.5)", "-3"},
      {"round(2.675, 2)", "2.68"},
      {"floor(-1.5)", "-2"},
      {"ceil(1.2)", "2"},
      {"min(3, 1, 2)", "1"},
      {"max(2, 100)", "100"},
      {"pi", "3.14159265358979"},
      {"2 * e", "5.43656365691809"},
      {"9223372036854775807 + 1", "9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"3 \xC3\x97 4 \xE2\x88\x92 2", "10"},
      {"9007199254740993 * 1", "9007199254740993"},
      {"10 ^ 20 / 10 ^ 18", "100"},
      {"9 ^ 50", "5.15377520732011e+47"},
  }));
  CHECK(value_of(std::get<0>(row)) == std::get<1>(row));
}

TEST_CASE("what is not an expression is refused with a reason", "[tools][unit]") {
  const auto row = GENERATE(table<std::string, std::string>({
      {"", "the expression is empty"},
      {"  ", "the expression is empty"},
      {"2 +", "the expression ends too early"},
      {"2,000 * 3", "unexpected ',' at position 2; write numbers without separators, like 2000"},
      {"max(2,000, 3)", "the number 000 begins with 0; write numbers without separators"},
      {"2 000", "two numbers without an operator at position 3"},
      {"(1 + 2", "a \")\" is missing"},
      {"1 + x", "unexpected \"x\" at position 5"},
      {"20 EUR", "unexpected \"EUR\" at position 4"},
      {"0x10", "unexpected \"x10\" at position 2"},
      {"1.2.3", "unexpected \".\" at position 4"},
      {"system(1)", "unknown function \"system\"; known are sqrt abs round floor ceil min max"},
      {"sqrt(1, 2)", "sqrt takes 1 argument, has 2"},
      {"min()", "min takes at least 1 argument"},
      {"1 / 0", "division by zero"},
      {"5 % (1 - 1)", "division by zero in %"},
      {"0 ^ -1", "division by zero in ^"},
      {"sqrt(-1)", "a negative number has no square root"},
      {"(-8) ^ 0.5", "a negative number has no such power"},
      {"9^9^9^9", "the result is too large"},
      {"1e308 * 10", "the result is too large"},
      {"2 ^ 100", "the result 1267650600228229401496703205376 does not fit into 64 bits"},
      {"200 + 10%", "a percentage next to + or - is ambiguous; write 200 * 1.1 or 200 + 0.1 * 200"},
  }));
  CHECK(value_of(std::get<0>(row)) == "error: " + std::get<1>(row));
}

TEST_CASE("long and deep expressions stop at their limits", "[tools][unit]") {
  const auto code = [](const std::string& expression) {
    const auto value = evaluate_expression(expression);
    REQUIRE_FALSE(value.has_value());
    return value.error().code;
  };
  CHECK(code(std::string(1001, '1')) == Code::limit_exceeded);
  CHECK(code(std::string(100, '(') + "1" + std::string(100, ')')) == Code::limit_exceeded);
  CHECK(value_of(std::string(60, '(') + "1" + std::string(60, ')')) == "1");
  std::string tower = "1";
  for (int i = 0; i < 200; ++i) tower += "^1";
  CHECK(code(tower) == Code::limit_exceeded);
  CHECK(value_of(std::string(998, '-') + "1") == "1");
}

TEST_CASE("whole arithmetic agrees with 64-bit arithmetic", "[tools][differential]") {
  std::mt19937_64 random(20260101);
  std::uniform_int_distribution<std::int64_t> number(-1'000'000, 1'000'000);
  for (int i = 0; i < 300; ++i) {
    const std::int64_t a = number(random);
    const std::int64_t b = number(random);
    const std::int64_t c = number(random) | 1;
    const std::string text = "(" + std::to_string(a) + ") * " + std::to_string(b) + " - (" +
                             std::to_string(b) + " + " + std::to_string(c) + ") * " +
                             std::to_string(c);
    CHECK(value_of(text) == std::to_string(a * b - (b + c) * c));
  }
}

TEST_CASE("random text never does more than fail", "[tools][fuzz]") {
  std::mt19937 random(7);
  const std::string letters = "0123456789.+-*/%^(), esqrtpiof\xC3\x97";
  std::uniform_int_distribution<std::size_t> pick(0, letters.size() - 1);
  std::uniform_int_distribution<std::size_t> length(0, 40);
  int values = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(length(random), ' ');
    for (char& c : text) c = letters[pick(random)];
    const auto value = evaluate_expression(text);
    if (!value) continue;
    ++values;
    CHECK(facet::parse_json(*value, "value").has_value());
  }
  CHECK(values > 0);
}

TEST_CASE("the calculator answers as a tool", "[tools][unit]") {
  const auto tool = facet::tools::make_calculator();
  CHECK(tool->spec().name == "calculator");
  CHECK(tool->spec().parameters.find(R"("required":["expression"])") != std::string::npos);
  const auto result = tool->call({{"expression", "4 * 140"}}, {});
  REQUIRE(result.has_value());
  CHECK(facet::dump_json(*result) == R"({"result":560})");
  const auto refused = tool->call({{"expression", "1 / 0"}}, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message == "division by zero");
}
