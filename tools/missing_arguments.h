// What a call says that it does not know: null for an argument that its tool requires. Such a call
// does not run; the model is told what is missing, and asks the user for it. Thread-safe.
#pragma once

#include "base/chat.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::tools {

/// The required parameters of `spec` that `arguments`, the text of an object, gives as null
/// although their schemas refuse it, in the order of `arguments`. Grammars of calls let a model
/// write them (CallGrammarOptions::may_lack). Empty where arguments or parameters are no JSON
/// object.
std::vector<std::string> missing_arguments(const ToolSpec& spec, std::string_view arguments);

/// "missing argument: day", "missing arguments: day, room": what the model is told.
std::string missing_arguments_text(const std::vector<std::string>& names);

}  // namespace facet::tools
