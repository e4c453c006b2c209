#include "agent/server/base64.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

using facet::Code;
using facet::agent::decode_base64;

namespace {

/// The obvious encoder: three bytes are four characters, what is missing is '='.
std::string encoded(const std::string& bytes) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned value = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool is_there = at + i < bytes.size();
      value = value * 256 + (is_there ? static_cast<unsigned char>(bytes[at + i]) : 0);
    }
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= left ? alphabet[(value >> (18 - 6 * i)) % 64] : '=';
    }
  }
  return out;
}

}  // namespace

TEST_CASE("base64 decodes the vectors of RFC 4648", "[agent][unit]") {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"Zg==", "f"},
                                                                 {"Zm8=", "fo"},
                                                                 {"Zm9v", "foo"},
                                                                 {"Zm9vYg==", "foob"},
                                                                 {"Zm9vYmE=", "fooba"},
                                                                 {"Zm9vYmFy", "foobar"}};
  for (const auto& [text, bytes] : vectors) {
    const auto decoded = decode_base64(text, 100);
    REQUIRE(decoded);
    CHECK(*decoded == bytes);
    CHECK(encoded(bytes) == text);
  }
}

TEST_CASE("base64 gives back random bytes", "[agent][unit]") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(random() % 70, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const auto decoded = decode_base64(encoded(bytes), bytes.size());
    REQUIRE(decoded);
    CHECK(*decoded == bytes);
    if (bytes.empty()) continue;
    const auto refused = decode_base64(encoded(bytes), bytes.size() - 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::limit_exceeded);
  }
}

TEST_CASE("base64 that is not strict is refused with its place", "[agent][unit]") {
  for (const char* text : {"Z",
                           "Zg",
                           "Zg=",
                           "Zg===",
                           "=Zg=",
                           "Z===",
                           "Zm 9",
                           "Zm9\n",
                           "Zm9-",
                           "Zm9_",
                           "Zh==",
                           "Zm9=",
                           "Zg==Zg==",
                           "===="}) {
    INFO(text);
    const auto refused = decode_base64(text, 100);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_argument);
    CHECK_THAT(refused.error().message, Catch::Contains("at character "));
  }
}
