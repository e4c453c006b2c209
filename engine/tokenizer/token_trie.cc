#include "engine/tokenizer/token_trie.h"

#include "base/utf8.h"

#include <algorithm>
#include <limits>
#include <string_view>

namespace facet::engine {
namespace {

bool is_plain_ascii(std::uint8_t byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

std::size_t shared_bytes(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

}  // namespace

std::shared_ptr<const TokenTrie> TokenTrie::build(const Tokenizer& tokenizer) {
  std::shared_ptr<TokenTrie> trie(new TokenTrie());
  trie->vocabulary_size_ = tokenizer.size();
  trie->all_text_.assign((tokenizer.size() + 63) / 64, 0);
  std::vector<std::pair<std::string_view, TokenId>> texts;
  for (std::size_t i = 0; i < tokenizer.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view text = tokenizer.token_bytes(id);
    if (text.empty() || tokenizer.is_control(id)) continue;
    trie->all_text_[i / 64] |= std::uint64_t{1} << (i % 64);
    trie->token_bytes_max_ = std::max(trie->token_bytes_max_, text.size());
    if (text.size() == 1 && byte_at(text, 0) >= 0x80) {
      trie->lone_bytes_.emplace_back(byte_at(text, 0), id);
    } else {
      texts.emplace_back(text, id);
    }
  }
  std::sort(texts.begin(), texts.end());
  trie->tokens_.reserve(texts.size());
  for (const auto& [text, id] : texts) trie->tokens_.push_back(id);
  trie->add_nodes(tokenizer);
  trie->count_plain(tokenizer);
  return trie;
}

/// Texts come in order, so each adds the nodes behind what it shares with the one before.
void TokenTrie::add_nodes(const Tokenizer& tokenizer) {
  std::vector<std::size_t> path;  // Nodes of the text before, by depth.
  std::string_view before;
  const auto close = [&](std::size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
    }
  };
  for (std::size_t rank = 0; rank < tokens_.size(); ++rank) {
    const std::string_view text = tokenizer.token_bytes(tokens_[rank]);
    const std::size_t shared = shared_bytes(before, text);
    close(shared);
    for (std::size_t i = shared; i < text.size(); ++i) {
      path.push_back(nodes_.size());
      nodes_.push_back({.first_rank = static_cast<std::uint32_t>(rank),
                        .depth = static_cast<std::uint16_t>(i + 1),
                        .byte = byte_at(text, i)});
    }
    before = text;
  }
  close(0);
  const auto end = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({.end = end, .first_rank = static_cast<std::uint32_t>(tokens_.size())});
}

/// Each token says for its nodes how many characters stand between them and its end; a token that
/// is not plain from a node on takes the whole subtree out.
void TokenTrie::count_plain(const Tokenizer& tokenizer) {
  constexpr int kMost = std::numeric_limits<std::uint8_t>::max() - 1;
  std::vector<bool> is_broken(nodes_.size(), false);
  std::vector<std::size_t> path;
  std::vector<std::size_t> starts;  // Where the characters of a token begin.
  std::string_view before;
  std::size_t next = 0;
  for (const TokenId token : tokens_) {
    const std::string_view text = tokenizer.token_bytes(token);
    path.resize(shared_bytes(before, text));
    while (path.size() < text.size()) path.push_back(next++);
    before = text;
    starts.clear();
    for (std::size_t at = 0; at < text.size();) {
      starts.push_back(at);
      const std::size_t length = std::max<std::size_t>(utf8_length_at(text, at), 1);
      for (std::size_t inside = 1; inside < length; ++inside) is_broken[path[at + inside]] = true;
      at += length;
    }
    int count = 0;
    bool plain = true;
    for (auto start = starts.rbegin(); start != starts.rend(); ++start) {
      const std::uint8_t byte = byte_at(text, *start);
      plain = plain && (byte < 0x80 ? is_plain_ascii(byte) : utf8_length_at(text, *start) > 0);
      ++count;
      Node& node = nodes_[path[*start]];
      if (!plain || count > kMost) is_broken[path[*start]] = true;
      node.plain_characters =
          std::max(node.plain_characters, static_cast<std::uint8_t>(std::min(count, kMost)));
    }
  }
  for (std::size_t i = 0; i < node_count(); ++i) {
    if (is_broken[i]) nodes_[i].plain_characters = 0;
  }
}

}  // namespace facet::engine
