#include "prompts/template_dialect.h"

#include "tests/support/catch.h"

using facet::prompts::dialect_of_template;

TEST_CASE("a template is recognised by the words that only it has", "[prompts][unit]") {
  // Cut out of the templates: the first line of each, and the word that tells.
  CHECK(dialect_of_template("{{ bos_token }}{{ '<start_of_turn>' + role }}") == "gemma3");
  CHECK(dialect_of_template(
            "{{ '<start_of_turn>developer\n' }}{{ '<start_function_declaration>' }}") ==
        "functiongemma");
  CHECK(dialect_of_template("{{ '<start_of_turn>user\n' }}{{ '<BEGIN_SAFETY_POLICY>\n' }}") ==
        "shieldgemma");
  CHECK(dialect_of_template(
            "{{ '<start_of_turn>user' }}{%- set code = item['source_lang_code'] -%}") ==
        "translategemma");
  CHECK(dialect_of_template("{{ '<|im_start|>' }}").empty());
  CHECK(dialect_of_template("").empty());
}
