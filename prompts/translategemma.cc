#include "prompts/translategemma.h"

#include "base/json.h"
#include "prompts/image_prompts.h"
#include "prompts/json_fields.h"
#include "prompts/python_text.h"
#include "prompts/segment_writer.h"
#include "prompts/translation_languages.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

/// Whether the words of `variants`, which spaces part, hold `word`.
bool has_word(std::string_view variants, std::string_view word) {
  while (!variants.empty()) {
    const std::size_t end = std::min(variants.find(' '), variants.size());
    if (variants.substr(0, end) == word) return true;
    variants.remove_prefix(std::min(end + 1, variants.size()));
  }
  return false;
}

std::string hyphened(std::string code) {
  std::replace(code.begin(), code.end(), '_', '-');
  return code;
}

/// The string at `key` of the one part of the content; nullopt of the JSON kind is an error.
Result<std::string> text_at(const Json& part, const char* key) {
  const std::string pointer = std::string("/messages/0/content/0/") + key;
  const auto found = part.find(key);
  if (found == part.end()) return bad_field(pointer, "is missing");
  if (!found->is_string()) return bad_field(pointer, "is not a string");
  return found->get<std::string>();
}

/// The one entry of the one message's content.
Result<const Json*> only_part(const Json& root) {
  FACET_TRY_STATUS(check_fields(root, {"messages", "add_generation_prompt"}, ""));
  const auto messages = root.find("messages");
  if (messages == root.end() || !messages->is_array() || messages->size() != 1) {
    return bad_field("/messages", "is not a list of one message");
  }
  const auto prompt = root.find("add_generation_prompt");
  if (prompt != root.end() && *prompt != true) {
    return bad_field("/add_generation_prompt",
                     "is not true: a translation always waits for its answer");
  }
  const Json& message = messages->front();
  FACET_TRY_STATUS(check_fields(message, {"role", "content"}, "/messages/0"));
  const auto role = message.find("role");
  if (role == message.end() || *role != "user")
    return bad_field("/messages/0/role", "is not \"user\"");
  const auto content = message.find("content");
  if (content == message.end() || !content->is_array() || content->size() != 1) {
    return bad_field("/messages/0/content", "is not a list of one part");
  }
  FACET_TRY_STATUS(check_fields(content->front(),
                                {"type", "source_lang_code", "target_lang_code", "text", "url"},
                                "/messages/0/content/0"));
  return &content->front();
}

}  // namespace

Result<std::string_view> language_name(std::string_view code) {
  for (const TranslationLanguage& language : translation_languages()) {
    if (!code.starts_with(language.code)) continue;
    const std::string_view rest = code.substr(language.code.size());
    if (rest.empty()) return language.name;
    if (rest.front() == '-' && has_word(language.variants, rest.substr(1))) return language.name;
  }
  return Error{
      Code::invalid_argument,
      "unknown language \"" + std::string(code) + "\": codes are as en, de-DE, zh-Hans or zh-Hant"};
}

Result<std::vector<Segment>> render_translation(const Translation& translation) {
  const std::string from = hyphened(translation.from);
  const std::string to = hyphened(translation.to);
  FACET_TRY(const std::string_view source_view, language_name(from));
  FACET_TRY(const std::string_view target_view, language_name(to));
  const std::string source(source_view);
  const std::string target(target_view);
  const std::string_view text = strip(translation.text);
  if (text.empty() != translation.is_image) {
    return Error{Code::invalid_argument,
                 translation.is_image ? "a translation takes a text or an image, not both"
                                      : "a translation needs a text or an image"};
  }
  SegmentWriter out;
  out.control("<bos><start_of_turn>user\nYou are a professional " + source + " (" + from + ") to " +
              target + " (" + to +
              ") translator. Your goal is to accurately convey the meaning and nuances of the "
              "original " +
              source + " text while adhering to " + target +
              " grammar, vocabulary, and cultural sensitivities.\n");
  if (translation.is_image) {
    out.control("Please translate the " + source + " text in the provided image into " + target +
                ". Produce only the " + target +
                " translation, without any additional explanations, alternatives or commentary. "
                "Focus only on the text, do not output where the text is located, surrounding "
                "objects or any other explanation about the picture. Ignore symbols, pictogram, "
                "and arrows!\n\n\n");
    out.control(kStartOfImage);
  } else {
    out.control("Produce only the " + target +
                " translation, without any additional explanations or commentary. Please translate "
                "the following " +
                source + " text into " + target + ":\n\n\n");
    out.data(text);
  }
  out.control("<end_of_turn>\n<start_of_turn>model\n");
  return out.take();
}

Result<Translation> read_translation(std::string_view json) {
  FACET_TRY(const Json root, parse_json(json, "conversation", kConversationLimits));
  FACET_TRY(const Json* part, only_part(root));
  Translation out;
  FACET_TRY(const std::string type, text_at(*part, "type"));
  if (type != "text" && type != "image") {
    return bad_field("/messages/0/content/0/type",
                     "\"" + type + "\" is neither \"text\" nor \"image\"");
  }
  FACET_TRY(out.from, text_at(*part, "source_lang_code"));
  FACET_TRY(out.to, text_at(*part, "target_lang_code"));
  out.is_image = type == "image";
  if (out.is_image) {
    if (part->contains("text")) return bad_field("/messages/0/content/0/text", "beside an image");
    return out;
  }
  if (part->contains("url")) return bad_field("/messages/0/content/0/url", "beside a text");
  FACET_TRY(out.text, text_at(*part, "text"));
  return out;
}

}  // namespace facet::prompts
