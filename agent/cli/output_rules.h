// What `facet generate` holds an output to, from the files its options name.
#pragma once

#include "agent/cli/commands.h"
#include "agent/local_chat_model.h"
#include "base/chat.h"
#include "base/result.h"
#include "engine/sampling/constraint.h"

#include <memory>
#include <string>
#include <vector>

namespace facet::agent::cli {

/// The whole file, whatever its bytes are.
Result<std::string> read_text_file(const std::string& path);

/// The tools of options.rules.tools; none without a file. Errors name the file.
Result<std::vector<ToolSpec>> read_tools_file(const OutputRuleOptions& options);

/// What the options ask of the output; null where they ask nothing. What a schema leaves open, and
/// what it relaxes, is told on stderr. invalid_argument for options that exclude each other.
Result<std::unique_ptr<engine::Constraint>> make_output_rules(const OutputRuleOptions& options,
                                                              const std::vector<ToolSpec>& tools,
                                                              const LocalChatModel& model,
                                                              Console& console);

}  // namespace facet::agent::cli
