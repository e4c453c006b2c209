// GrammarProgram: a Grammar compiled to instructions of a small non-deterministic machine with a
// return stack (Thompson 1968 with subroutines, so recursion needs no copies). The machine reads
// symbols: bytes, and control tokens as symbols of their own.
#pragma once

#include "base/grammar.h"
#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <bitset>
#include <cstdint>
#include <vector>

namespace facet::engine {

/// One step. After `byte` and `control` the machine goes on with the next instruction.
struct GrammarInstruction {
  enum class Op : std::uint8_t {
    byte,     ///< Consumes one byte in byte_sets[a].
    control,  ///< Consumes the control token with id a.
    split,    ///< Goes on at a and at b.
    jump,     ///< Goes on at a.
    call,     ///< Pushes the next instruction and goes on at a.
    ret,      ///< Pops and goes on there.
    accept,   ///< The grammar is complete.
  };
  Op op = Op::accept;
  std::int32_t a = 0;
  std::int32_t b = 0;
};

/// Plain value; starts at instruction 0.
struct GrammarProgram {
  std::vector<GrammarInstruction> code;
  std::vector<std::bitset<256>> byte_sets;
  std::vector<TokenId> control_tokens;  ///< All that `code` consumes; sorted.
};

/// invalid_argument for left recursion, an undefined rule, no root or a control token unknown to
/// `tokenizer`; limit_exceeded beyond 2^20 instructions or a nesting of 512 nodes outside rules.
Result<GrammarProgram> compile_grammar(const Grammar& grammar, const Tokenizer& tokenizer);

}  // namespace facet::engine
