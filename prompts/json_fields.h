// What the readers and writers of JSON in this room share.
#pragma once

#include "base/chat.h"
#include "base/json.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace facet::prompts {

/// Of a conversation as JSON.
inline constexpr JsonLimits kConversationLimits{.bytes_max = 16U << 20U, .nesting_depth_max = 64};

/// invalid_argument: "conversation, "<pointer>": <what>".
Error bad_field(const std::string& pointer, const std::string& what);

/// bad_field for what is no object, or has a field that is not in `known`.
Status check_fields(const nlohmann::ordered_json& object,
                    std::initializer_list<std::string_view> known,
                    const std::string& pointer);

/// Null where `object` is none or has no `key`.
const nlohmann::ordered_json* member(const nlohmann::ordered_json& object, const char* key);

/// `text` as an object. Errors have `code`, and name `what` ("arguments of call ...").
Result<nlohmann::ordered_json> parse_object(const std::string& text,
                                            const std::string& what,
                                            Code code);

/// The parameters of `tool`, an object, as models are shown them: without x-facet-free, which is
/// for grammars. invalid_argument naming the tool when they are none.
Result<nlohmann::ordered_json> parse_parameters(const ToolSpec& tool);

}  // namespace facet::prompts
