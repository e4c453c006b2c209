// A tool held to fewer calls than it takes: how a call, or a part of one, is written again.
#pragma once

#include "base/chat.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace facet::agent {

/// Whether `parameters`, a tool's schema, require the member `name`.
bool is_required(const nlohmann::ordered_json& parameters, std::string_view name);

/// The members that `parameters`, a tool's schema, describes; an empty object where there are none.
const nlohmann::ordered_json& properties_of(const nlohmann::ordered_json& parameters);

/// Whether values of `schema` may only be what its type, items and properties say: false where it
/// lists them or says how to write them (enum, const, pattern, format), chooses among other schemas
/// (anyOf, $ref and the like), is exempt from copying (x-facet-free), or is no object.
bool is_plain(const nlohmann::ordered_json& schema);

/// What `arguments`, a call's, hold of `name`; null where they do not.
nlohmann::ordered_json argument_of(const nlohmann::ordered_json& arguments, std::string_view name);

/// `arguments` of a tool whose schema is `parameters`, with `value` as `name`, which is left out
/// where that is null and nothing requires it.
nlohmann::ordered_json with_argument(nlohmann::ordered_json arguments,
                                     const nlohmann::ordered_json& parameters,
                                     const std::string& name,
                                     const nlohmann::ordered_json& value);

/// The schema of a member that is `value`, wherever it comes from.
nlohmann::ordered_json held_value(const nlohmann::ordered_json& value);

/// `tool`, whose schema is `parameters`, with `properties` in place of its own, all of them
/// required.
ToolSpec held_tool(const ToolSpec& tool,
                   const nlohmann::ordered_json& parameters,
                   const nlohmann::ordered_json& properties);

}  // namespace facet::agent
