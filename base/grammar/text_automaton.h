// TextAutomaton: a deterministic finite automaton over code points: what a pattern, a length and a
// format say about a string, before it is decided how a dialect spells the string in bytes.
#pragma once

#include "base/byte_automaton.h"
#include "base/code_points.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace facet::grammar {

/// A plain value. It starts in state 0; no states: the empty language. The edges of one state do
/// not overlap and are sorted.
struct TextAutomaton {
  struct Edge {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  ///< Inclusive.
    std::int32_t to = 0;
    bool operator==(const Edge&) const = default;
  };
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
  };
  std::vector<State> states;

  /// No text belongs to the language.
  [[nodiscard]] bool is_empty() const;
  /// True when `text`, which is UTF-8, belongs to the language.
  [[nodiscard]] bool matches(std::string_view text) const;
};

/// More states than this are limit_exceeded, here and wherever one is made.
inline constexpr std::size_t kTextStatesMax = 20'000;

/// Every text of code points of `set`.
TextAutomaton any_text(const CodePointSet& set);
/// Exactly the texts in `words`, which are UTF-8.
TextAutomaton word_texts(const std::vector<std::string_view>& words);
/// Texts that belong to both; to none of the words or texts of `automaton`.
Result<TextAutomaton> intersection(const TextAutomaton& a, const TextAutomaton& b);
TextAutomaton complement(const TextAutomaton& automaton);
/// Texts of `min` to `max` code points; `max` < 0: no bound.
Result<TextAutomaton> with_length(const TextAutomaton& automaton,
                                  std::int64_t min,
                                  std::int64_t max);
/// The same language without states that lead nowhere.
TextAutomaton trimmed(const TextAutomaton& automaton);

/// How the characters of a string are written.
enum class Spelling {
  raw,     ///< UTF-8, whatever they are.
  json,    ///< As between the quotes of JSON.
  python,  ///< As between the double quotes of a Python literal.
};

/// The spelled texts of `automaton`: one spelling for each text.
ByteAutomaton spelled(const TextAutomaton& automaton, Spelling spelling);
/// One code point in every spelling that readers understand.
ByteAutomaton spelled_code_point(Spelling spelling);

}  // namespace facet::grammar
