// A regular expression as a non-deterministic automaton (Thompson 1968). Private to regex.cc and
// regex_nfa.cc.
#pragma once

#include "base/code_points.h"
#include "base/grammar/text_automaton.h"
#include "base/result.h"

#include <cstdint>
#include <vector>

namespace facet::grammar {

class RegexNfa {
 public:
  enum class Kind : std::uint8_t { text, epsilon, at_start, at_end };
  struct Edge {
    Kind kind = Kind::epsilon;
    std::int32_t set = -1;  ///< text: a number from add_set.
    std::int32_t to = 0;
  };
  /// What one part of a pattern becomes.
  struct Part {
    std::int32_t from = 0;
    std::int32_t to = 0;
  };

  static constexpr std::size_t kStatesMax = 50'000;

  std::int32_t add_state();
  std::int32_t add_set(CodePointSet set);
  void add_edge(std::int32_t from, Edge edge);
  [[nodiscard]] std::size_t size() const { return edges_.size(); }
  [[nodiscard]] bool is_full() const { return edges_.size() > kStatesMax; }

  Part text(const CodePointSet& set);
  Part condition(Kind kind);
  Part nothing();
  Part then(Part first, Part second);
  Part either(const std::vector<Part>& parts);
  /// `part` once more; REQUIRES: its states are [first, last), made after one another.
  Part copy(Part part, std::int32_t first, std::int32_t last);
  Part star(Part part);
  Part optional(Part part);

  /// The texts that lead from `part.from` to `part.to` (subset construction).
  [[nodiscard]] Result<TextAutomaton> automaton(Part part) const;

 private:
  friend class Subsets;
  std::vector<std::vector<Edge>> edges_;
  std::vector<CodePointSet> sets_;
};

}  // namespace facet::grammar
