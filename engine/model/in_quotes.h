// Names and values out of a file, as error messages show them.
#pragma once

#include <string>
#include <string_view>

namespace facet::engine {

/// The first 80 bytes of `text` in single quotes, fit for a log and a terminal: bytes that are not
/// UTF-8 become U+FFFD, control characters '?'; "..." stands for what is left out.
std::string in_quotes(std::string_view text);

}  // namespace facet::engine
