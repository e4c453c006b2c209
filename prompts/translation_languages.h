// The languages that TranslateGemma's template knows. A code outside of this table is one the
// model was not trained to be given.
#pragma once

#include <span>
#include <string_view>

namespace facet::prompts {

struct TranslationLanguage {
  std::string_view code;
  std::string_view name;      ///< In English, UTF-8.
  std::string_view variants;  ///< What may follow "code-", parted by spaces.
};

/// Sorted by code.
std::span<const TranslationLanguage> translation_languages();

}  // namespace facet::prompts
