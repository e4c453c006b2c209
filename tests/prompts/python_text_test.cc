#include "prompts/python_text.h"

#include "prompts/trimmed_text.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace facet::prompts {

TEST_CASE("Numbers print as Python's repr", "[prompts][unit]") {
  // Left: JSON; right: what CPython 3.11 prints for json.loads of it.
  const auto [json, expected] =
      GENERATE(table<std::string, std::string>({{"15", "15"},
                                                {"-3", "-3"},
                                                {"1.5", "1.5"},
                                                {"1e-7", "1e-07"},
                                                {"0.0001", "0.0001"},
                                                {"0.00001", "1e-05"},
                                                {"1e15", "1000000000000000.0"},
                                                {"1e16", "1e+16"},
                                                {"1.25e22", "1.25e+22"},
                                                {"1e100", "1e+100"},
                                                {"-0.0", "-0.0"},
                                                {"0.1", "0.1"},
                                                {"100.0", "100.0"},
                                                {"123456.789", "123456.789"},
                                                {"5e-324", "5e-324"},
                                                {"null", "None"},
                                                {"true", "true"}}));
  CHECK(python_scalar(nlohmann::ordered_json::parse(json)) == expected);
}

TEST_CASE("Strip removes the white space that Python knows", "[prompts][unit]") {
  CHECK(strip("  a b \n\t") == "a b");
  CHECK(strip("\xC2\xA0\xE2\x80\x83x\xE3\x80\x80\x1C") == "x");
  CHECK(strip("\xE2\x80\x8Bx") == "\xE2\x80\x8Bx");  // A zero width space is no white space.
  CHECK(strip(" \n ").empty());
  CHECK(strip("\xA0x\x85") == "\xA0x\x85");  // Lone bytes are no characters.
}

TEST_CASE("Lower case covers the alphabets that keys are written in", "[prompts][unit]") {
  CHECK(lower("AbZ_1") == "abz_1");
  CHECK(lower("ÀÉ×ß ŁŻ ΑΩ АЯЁ 日本") == "àé×ß łż αω аяё 日本");
}

TEST_CASE("Python literals and spaced JSON differ in scalars only", "[prompts][unit]") {
  const auto value = nlohmann::ordered_json::parse(R"({"b":[true,null,1.0,"x\"y'"],"a":{}})");
  CHECK(python_literal(value) == R"({"b": [True, None, 1.0, "x\"y'"], "a": {}})");
  CHECK(spaced_json(value) == R"({"b": [true, null, 1.0, "x\"y'"], "a": {}})");
}

TEST_CASE("Trimmed text is the same however it is cut", "[prompts][unit]") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    test::Random random(seed);
    const std::string text = random.text(8);
    TrimmedText trimmed;
    std::string out;
    for (const char c : text) out += trimmed.push(std::string(1, c));
    out += trimmed.finish();
    CHECK(out == strip(text));
    CHECK(trimmed.text() == out);
  }
}

}  // namespace facet::prompts
