// FunctionGemma's value syntax: `<escape>text<escape>`, 15, 1.5, true, None, [a,b], {key:value}.
// A string is closed by the control token only, so it may contain every text.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/segment_writer.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace facet::prompts {

inline constexpr std::string_view kEscape = "<escape>";
inline constexpr int kNestingDepthMax = 64;

/// Writes a string with its quotes.
void write_string(std::string_view text, SegmentWriter& out);

/// Writes any value; keys are sorted (dictsort). Keys of objects are quoted inside schemas
/// (`quote_keys`) and bare in arguments and responses.
void write_value(const nlohmann::ordered_json& value, bool quote_keys, SegmentWriter& out);

/// Writes `key:value,key:value`, bare keys, sorted. REQUIRES: object.is_object().
void write_members(const nlohmann::ordered_json& object, SegmentWriter& out);

/// What stands between <start_function_call> and <end_function_call>, as symbols: bytes 0..255 of
/// data and kEscapeSymbol for the control token <escape>.
using CallSymbols = std::u16string;
inline constexpr char16_t kEscapeSymbol = 256;

/// Reads `call:name{...}`. The inverse of writing; besides, white space between symbols, `null`
/// and quoted keys are accepted. invalid_data with offset and text for anything else, including an
/// argument given twice (a key inside a value may be: the last one wins) and nesting beyond
/// kNestingDepthMax.
Result<ToolCall> read_call(const CallSymbols& symbols);

/// A value of one word as JSON; nullopt for what is no value.
std::optional<std::string> call_scalar_json(std::string_view word);

/// `symbols` as text with <escape> spelled, for messages.
std::string symbols_text(const CallSymbols& symbols);

}  // namespace facet::prompts
