#include "base/utf8.h"

#include "tests/support/catch.h"

#include <string>

TEST_CASE("UTF-8 validation accepts well-formed and refuses ill-formed text", "[base][unit]") {
  CHECK(facet::is_utf8(""));
  CHECK(facet::is_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  CHECK_FALSE(facet::is_utf8("\xC0\xAF"));          // overlong slash
  CHECK_FALSE(facet::is_utf8("\xED\xA0\x80"));      // surrogate
  CHECK_FALSE(facet::is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(facet::is_utf8("\xE2\x82"));          // cut
  CHECK(facet::to_valid_utf8("a\xFF"
                             "b") ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a prefix never cuts a code point", "[base][unit]") {
  const std::string text = "a\xE2\x82\xAC";
  CHECK(facet::utf8_prefix(text, 3) == "a");
  CHECK(facet::utf8_prefix(text, 4) == text);
  CHECK(facet::utf8_prefix(text, 0).empty());
}

TEST_CASE("a prefix of bytes that are not UTF-8 is as long as it may be", "[base][unit]") {
  CHECK(facet::utf8_prefix(std::string(100, '\x80'), 50).size() == 50);
  CHECK(facet::utf8_prefix("\xE2\x82\x82\x82\x82", 4).size() == 4);
  CHECK(facet::utf8_prefix("\xE2\x82", 1).size() == 1);
}

TEST_CASE("code points are written in the shortest form and never as surrogates", "[base][unit]") {
  const auto written = [](std::uint32_t code_point) {
    std::string out;
    facet::append_utf8(code_point, out);
    return out;
  };
  CHECK(written('a') == "a");
  CHECK(written(0x7FF) == "\xDF\xBF");
  CHECK(written(0x800) == "\xE0\xA0\x80");
  CHECK(written(0x10FFFF) == "\xF4\x8F\xBF\xBF");
  CHECK(written(0xD800) == "\xEF\xBF\xBD");
  CHECK(written(0x110000) == "\xEF\xBF\xBD");
}

TEST_CASE("an incomplete suffix is what may still become a code point", "[base][unit]") {
  CHECK(facet::incomplete_utf8_suffix("a") == 0);
  CHECK(facet::incomplete_utf8_suffix("a\xE2") == 1);
  CHECK(facet::incomplete_utf8_suffix("a\xE2\x82") == 2);
  CHECK(facet::incomplete_utf8_suffix("a\xE2\x82\xAC") == 0);
  CHECK(facet::incomplete_utf8_suffix("\xF0\x9F\x98") == 3);
  CHECK(facet::incomplete_utf8_suffix("\xFF") == 0);
  CHECK(facet::incomplete_utf8_suffix("\xED\xA0") == 0);
}
