// Constraint: holds generated tokens to a grammar, byte by byte, from a trigger token on.
#pragma once

#include "base/grammar.h"
#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace facet::engine {

/// The state of one generation. Before the trigger token every token that is not a control token,
/// and the control tokens in `free_control`, may come; from the trigger on only what the grammar
/// allows, until the grammar is complete; then free again. Not thread-safe; clones share what they
/// have learnt about the grammar and may be used from different threads.
class Constraint {
 public:
  Constraint() = default;
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;
  virtual ~Constraint() = default;

  /// May `token` come next? One token is tried on the grammar; when many are asked for, all are.
  [[nodiscard]] virtual bool allows(TokenId token) const = 0;
  /// The fewest tokens that complete the grammar from here; 0 where it is complete or not in force.
  [[nodiscard]] virtual std::int64_t shortest() const { return 0; }
  /// Will shortest() be at most `tokens` once `token` has come? Where shortest() was at most
  /// `tokens` + 1, some allowed token fits; whoever takes only such tokens is never cut off in the
  /// middle of the grammar. REQUIRES: allows(token).
  [[nodiscard]] virtual bool fits(TokenId /*token*/, std::int64_t /*tokens*/) const { return true; }
  /// Takes `token` into the state. invalid_argument when it is not allowed.
  virtual Status accept(TokenId token) = 0;
  /// True while the grammar is in force and not complete: stop tokens must wait.
  [[nodiscard]] virtual bool is_open() const = 0;
  /// An independent copy of the state; cheap.
  [[nodiscard]] virtual std::unique_ptr<Constraint> clone() const = 0;

  /// All allowed tokens at once: bit `id % 64` of word `id / 64`. A state that comes again costs a
  /// copy.
  [[nodiscard]] virtual std::vector<std::uint64_t> mask() const = 0;

  /// Tokens that need no model because nothing else may come: the tokens that the tokenizer makes
  /// of the text that is certain, as far as no text behind it could change them. Empty when there
  /// is a choice. Each is allowed after those before it.
  [[nodiscard]] virtual std::vector<TokenId> forced_tokens() const { return {}; }
};

struct ConstraintOptions {
  std::string trigger;  ///< Control token that starts the grammar; empty: from the first token.
  std::vector<std::string>
      free_control;  ///< Control tokens allowed outside the grammar (stop tokens, trigger).
  std::size_t stack_states_max = 4096;  ///< Parallel parser states; more is limit_exceeded.
  /// How often the trigger may come; 0: as often as it likes.
  std::size_t entries_max = 0;
  /// False: once the grammar is complete only free_control tokens may follow, no text.
  bool free_after = true;
};

/// Compiles grammars for one tokenizer, and keeps what it has compiled: the same grammar with the
/// same options costs a look-up. Thread-safe.
class ConstraintFactory {
 public:
  /// `tokenizer` must outlive the factory and all constraints.
  explicit ConstraintFactory(const Tokenizer& tokenizer, std::size_t cached_max = 16);
  ConstraintFactory(const ConstraintFactory&) = delete;
  ConstraintFactory& operator=(const ConstraintFactory&) = delete;
  ~ConstraintFactory();

  /// The grammar describes what follows the trigger token. invalid_argument for left recursion, an
  /// undefined rule, a grammar that matches nothing or an unknown control token; limit_exceeded
  /// for a grammar that is too large.
  Result<std::unique_ptr<Constraint>> make(const Grammar& grammar,
                                           const ConstraintOptions& options) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The same for a single constraint.
Result<std::unique_ptr<Constraint>> make_constraint(const Grammar& grammar,
                                                    const Tokenizer& tokenizer,
                                                    const ConstraintOptions& options);

}  // namespace facet::engine
