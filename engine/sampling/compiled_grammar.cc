#include "engine/sampling/compiled_grammar.h"

#include <algorithm>
#include <string>
#include <utility>

namespace facet::engine {

const TokenTrie& TokenTexts::trie() const {
  std::call_once(once_, [&] { trie_ = TokenTrie::build(tokenizer_); });
  return *trie_;
}

std::size_t TokenTexts::token_bytes_max() const {
  std::call_once(once_longest_, [&] {
    for (std::size_t i = 0; i < tokenizer_.size(); ++i) {
      const std::size_t bytes = tokenizer_.token_bytes(static_cast<TokenId>(i)).size();
      token_bytes_max_ = std::max(token_bytes_max_, bytes);
    }
  });
  return token_bytes_max_;
}

const TokenMask* LearntStates::known_mask(GrammarStates::Id state) {
  const auto known = masks.find(states.capped(state));
  return known == masks.end() ? nullptr : &known->second;
}

const TokenMask& LearntStates::mask(GrammarStates::Id state, const TokenTrie& trie) {
  const GrammarStates::Id capped = states.capped(state);
  if (const auto known = masks.find(capped); known != masks.end()) return known->second;
  if (masks.size() >= kMasksMax) masks.clear();
  return masks.emplace(capped, text_mask(states, capped, trie)).first->second;
}

Result<std::shared_ptr<const CompiledGrammar>> CompiledGrammar::compile(
    const Grammar& grammar, std::shared_ptr<const TokenTexts> texts, std::size_t parallel_max) {
  FACET_TRY(GrammarProgram program, compile_grammar(grammar, texts->tokenizer()));
  auto shared = std::make_shared<const GrammarProgram>(std::move(program));
  auto compiled =
      std::make_shared<const CompiledGrammar>(std::move(shared), std::move(texts), parallel_max);
  // One entry of the grammar now tells whether its start fits the limit.
  const auto learnt = compiled->states();
  if (learnt->states.start() == GrammarStates::kOverflow) {
    return Error{Code::limit_exceeded,
                 "the start of the grammar needs more than " + std::to_string(parallel_max) +
                     " parser states"};
  }
  return compiled;
}

CompiledGrammar::CompiledGrammar(std::shared_ptr<const GrammarProgram> program,
                                 std::shared_ptr<const TokenTexts> texts,
                                 std::size_t parallel_max)
    : program_(std::move(program)),
      texts_(std::move(texts)),
      parallel_max_(parallel_max),
      current_(fresh()) {}

std::shared_ptr<LearntStates> CompiledGrammar::states() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<LearntStates> CompiledGrammar::states_after(
    const std::shared_ptr<LearntStates>& full) const {
  const std::lock_guard lock(mutex_);
  if (current_ == full) current_ = fresh();
  return current_;
}

std::shared_ptr<LearntStates> CompiledGrammar::fresh() const {
  return std::make_shared<LearntStates>(program_, parallel_max_, texts_->token_bytes_max());
}

}  // namespace facet::engine
