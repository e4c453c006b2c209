// Two arguments of a call with one value, although it was said once: of "a hire car in Tikkurt from
// 3 May", 3 May is the first day and not the last one too, nor are there 3 seats. Where arguments
// are copied, one of the two was filled for want of anything better, and the call can be written
// anew.
#pragma once

#include "base/chat.h"
#include "base/grammar/copy_places.h"
#include "base/grammar/copy_source.h"

#include <optional>
#include <string>
#include <vector>

namespace facet::agent {

/// An argument, a member of a call's outermost object, and where what it holds stands: itself, or a
/// string or a number inside it.
struct SaidOnce {
  std::string argument;
  grammar::CopyPlace place;
  bool is_number = false;
};

/// Of the strings and numbers in the arguments of `call` that must be copied, those that stand in
/// `source` once, in order. Schemas that list values or say how to write them (enum, const,
/// pattern, format), choose among others (anyOf, $ref and the like) or are exempt (x-facet-free)
/// let values be what was never said; so do members and items that no schema describes. Empty where
/// the call or the parameters of `tool` are no JSON objects.
std::vector<SaidOnce> said_once(const ToolSpec& tool,
                                const ToolCall& call,
                                const grammar::CopySource& source);

struct RepeatedValue {
  std::string first;
  std::string second;

  bool operator==(const RepeatedValue&) const = default;
};

/// The first two arguments that hold what stands at one place, or one a number that is part of what
/// the other one holds. Words may be part of others: "weather in Rome" and "Rome".
std::optional<RepeatedValue> repeated_value(const std::vector<SaidOnce>& said);

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
                                const std::vector<SaidOnce>& said,
                                const grammar::CopySource& source);

}  // namespace facet::agent
