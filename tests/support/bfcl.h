// The questions and answers of the Berkeley function-calling leaderboard, where they are at hand.
#pragma once

#include "agent/bfcl.h"
#include "base/chat.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace facet::test {

struct BfclCase {
  std::string id;
  std::vector<ToolSpec> tools;
  /// Calls that the answers allow, each accepted value of each argument in at least one of them.
  std::vector<ToolCall> answers;
};

/// One category of `folder`; without answers where it has none (irrelevance).
std::vector<BfclCase> read_bfcl(const std::filesystem::path& folder, const std::string& category);

/// The same as the product reads it.
std::vector<agent::BfclCase> read_bfcl_cases(const std::filesystem::path& folder,
                                             const std::string& category);

/// Whole turns that the answers of a case allow: each call that they list is in at least one.
std::vector<std::vector<ToolCall>> accepted_turns(const nlohmann::ordered_json& functions,
                                                  const nlohmann::ordered_json& answers);

}  // namespace facet::test
