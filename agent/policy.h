// Policy: which calls may run without asking, by what their tool may do to the world.
#pragma once

#include "base/chat.h"
#include "tools/tool.h"

#include <functional>
#include <string_view>

namespace facet::agent {

enum class Decision {
  allow,
  deny,         ///< Somebody was asked and said no: the model is told and the run goes on.
  unavailable,  ///< Nobody is there to be asked: the run ends.
};

/// "read_only", "changes_state", "external".
std::string_view effect_name(tools::Effect effect);

/// One call that needs a yes.
struct ApprovalQuestion {
  const ToolCall& call;
  tools::Effect effect;
  /// A killed run had begun this call and left no result: it may have happened already.
  bool may_have_run = false;
};

struct Policy {
  /// `--yes`. It does not cover calls that may have run already: an effect is never repeated on a
  /// flag that was given for the first time it happened.
  bool allow_all = false;
  bool allow_rerun = false;  ///< `--rerun`: also repeat calls that may have run already.
  /// Asks a person; true allows it. Null when there is nobody. Called by the loop's thread only.
  std::function<bool(const ApprovalQuestion& question)> ask;

  /// Reading is always allowed; everything else is asked for.
  [[nodiscard]] Decision decide(const ApprovalQuestion& question) const;
};

}  // namespace facet::agent
