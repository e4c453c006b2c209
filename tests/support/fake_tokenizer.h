// A tokenizer of given pieces: what constraints see of a vocabulary, without a model.
#pragma once

#include "base/check.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::test {

/// Piece i has id i; pieces in angle brackets are control tokens. Text is encoded byte by byte, so
/// encode needs the bytes of its text among the pieces.
class FakeTokenizer final : public engine::Tokenizer {
 public:
  using TokenId = engine::TokenId;

  explicit FakeTokenizer(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}

  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < text.size(); ++i) ids.push_back(id_of(text.substr(i, 1)));
    return ids;
  }
  [[nodiscard]] std::vector<TokenId> encode(std::span<const Segment> segments) const override {
    std::vector<TokenId> ids;
    for (const Segment& segment : segments) {
      if (segment.kind == Segment::Kind::control) {
        ids.push_back(id_of(segment.text));
        continue;
      }
      const auto more = encode(segment.text);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    return ids;
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> /*ids*/,
                                   bool /*with_control*/) const override {
    return "";
  }
  [[nodiscard]] std::string_view token_bytes(TokenId id) const override {
    return is_control(id) ? std::string_view() : token_text(id);
  }
  [[nodiscard]] std::optional<TokenId> find_token(std::string_view text) const override {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i] == text) return static_cast<TokenId>(i);
    }
    return std::nullopt;
  }
  [[nodiscard]] bool is_control(TokenId id) const override {
    return token_text(id).size() > 2 && token_text(id).front() == '<';
  }
  [[nodiscard]] std::string_view token_text(TokenId id) const override {
    return pieces_.at(static_cast<std::size_t>(id));
  }
  [[nodiscard]] std::size_t size() const override { return pieces_.size(); }
  [[nodiscard]] TokenId bos() const override { return -1; }
  [[nodiscard]] TokenId eos() const override { return -1; }
  [[nodiscard]] bool add_bos() const override { return false; }
  [[nodiscard]] bool add_eos() const override { return false; }

 private:
  [[nodiscard]] TokenId id_of(std::string_view piece) const {
    const auto id = find_token(piece);
    FACET_CHECK(id.has_value());
    return *id;
  }

  std::vector<std::string> pieces_;
};

/// Every byte, and `control` behind them.
inline FakeTokenizer byte_tokenizer(const std::vector<std::string>& control) {
  std::vector<std::string> pieces;
  for (int byte = 0; byte < 256; ++byte) pieces.emplace_back(1, static_cast<char>(byte));
  pieces.insert(pieces.end(), control.begin(), control.end());
  return FakeTokenizer(std::move(pieces));
}

}  // namespace facet::test
