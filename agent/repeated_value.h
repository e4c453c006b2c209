// Two arguments of a call with one value, although it was said once: of "a hire car in Tikkurt from
// 3 May", 3 May is the first day and not the last one too. Where arguments are copied, one of the
// two was filled for want of anything better, and the call can be written anew.
#pragma once

#include "base/chat.h"
#include "base/grammar/copy_source.h"

#include <optional>
#include <string>
#include <vector>

namespace facet::agent {

/// Arguments of a call, members of its outermost object.
struct RepeatedValue {
  std::string first;
  std::string second;

  bool operator==(const RepeatedValue&) const = default;
};

/// The first pair of arguments of `call` that hold the same string or number, in lists and objects
/// too, which stands in `source` once. Not what schemas list or say how to write (enum, const,
/// pattern, format, x-facet-free, $ref): that need not be copied. Nullopt where there is none, and
/// where the call or the parameters of `tool` are no JSON objects.
std::optional<RepeatedValue> repeated_value(const ToolSpec& tool,
                                            const ToolCall& call,
                                            const grammar::CopySource& source);

/// One way to write a call anew: as the only call of `tool`, copied from `source`.
struct Revision {
  ToolSpec tool;
  grammar::CopySource source;
  bool may_lack = false;  ///< prompts::CallGrammarOptions::may_lack.
};

/// For each of the two arguments: chosen anew, and, where the tool does not require it, left out.
/// All other arguments stay, and what they hold and was said once cannot be copied again.
std::vector<Revision> revisions(const ToolSpec& tool,
                                const ToolCall& call,
                                const RepeatedValue& repeated,
                                const grammar::CopySource& source);

}  // namespace facet::agent
