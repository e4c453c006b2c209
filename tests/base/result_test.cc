#include "base/result.h"

#include "base/chat.h"
#include "tests/support/catch.h"

#include <memory>
#include <string>

namespace {

facet::Result<int> half(int value) {
  if (value % 2 != 0) {
    return facet::Error{facet::Code::invalid_argument, std::to_string(value) + " is odd"};
  }
  return value / 2;
}

facet::Result<int> quarter(int value) {
  FACET_TRY(const int first, half(value));
  FACET_TRY(const int second, half(first));
  return second;
}

facet::Status check_even(int value) {
  FACET_TRY_STATUS(half(value));
  return facet::ok();
}

}  // namespace

TEST_CASE("a result carries a value or an error through FACET_TRY", "[base][unit]") {
  CHECK(*quarter(12) == 3);
  REQUIRE_FALSE(quarter(6).has_value());
  CHECK(quarter(6).error().message == "3 is odd");
  CHECK(quarter(6).value_or(-1) == -1);
  CHECK(check_even(2).has_value());
  CHECK(check_even(3).error().code == facet::Code::invalid_argument);
}

TEST_CASE("a result can hold a move-only value", "[base][unit]") {
  facet::Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = *std::move(result);
  CHECK(*taken == 7);
}

TEST_CASE("context goes in front of the message and keeps the code", "[base][unit]") {
  const facet::Error error{facet::Code::not_found, "no such token"};
  CHECK(error.with_context("model.gguf").message == "model.gguf: no such token");
  CHECK(facet::code_name(error.with_context("x").code) == "not_found");
}

TEST_CASE("roles have one name each", "[base][unit]") {
  for (const auto role : {facet::Role::system,
                          facet::Role::developer,
                          facet::Role::user,
                          facet::Role::assistant,
                          facet::Role::tool}) {
    CHECK(*facet::role_from_name(facet::role_name(role)) == role);
  }
  CHECK_FALSE(facet::role_from_name("root\n").has_value());
}
