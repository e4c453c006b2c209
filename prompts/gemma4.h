// Gemma 4: declarations, calls and responses between control tokens, strings between two <|"|>, all
// calls and responses of a turn inside one model turn. The format is that of Google's chat template
// (revision of 2026-07-09) with thinking off; the two sizes differ in what opens a model's turn:
// the large models need an empty thought in front, or they think.
//
// Where this dialect differs from the template:
//  - a response that is a mapping is spread over the response's members in every form of message;
//    the template fails on one form of it;
//  - a user message behind a response first closes the model's turn; the template would glue it in;
//  - a top-level schema without a type is declared as OBJECT; the template would leave a brace
//  open.
// Sequences are extended with render_tool_outputs() and render_user_turn(), never rendered again.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/dialect.h"
#include "prompts/segment_writer.h"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace facet::prompts {

enum class Gemma4Size {
  small,  ///< E2B, E4B.
  large,  ///< 12B, 26B-A4B, 31B.
};

/// The dialects "gemma4-e2b" and "gemma4". Valid for the whole program.
const Dialect& gemma4(Gemma4Size size);

/// Gemma 4's quotation mark.
inline constexpr std::string_view kGemma4Quote = "<|\"|>";

/// A value; keys sorted, bare or (`quote_keys`, inside schemas) as strings.
void write_gemma4_value(const nlohmann::ordered_json& value, bool quote_keys, SegmentWriter& out);
/// `key:value,key:value`. REQUIRES: object.is_object().
void write_gemma4_members(const nlohmann::ordered_json& object, SegmentWriter& out);
/// `<|tool>declaration:name{...}<tool|>`. invalid_argument naming the tool when its parameters are
/// not a JSON object.
Status write_gemma4_declaration(const ToolSpec& tool, SegmentWriter& out);

}  // namespace facet::prompts
