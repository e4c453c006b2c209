// What a grammar leaves no choice about, and the tokens a tokenizer writes it with. Private to
// sampling/.
#pragma once

#include "engine/sampling/grammar_states.h"
#include "engine/tokenizer/tokenizer.h"

#include <bitset>
#include <span>
#include <string>
#include <vector>

namespace facet::engine {

/// Text, then the control token that ends it; the last part of a run may have none.
struct ForcedPart {
  std::string text;
  TokenId control = -1;
};

/// A run stops where there is a choice, at the end of the grammar, or after `symbols_max` symbols.
struct ForcedRun {
  std::vector<ForcedPart> parts;
  /// Bytes that may follow the last part; none when only control tokens may.
  std::bitset<256> next_bytes;
  bool ends = false;  ///< The grammar is complete behind the run.
};
ForcedRun forced_run(GrammarStates& states, GrammarStates::Id state, std::size_t symbols_max);

/// The tokens of `run` behind `before`, the text tokens since the last control token: what the
/// tokenizer makes of both together, cut where the text behind the run could change a token.
/// `only_control_follows`: nothing but a control token comes behind the end of the grammar.
std::vector<TokenId> tokens_of(const ForcedRun& run,
                               std::span<const TokenId> before,
                               const Tokenizer& tokenizer,
                               bool only_control_follows);

}  // namespace facet::engine
