// CompiledGrammar: one grammar compiled for one tokenizer, with what all constraints on it have
// learnt: states, steps and masks. Private to sampling/.
#pragma once

#include "base/grammar.h"
#include "base/result.h"
#include "engine/sampling/grammar_states.h"
#include "engine/sampling/token_mask.h"
#include "engine/tokenizer/token_trie.h"
#include "engine/tokenizer/tokenizer.h"

#include <memory>
#include <mutex>
#include <unordered_map>

namespace facet::engine {

/// A tokenizer and its trie, which is built when the first mask is asked for. Thread-safe.
class TokenTexts {
 public:
  explicit TokenTexts(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const TokenTrie& trie() const;
  /// The longest text of a token in bytes; needs no trie.
  [[nodiscard]] std::size_t token_bytes_max() const;

 private:
  const Tokenizer& tokenizer_;
  mutable std::once_flag once_;
  mutable std::shared_ptr<const TokenTrie> trie_;
  mutable std::once_flag once_longest_;
  mutable std::size_t token_bytes_max_ = 1;
};

/// States and masks of one grammar up to a bound; when it is reached a fresh one takes over, and
/// whoever still uses this one moves on with its next token. Guarded by `mutex`.
struct LearntStates {
  LearntStates(std::shared_ptr<const GrammarProgram> program,
               std::size_t parallel_max,
               std::size_t token_bytes_max)
      : states(std::move(program), parallel_max, token_bytes_max) {}

  static constexpr std::size_t kBytesMax = 16U << 20U;
  static constexpr std::size_t kMasksMax = 128;

  /// The text tokens that may come in `state`, from memory where they are known.
  const TokenMask& mask(GrammarStates::Id state, const TokenTrie& trie);
  /// The same where it is known; else null.
  const TokenMask* known_mask(GrammarStates::Id state);
  [[nodiscard]] bool is_full() const { return states.bytes() > kBytesMax; }

  std::mutex mutex;
  GrammarStates states;
  std::unordered_map<GrammarStates::Id, TokenMask> masks;  ///< By capped state.
};

/// Thread-safe.
class CompiledGrammar {
 public:
  static Result<std::shared_ptr<const CompiledGrammar>> compile(
      const Grammar& grammar, std::shared_ptr<const TokenTexts> texts, std::size_t parallel_max);

  CompiledGrammar(std::shared_ptr<const GrammarProgram> program,
                  std::shared_ptr<const TokenTexts> texts,
                  std::size_t parallel_max);

  [[nodiscard]] const GrammarProgram& program() const { return *program_; }
  [[nodiscard]] const TokenTexts& texts() const { return *texts_; }
  /// What is learnt now.
  [[nodiscard]] std::shared_ptr<LearntStates> states() const;
  /// What is learnt from now on, `full` being at its bound.
  [[nodiscard]] std::shared_ptr<LearntStates> states_after(
      const std::shared_ptr<LearntStates>& full) const;

 private:
  [[nodiscard]] std::shared_ptr<LearntStates> fresh() const;

  std::shared_ptr<const GrammarProgram> program_;
  std::shared_ptr<const TokenTexts> texts_;
  std::size_t parallel_max_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<LearntStates> current_;
};

}  // namespace facet::engine
