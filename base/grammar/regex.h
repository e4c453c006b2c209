// The regular expressions that a grammar can hold: those that are regular. Read in linear time into
// an automaton; nothing here backtracks.
#pragma once

#include "base/grammar/text_automaton.h"
#include "base/result.h"

#include <cstddef>
#include <string_view>

namespace facet::grammar {

struct RegexOptions {
  /// True: the whole text must match. False: some part of it, as JSON Schema's `pattern` means it.
  bool anchored = false;
  std::size_t pattern_bytes_max = 4096;
};

/// Literals, `.` (all but a line feed), classes `[a-z]` `\d \w \s` and their negations, groups
/// (`(?:`, named ones too; they capture nothing), `|`, `* + ? {n,m}` up to 1000 (a lazy `?` changes
/// nothing), `^` and `$` as the ends of the text, `\xHH`, `\uHHHH`. `\d \w \s` are ASCII, as in
/// RE2. unsupported for what is not regular or not in this list (look-around, back references, word
/// boundaries, Unicode properties); invalid_argument for what is no pattern; limit_exceeded for
/// what is too large. The message names the byte.
Result<TextAutomaton> regex_automaton(std::string_view pattern, const RegexOptions& options = {});

}  // namespace facet::grammar
