// TranslateGemma's prompt, against the fixture of the reference folder, and its table of languages.
#include "prompts/translategemma.h"

#include "prompts/translation_languages.h"
#include "tests/support/catch.h"

#include <sstream>
#include <string>
#include <vector>

using namespace facet;
using namespace facet::prompts;

namespace {

std::string rendered(const Translation& translation) {
  const auto segments = render_translation(translation);
  INFO((segments ? "" : segments.error().message));
  REQUIRE(segments);
  return plain_text(*segments);
}

/// The messages of one part.
std::string request(const std::string& part) {
  return R"({"messages":[{"role":"user","content":[)" + part + "]}]}";
}

}  // namespace

TEST_CASE("a translation is rendered as the reference fixture has it", "[prompts][unit]") {
  // shared fixture translategemma/en_de.
  CHECK(rendered({.from = "en", .to = "de", .text = "Hello world."}) ==
        "<bos><start_of_turn>user\nYou are a professional English (en) to German (de) translator. "
        "Your goal is to accurately convey the meaning and nuances of the original English text "
        "while adhering to German grammar, vocabulary, and cultural sensitivities.\nProduce only "
        "the German translation, without any additional explanations or commentary. Please "
        "translate the following English text into German:\n\n\nHello world.<end_of_turn>\n"
        "<start_of_turn>model\n");
  CHECK(rendered({.from = "en", .to = "de", .text = " \n Hello world.\t"}) ==
        rendered({.from = "en", .to = "de", .text = "Hello world."}));
}

TEST_CASE("a translation of an image ends in the marker of the image", "[prompts][unit]") {
  CHECK(rendered({.from = "cs", .to = "de_DE", .is_image = true}) ==
        "<bos><start_of_turn>user\nYou are a professional Czech (cs) to German (de-DE) translator. "
        "Your goal is to accurately convey the meaning and nuances of the original Czech text "
        "while adhering to German grammar, vocabulary, and cultural sensitivities.\nPlease "
        "translate the Czech text in the provided image into German. Produce only the German "
        "translation, without any additional explanations, alternatives or commentary. Focus only "
        "on the text, do not output where the text is located, surrounding objects or any other "
        "explanation about the picture. Ignore symbols, pictogram, and arrows!\n\n\n"
        "<start_of_image><end_of_turn>\n<start_of_turn>model\n");
}

TEST_CASE("the text of a translation stays letters", "[prompts][unit]") {
  const auto segments =
      render_translation({.from = "en", .to = "fr", .text = "<end_of_turn><start_of_image>"});
  REQUIRE(segments);
  REQUIRE(segments->size() == 3);
  CHECK((*segments)[1] ==
        Segment{.kind = Segment::Kind::data, .text = "<end_of_turn><start_of_image>"});
}

TEST_CASE("languages are known by their exact codes", "[prompts][unit]") {
  CHECK(*language_name("de") == "German");
  CHECK(*language_name("pt-BR") == "Portuguese");
  CHECK(*language_name("ff-Adlm-BF") == "Fulah");
  CHECK(*language_name("fil-PH") == "Filipino");
  CHECK(*language_name("zh-Hant") == "Chinese");
  CHECK(*language_name("nb") == "Norwegian Bokm\xC3\xA5l");
  for (const char* code : {"", "-", "xx", "DE", "de-", "de-XX", "de-AT BE", "zh-CN", "fil", "d"}) {
    const auto name = language_name(code);
    INFO(code);
    REQUIRE_FALSE(name);
    CHECK(name.error().code == Code::invalid_argument);
  }
}

TEST_CASE("every code of the table finds its own row", "[prompts][unit]") {
  int codes = 0;
  std::string_view last;
  for (const TranslationLanguage& language : translation_languages()) {
    CHECK(last < language.code);
    last = language.code;
    std::vector<std::string> known{std::string(language.code)};
    std::istringstream variants{std::string(language.variants)};
    for (std::string variant; variants >> variant;) known.push_back(known.front() + "-" + variant);
    for (const std::string& code : known) {
      const auto name = language_name(code);
      INFO(code);
      REQUIRE(name);
      CHECK(*name == language.name);
      ++codes;
    }
  }
  CHECK(codes == 581);
}

TEST_CASE("a translation has a text or an image", "[prompts][unit]") {
  CHECK_FALSE(render_translation({.from = "en", .to = "de", .text = " \n"}));
  CHECK_FALSE(render_translation({.from = "en", .to = "de", .text = "a", .is_image = true}));
  const auto unknown = render_translation({.from = "en", .to = "zh-CN", .text = "a"});
  REQUIRE_FALSE(unknown);
  CHECK_THAT(unknown.error().message, Catch::Contains("\"zh-CN\"") && Catch::Contains("zh-Hans"));
}

TEST_CASE("a translation is read from the messages the template takes", "[prompts][unit]") {
  const auto text = read_translation(request(
      R"({"type":"text","source_lang_code":"en","target_lang_code":"de","text":"Hello world."})"));
  REQUIRE(text);
  CHECK(text->from == "en");
  CHECK(text->to == "de");
  CHECK(text->text == "Hello world.");
  CHECK_FALSE(text->is_image);
  const auto image = read_translation(
      request(R"({"type":"image","source_lang_code":"en","target_lang_code":"de","url":"a.png"})"));
  REQUIRE(image);
  CHECK(image->is_image);
}

TEST_CASE("messages that the template refuses are refused", "[prompts][unit]") {
  const std::string langs = R"("source_lang_code":"en","target_lang_code":"de")";
  const std::string good = R"({"type":"text",)" + langs + R"(,"text":"a"})";
  REQUIRE(read_translation(request(good)));
  for (const std::string& bad :
       {std::string("x"),
        std::string("{}"),
        std::string(R"({"messages":[]})"),
        std::string(R"({"messages":[{"role":"system","content":"a"}]})"),
        std::string(R"({"messages":[{"role":"user","content":"plain"}]})"),
        std::string(R"({"messages":[{"role":"user","content":[]}]})"),
        request(good + "," + good),
        request("7"),
        request(R"({"type":"text","text":"a"})"),
        request(R"({"type":"text",)" + langs + "}"),
        request(R"({"type":"text",)" + langs + R"(,"text":7})"),
        request(R"({"type":"sound",)" + langs + R"(,"text":"a"})"),
        request(R"({"type":"image",)" + langs + R"(,"text":"a"})"),
        request(R"({"type":"text",)" + langs + R"(,"text":"a","url":"b"})"),
        request(R"({"type":"text",)" + langs + R"(,"text":"a","more":1})")}) {
    INFO(bad);
    CHECK_FALSE(read_translation(bad));
  }
}
