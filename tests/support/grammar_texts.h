// Texts of a grammar, through a constraint on a tokenizer of single bytes: is a text one of them,
// and what a model that knows nothing would write.
#pragma once

#include "engine/sampling/constraint.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace facet::test {

/// Control tokens are written by their names in angle brackets.
class GrammarTexts {
 public:
  GrammarTexts(const Grammar& grammar, const std::vector<std::string>& control = {})
      : tokenizer_(byte_tokenizer(control)), control_(control) {
    auto made = engine::make_constraint(grammar, tokenizer_, {.free_after = false});
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    start_ = *std::move(made);
  }

  /// Is `text` a whole text of the grammar?
  [[nodiscard]] bool accepts(std::string_view text) const {
    const auto constraint = start_->clone();
    while (!text.empty()) {
      const engine::TokenId token = next_token(text);
      if (!constraint->accept(token)) return false;
      text.remove_prefix(tokenizer_.token_text(token).size());
    }
    return !constraint->is_open();
  }

  /// A random text of about `symbols_max` symbols, or as many more as the grammar needs. Bytes that
  /// end something are preferred now and then, so that short texts come too.
  [[nodiscard]] std::string random(std::mt19937& engine, std::int64_t symbols_max) const {
    const auto constraint = start_->clone();
    std::string out;
    std::int64_t left = std::max(symbols_max, constraint->shortest() + 1);
    while (true) {
      const auto mask = constraint->mask();
      std::vector<engine::TokenId> allowed;
      for (std::size_t id = 0; id < tokenizer_.size(); ++id) {
        const auto token = static_cast<engine::TokenId>(id);
        if ((mask[id / 64] >> (id % 64) & 1U) == 0) continue;
        if (constraint->fits(token, left - 2)) allowed.push_back(token);
      }
      if (!constraint->is_open() && (allowed.empty() || engine() % 4 == 0)) return out;
      REQUIRE_FALSE(allowed.empty());
      const engine::TokenId token = allowed[engine() % allowed.size()];
      REQUIRE(constraint->accept(token));
      out += tokenizer_.token_text(token);
      --left;
    }
  }

 private:
  [[nodiscard]] engine::TokenId next_token(std::string_view text) const {
    for (const std::string& name : control_) {
      if (text.starts_with(name)) return *tokenizer_.find_token(name);
    }
    return static_cast<engine::TokenId>(static_cast<unsigned char>(text.front()));
  }

  FakeTokenizer tokenizer_;
  std::vector<std::string> control_;
  std::unique_ptr<engine::Constraint> start_;
};

}  // namespace facet::test
