// The two things retrieval needs ICU for: bytes of an unknown encoding to UTF-8, and sentences.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

/// `bytes` as UTF-8 with '\n' line ends and without a byte order mark. The encoding is, in this
/// order: what a byte order mark says; UTF-32 or UTF-16 by the pattern of zero bytes; UTF-8 when
/// well-formed; `declared_charset` when ICU knows it; ICU's guess. invalid_data when it is not
/// text, `what` names it.
Result<std::string> decode_text(std::string_view bytes,
                                std::string_view what,
                                std::string_view declared_charset = {});

/// Ends of the sentences of `text` (UTF-8) as byte offsets, ascending; the last is text.size().
/// Empty for empty text. Unicode UAX 29; white space behind a sentence belongs to it.
std::vector<std::size_t> sentence_ends(std::string_view text);

}  // namespace facet::retrieval
