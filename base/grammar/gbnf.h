// GBNF: the text form of grammars that llama.cpp made common.
#pragma once

#include "base/grammar.h"
#include "base/result.h"

#include <cstddef>
#include <string_view>

namespace facet::grammar {

struct GbnfLimits {
  std::size_t bytes_max = 1U << 20U;
  std::size_t rules_max = 20'000;
  int nesting_max = 100;
  std::size_t alternatives_max = 65'536;  ///< Of one choice.
  int repeat_max = 1'000'000;
};

/// Reads rules `name ::= alternatives`; the rule `root` is the whole. An alternative is a row of
/// "text", [classes], `.` (any character), names, (groups), each with `*`, `+`, `?` or `{n,m}`;
/// `#` begins a comment. Escapes: \n \r \t \" \\ \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH. Texts and
/// classes are Unicode. invalid_argument with the line for what cannot be read, a name without a
/// rule, a rule given twice or no root; limit_exceeded. Left recursion is found when the grammar is
/// compiled.
Result<Grammar> read_gbnf(std::string_view text, const GbnfLimits& limits = {});

}  // namespace facet::grammar
