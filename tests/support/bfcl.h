// The questions and answers of the Berkeley function-calling leaderboard, where they are at hand.
#pragma once

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

/// The leaderboard's Python-like types as JSON Schema.
nlohmann::ordered_json bfcl_schema(const nlohmann::ordered_json& parameters);

}  // namespace facet::test
