// The spans of a CopySource as one automaton over bytes: what an argument that is copied may be.
//
// Its states are the sets of places of the texts at which what was written so far may end (as of a
// directed acyclic word graph; Blumer et al. 1985, restricted to the beginnings of words), so there
// are at most two for each byte, however many spans there are. A text of 2,000 words takes about
// 10 ms on one core of a server of 2023, engine::ConstraintFactory about as much again.
#pragma once

#include "base/byte_automaton.h"
#include "base/grammar/copy_source.h"
#include "base/grammar/text_automaton.h"

#include <cstddef>
#include <cstdint>

namespace facet::grammar {

struct SpanForm {
  std::int64_t min = 0;   ///< In code points.
  std::int64_t max = -1;  ///< < 0: no bound.
  /// How many beginnings of words may be left out between two words, a space in their place:
  /// "opening hours library" of "the opening hours of the library".
  int skipped_max = 0;
};

/// Beyond so many states the longest spans are left out: in sources of more than 100 KB, and of
/// more than a few KB where characters are counted.
inline constexpr std::size_t kSpanStatesMax = 200'000;
inline constexpr std::size_t kCountedSpanStatesMax = 20'000;
/// Where so many bytes do not tell several places apart, nor do fewer from a later beginning, the
/// text repeats itself over and over: then only the place with the most text behind it goes on.
inline constexpr std::size_t kSpanRepeatsMax = 1024;

/// No states where there is no span. `spelling`: the usual spelling of each character; json and
/// python are the same.
ByteAutomaton span_automaton(const CopySource& source, Spelling spelling, SpanForm form = {});

}  // namespace facet::grammar
