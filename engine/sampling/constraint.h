// Constraint: holds generated tokens to a grammar, byte by byte, from a trigger token on.
#pragma once

#include "base/grammar.h"
#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <memory>
#include <string>

namespace facet::engine {

/// The state of one generation. Before the trigger token every token that is not a control token,
/// and the control tokens in `free_control`, may come; from the trigger on only what the grammar
/// allows, until the grammar is complete; then free again. Not thread-safe.
class Constraint {
 public:
  Constraint() = default;
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;
  virtual ~Constraint() = default;

  /// May `token` come next?
  [[nodiscard]] virtual bool allows(TokenId token) const = 0;
  /// Takes `token` into the state. invalid_argument when it is not allowed.
  virtual Status accept(TokenId token) = 0;
  /// True while the grammar is in force and not complete: stop tokens must wait.
  [[nodiscard]] virtual bool is_open() const = 0;
  /// An independent copy of the state.
  [[nodiscard]] virtual std::unique_ptr<Constraint> clone() const = 0;
};

struct ConstraintOptions {
  std::string trigger;  ///< Control token that starts the grammar; empty: from the first token.
  std::vector<std::string>
      free_control;  ///< Control tokens allowed outside the grammar (stop tokens, trigger).
  std::size_t stack_states_max = 4096;  ///< Parallel parser states; more is limit_exceeded.
};

/// Compiles `grammar` for `tokenizer`, which must outlive the constraint. The grammar describes
/// what follows the trigger token. invalid_argument for left recursion, an undefined rule or an
/// unknown control token.
Result<std::unique_ptr<Constraint>> make_constraint(const Grammar& grammar,
                                                    const Tokenizer& tokenizer,
                                                    const ConstraintOptions& options);

}  // namespace facet::engine
