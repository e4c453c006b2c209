// The files of the Berkeley function-calling leaderboard (BFCL v4, its single-turn Python
// categories): questions with the functions that are declared, and the calls that are accepted.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace facet::agent {

struct BfclCase {
  std::string id;                 ///< "parallel_multiple_7".
  std::string category;           ///< The id without its number: "parallel_multiple".
  std::vector<Message> messages;  ///< One turn of the user, with a system message perhaps.
  std::vector<ToolSpec> tools;    ///< The functions, types as JSON Schema has them.
  std::string functions;          ///< The text of the list of functions as the file has it.
  /// The text of a list of {function: {parameter: [accepted values]}}; "[]": no call is right.
  std::string answers = "[]";
};

/// The leaderboard's Python-like types (dict, float, tuple, any) as JSON Schema. `optional` and
/// `format` are dropped: the one is no keyword, and accepted values break the other.
/// invalid_argument, with the place below `where`, for a type that is none of them.
Result<nlohmann::ordered_json> bfcl_schema(const nlohmann::ordered_json& parameters,
                                           const std::string& where);

/// The first `cases_max` questions of a file, 0: all, with their answers. Where the category's name
/// holds "irrelevance" no call is right and no answer is looked for; `answers` may be empty then.
/// invalid_argument naming file, line and field for what is no such file, for a question of several
/// turns, and for one without its answer; else the errors of read_eval_cases.
Result<std::vector<BfclCase>> read_bfcl(const std::filesystem::path& questions,
                                        const std::filesystem::path& answers,
                                        std::int64_t cases_max);

}  // namespace facet::agent
