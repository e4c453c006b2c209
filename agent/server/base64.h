// Base64 (RFC 4648, section 4), as pictures come in JSON.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::agent {

/// The bytes that `text` spells. Strict: the alphabet with + and /, padding where it belongs,
/// nothing else, unused bits zero. invalid_argument naming the position of what is wrong;
/// limit_exceeded when the result would have more than `bytes_max` bytes.
Result<std::string> decode_base64(std::string_view text, std::size_t bytes_max);

}  // namespace facet::agent
