// A vocabulary of two dozen tokens with every hard case, and constraints over it.
#pragma once

#include "engine/sampling/constraint.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"

#include <memory>
#include <utility>

namespace facet::test {

inline FakeTokenizer small_vocabulary() {
  return FakeTokenizer({"a",
                        "b",
                        "c",
                        "ab",
                        "bca",
                        "aab",
                        "cc",
                        "",
                        "<x>",
                        "<y>",
                        "<go>",
                        "<end>",
                        "\xC3\xA9",
                        "c\xC3\xA9",
                        "\xC3",
                        "\xA9",
                        "b\xF0\x9F\x98\x80",
                        "\xF0",
                        "\x9F",
                        "\x98",
                        "\x80",
                        "\""});
}

inline std::unique_ptr<engine::Constraint> constraint_of(
    const Grammar& grammar,
    const engine::Tokenizer& tokenizer,
    const engine::ConstraintOptions& options = {}) {
  auto constraint = engine::make_constraint(grammar, tokenizer, options);
  INFO((constraint ? "" : constraint.error().message));
  REQUIRE(constraint);
  return *std::move(constraint);
}

}  // namespace facet::test
