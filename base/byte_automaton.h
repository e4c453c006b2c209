// ByteAutomaton: a deterministic finite automaton over bytes, as data: what the regular parts of a
// grammar (patterns, numbers in a range, lists of words) are written as.
#pragma once

#include "base/code_points.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet {

/// A plain value. It starts in state 0; a text belongs to the language when its bytes lead to a
/// state that accepts. The edges of one state do not overlap.
struct ByteAutomaton {
  struct Edge {
    std::uint8_t first = 0;
    std::uint8_t last = 0;  ///< Inclusive.
    std::int32_t to = 0;
  };
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
  };
  std::vector<State> states;

  /// True when `text` belongs to the language.
  [[nodiscard]] bool matches(std::string_view text) const;
};

/// All of `words`, as a trie. Repeated words count once.
ByteAutomaton words_automaton(std::vector<std::string> words);

/// One code point of `set`.
ByteAutomaton code_point_automaton(const CodePointSet& set);

/// The same language without states that lead nowhere; no states where it is empty.
ByteAutomaton trimmed(const ByteAutomaton& automaton);

/// The same language without states that lead nowhere, equal states merged (Moore 1956); empty
/// where the language is. Cost: states x passes.
ByteAutomaton minimized(const ByteAutomaton& automaton);

}  // namespace facet
