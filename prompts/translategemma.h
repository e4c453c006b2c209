// TranslateGemma: a translator by prompting. One prompt holds one text, or one image whose text is
// to be read, and names both languages by their English name and code.
//
// The official template could not be read here. The text form is the fixture of the reference
// folder, which three independent re-implementations share; the form for an image is that of two
// others, which agree to the letter. The table of languages is the template's as two published
// copies have it (equal to each other: 161 languages with their regions and scripts, 581 codes).
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// What is translated. Codes are BCP 47 as the model knows them: "en", "de-DE", "zh-Hant"; an
/// underscore is read as a hyphen.
struct Translation {
  std::string from;
  std::string to;
  std::string text;       ///< Without an image; white space around it is dropped.
  bool is_image = false;  ///< The text is in an image: no `text`, one image marker.
};

/// The English name of a language, by its exact code. invalid_argument for a code that the model's
/// template does not know (zh-CN: it is zh-Hans there).
Result<std::string_view> language_name(std::string_view code);

/// The prompt. invalid_argument for an unknown code, and for an empty text or a text beside an
/// image.
Result<std::vector<Segment>> render_translation(const Translation& translation);

/// {"messages": [{"role": "user", "content": [{"type": "text", "source_lang_code",
/// "target_lang_code", "text"}]}]}, or "type": "image" with an optional "url" that is not looked
/// at: the form the model's own template takes. Errors as read_render_input (json_io.h) gives them.
Result<Translation> read_translation(std::string_view json);

}  // namespace facet::prompts
