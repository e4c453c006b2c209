// References: `${name.field}` inside the text and the arguments of a workflow.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// The paths of all references in `text`, in order: "a.b" for "${a.b}". invalid_data for one that
/// is not closed or has an empty part.
Result<std::vector<std::string>> find_references(std::string_view text);

/// `text` with every reference replaced by its value in `scope` (a JSON object): strings as they
/// are, everything else as JSON. not_found, naming the path, when there is no such value.
Result<std::string> substitute(std::string_view text, const nlohmann::ordered_json& scope);

/// `value` with the strings in it substituted. A string that is one whole reference becomes the
/// value itself, with its type. REQUIRES: value nests at most kWorkflowDepthMax deep.
Result<nlohmann::ordered_json> substitute_json(const nlohmann::ordered_json& value,
                                               const nlohmann::ordered_json& scope);

}  // namespace facet::agent
