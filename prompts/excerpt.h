// A piece of a model's output for the message of an error.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::prompts {

/// `text` as UTF-8, control characters as spaces; where it is longer than 240 bytes, only what
/// stands around `at`, with "..." at the cut ends.
std::string excerpt(std::string_view text, std::size_t at);

}  // namespace facet::prompts
