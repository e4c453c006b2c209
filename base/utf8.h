// UTF-8: validation and code point boundaries, shared by the tokenizer, the loaders and the tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace facet {

/// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

/// `text` with every ill-formed byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

/// The longest prefix of `text` of at most `bytes_max` bytes that does not cut a well-formed code
/// point; ill-formed bytes are cut anywhere.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

/// How many bytes at the end of `text` are the beginning of a code point that is not complete yet
/// (0 to 3): what a streaming decoder holds back.
std::size_t incomplete_utf8_suffix(std::string_view text);

/// Adds `code_point` to `out`; U+FFFD for a surrogate and for what is beyond U+10FFFF.
void append_utf8(std::uint32_t code_point, std::string& out);

/// Length in bytes of the well-formed code point at `text[at]`, or 0 when it is ill-formed.
std::size_t utf8_length_at(std::string_view text, std::size_t at);

}  // namespace facet
