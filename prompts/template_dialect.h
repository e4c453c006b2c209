// Which of our dialects a model's own chat template writes.
#pragma once

#include <string_view>

namespace facet::prompts {

/// "shieldgemma", "translategemma", "functiongemma" or "gemma3", by the words that only its
/// template has; empty for a template of another family. A guess from words: the template is not
/// run, so a changed one may render something else than the dialect does.
std::string_view dialect_of_template(std::string_view jinja);

}  // namespace facet::prompts
