// Images in a prompt: the dialects write a marker, <start_of_image>, where an image goes; here it
// becomes what the reference processor puts there.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <string_view>
#include <vector>

namespace facet::prompts {

/// The control tokens around an image's soft tokens.
inline constexpr std::string_view kStartOfImage = "<start_of_image>";
inline constexpr std::string_view kEndOfImage = "<end_of_image>";

/// A prompt cut at its images: parts[0], image, parts[1], image, ..., parts.back(). Each image
/// stands between the <start_of_image> that ends one part and the <end_of_image> that begins the
/// next, and has an empty line before and behind. `crops` has an entry per marker: how many crops
/// (pan-and-scan) follow the whole image; an image with crops is introduced in words, so that one
/// marker gives 1 + crops images, the whole one first. Markers that are somebody's words, not
/// control text, stay letters. The parts are to be tokenized one by one.
/// invalid_argument when there are more or fewer markers than entries, or an entry is below 0.
Result<std::vector<std::vector<Segment>>> split_at_images(const std::vector<Segment>& segments,
                                                          const std::vector<int>& crops);

}  // namespace facet::prompts
