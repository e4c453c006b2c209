#include "engine/sampling/forced_run.h"

#include "base/utf8.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace facet::engine {
namespace {

/// With more bytes than this to choose from, all that matters is that the last token may change.
constexpr std::size_t kNextBytesMax = 16;

std::string text_of(std::span<const TokenId> tokens, const Tokenizer& tokenizer) {
  std::string text;
  for (const TokenId token : tokens) text += tokenizer.token_bytes(token);
  return text;
}

/// `text` behind `before` as tokens; empty when the tokenizer cannot write exactly these bytes.
std::vector<TokenId> encode_behind(std::span<const TokenId> before,
                                   const std::string& text,
                                   const Tokenizer& tokenizer) {
  const std::string head = text_of(before, tokenizer);
  std::vector<TokenId> ids = tokenizer.encode(head + text);
  const bool goes_on =
      ids.size() >= before.size() && std::equal(before.begin(), before.end(), ids.begin());
  if (goes_on) {
    ids.erase(ids.begin(), ids.begin() + std::ssize(before));
  } else {
    // What was sampled is not what the tokenizer writes: the run is a text of its own.
    ids = tokenizer.encode(text);
  }
  return text_of(ids, tokenizer) == text ? ids : std::vector<TokenId>();
}

/// How many tokens at the start of `ids` stay whatever comes behind `text`.
std::size_t stable_tokens(std::span<const TokenId> before,
                          const std::string& text,
                          const std::vector<TokenId>& ids,
                          const std::bitset<256>& next_bytes,
                          const Tokenizer& tokenizer) {
  if (ids.empty()) return 0;
  std::size_t stable = ids.size() - 1;
  if (next_bytes.count() > kNextBytesMax) return stable;
  stable = ids.size();
  for (std::size_t byte = 0; byte < next_bytes.size(); ++byte) {
    if (!next_bytes[byte]) continue;
    if (byte >= 0x80) return ids.size() - 1;
    const auto longer = encode_behind(before, text + static_cast<char>(byte), tokenizer);
    const auto differs = std::mismatch(ids.begin(), ids.end(), longer.begin(), longer.end());
    stable = std::min(stable, static_cast<std::size_t>(differs.first - ids.begin()));
  }
  return stable;
}

}  // namespace

ForcedRun forced_run(GrammarStates& states, GrammarStates::Id state, std::size_t symbols_max) {
  ForcedRun run;
  ForcedPart part;
  for (std::size_t i = 0; i < symbols_max && !states.accepts(state); ++i) {
    const std::vector<TokenId> controls = states.controls(state);
    const std::bitset<256> bytes = states.next_bytes(state);
    if (bytes.none() && controls.size() == 1) {
      part.control = controls.front();
      run.parts.push_back(std::exchange(part, {}));
      state = states.after_control(state, controls.front());
    } else if (controls.empty() && bytes.count() == 1) {
      const auto byte = static_cast<std::uint8_t>(states.only_byte(state));
      part.text += static_cast<char>(byte);
      state = states.after_byte(state, byte);
    } else {
      break;
    }
  }
  run.next_bytes = states.next_bytes(state);
  run.ends = states.accepts(state);
  // Half a character is no text that a tokenizer could be given.
  const std::size_t incomplete = incomplete_utf8_suffix(part.text);
  if (incomplete > 0) run.next_bytes.set();
  part.text.resize(part.text.size() - incomplete);
  if (!part.text.empty()) run.parts.push_back(std::move(part));
  return run;
}

std::vector<TokenId> tokens_of(const ForcedRun& run,
                               std::span<const TokenId> before,
                               const Tokenizer& tokenizer,
                               bool only_control_follows) {
  std::vector<TokenId> out;
  for (const ForcedPart& part : run.parts) {
    const std::vector<TokenId> ids = encode_behind(before, part.text, tokenizer);
    if (ids.empty() && !part.text.empty()) return out;
    if (part.control >= 0) {
      out.insert(out.end(), ids.begin(), ids.end());
      out.push_back(part.control);
      before = {};
      continue;
    }
    std::bitset<256> next = run.next_bytes;
    if (run.ends && !only_control_follows) next.set();
    const std::size_t stable = stable_tokens(before, part.text, ids, next, tokenizer);
    out.insert(out.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(stable));
  }
  return out;
}

}  // namespace facet::engine
