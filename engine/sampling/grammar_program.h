// GrammarProgram: a Grammar compiled to instructions of a small non-deterministic machine with a
// return stack (Thompson 1968 with subroutines, so recursion needs no copies, and counted loops, so
// bounds need none either). The machine reads symbols: bytes, and control tokens as symbols of
// their own. engine/sampling/grammar_states.h runs it.
#pragma once

#include "base/grammar.h"
#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <array>
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
    call,     ///< Pushes the next instruction and goes on at a. b: a sum of CallFlag.
    ret,      ///< Pops: goes on at an instruction, or with the next turn of a loop.
    loop,     ///< Begins loops[a].
    guard,    ///< Goes on only when `a` more recursive rules fit the depth.
    accept,   ///< The grammar is complete.
  };
  enum CallFlag : std::int32_t {
    counts_depth = 1,  ///< A recursive rule.
    keeps_frame = 2,   ///< Pushes even where nothing but a return would follow.
  };
  Op op = Op::accept;
  std::int32_t a = 0;
  std::int32_t b = 0;
};

/// Runs the code at `body`, which ends with `ret`, `min` to `max` times, then goes on at `after`.
struct GrammarLoop {
  std::int32_t body = 0;
  std::int32_t after = 0;
  std::int32_t min = 0;
  std::int32_t max = -1;  ///< -1: no bound.
};

/// Plain value; starts at instruction 0.
struct GrammarProgram {
  std::vector<GrammarInstruction> code;
  std::vector<GrammarLoop> loops;
  std::vector<std::bitset<256>> byte_sets;
  std::vector<TokenId> control_tokens;  ///< All that `code` consumes; sorted.
  std::int32_t rule_depth_max = 0;      ///< 0: none.
  /// By instruction: the fewest symbols to the return of its subroutine, or to acceptance. A byte
  /// is a symbol, and there is a token for each.
  std::vector<std::int64_t> shortest;
  /// Bytes that no instruction tells apart have one class; a byte of each class.
  std::array<std::uint8_t, 256> byte_class{};
  std::vector<std::uint8_t> class_byte;
};

/// invalid_argument for what analyze() refuses and for a control token unknown to `tokenizer`;
/// limit_exceeded beyond 2^22 instructions, a nesting of 512 nodes outside rules, or a bounded
/// repetition of more than 256 of something that may be empty.
Result<GrammarProgram> compile_grammar(const Grammar& grammar, const Tokenizer& tokenizer);

}  // namespace facet::engine
