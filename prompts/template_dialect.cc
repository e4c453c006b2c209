#include "prompts/template_dialect.h"

#include <array>
#include <utility>

namespace facet::prompts {

std::string_view dialect_of_template(std::string_view jinja) {
  // The first that fits: the special ones also write the turns of the plain one.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords{
      {{"<BEGIN_SAFETY_POLICY>", "shieldgemma"},
       {"source_lang_code", "translategemma"},
       {"<start_function_declaration>", "functiongemma"},
       {"<start_of_turn>", "gemma3"}}};
  for (const auto& [word, dialect] : kWords) {
    if (jinja.find(word) != std::string_view::npos) return dialect;
  }
  return "";
}

}  // namespace facet::prompts
