// What a request and the declaration of a tool have in common as words.
#pragma once

#include "base/chat.h"
#include "engine/model/thesaurus.h"

#include <cstddef>
#include <string_view>

namespace facet::agent {

/// Each word of a text is compared with each of another one.
inline constexpr std::size_t kAlikeWordsMax = 64;

/// Words are those of content_stems(). With a thesaurus a word, or two in a row, counts as said
/// where the request has one that is alike, of the first kAlikeWordsMax words of each text.
struct CommonWords {
  int words = 0;  ///< Distinct words of the request in the tool's name or description.
  /// The share of the name's words that are in the request, or of the description's: the larger.
  double cover = 0.0;
  /// Distinct words of the request in names and descriptions of parameters, and in neither of
  /// those. The thesaurus does not count here.
  int parameters = 0;

  bool operator==(const CommonWords&) const = default;
};

/// Parameters that are no JSON have no words. `thesaurus` may be null.
CommonWords common_words(const ToolSpec& tool,
                         std::string_view request,
                         const engine::Thesaurus* thesaurus = nullptr);

}  // namespace facet::agent
