#include "retrieval/loaders/html_tokenizer.h"

#include "base/ascii.h"
#include "retrieval/loaders/document.h"
#include "retrieval/loaders/entities.h"

#include <algorithm>
#include <array>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr std::string_view kSpace = " \t\n\r\f";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool holds_raw_text(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Position of "</name" in any letter case, or the end.
std::size_t find_end_tag(std::string_view html, std::size_t from, std::string_view name) {
  for (std::size_t at = html.find("</", from); at != std::string_view::npos;
       at = html.find("</", at + 2)) {
    if (ascii_lower(html.substr(at + 2, name.size())) == name) return at;
  }
  return html.size();
}

/// One attribute of a tag: moves `attributes` behind it. False when none is left.
bool next_attribute(std::string_view& attributes, std::string& name, std::string_view& value) {
  const std::size_t begin = attributes.find_first_not_of(" \t\n\r\f/");
  if (begin == std::string_view::npos) return false;
  attributes.remove_prefix(begin);
  const std::size_t name_end =
      std::min(attributes.find_first_of(" \t\n\r\f/=", 1), attributes.size());
  name = ascii_lower(attributes.substr(0, name_end));
  attributes.remove_prefix(name_end);
  value = {};
  const std::size_t equals = attributes.find_first_not_of(kSpace);
  if (equals == std::string_view::npos || attributes[equals] != '=') return true;
  attributes.remove_prefix(equals + 1);
  const std::size_t value_begin = attributes.find_first_not_of(kSpace);
  if (value_begin == std::string_view::npos) {
    attributes = {};
    return true;
  }
  attributes.remove_prefix(value_begin);
  const char quote = attributes.front();
  if (quote == '"' || quote == '\'') {
    attributes.remove_prefix(1);
    const std::size_t end = std::min(attributes.find(quote), attributes.size());
    value = attributes.substr(0, end);
    attributes.remove_prefix(std::min(end + 1, attributes.size()));
  } else {
    const std::size_t end = std::min(attributes.find_first_of(kSpace), attributes.size());
    value = attributes.substr(0, end);
    attributes.remove_prefix(end);
  }
  return true;
}

}  // namespace

bool HtmlTokenizer::next(HtmlToken& token) {
  while (at_ < html_.size()) {
    token = {};
    if (!raw_text_of_.empty()) {
      const std::size_t end = find_end_tag(html_, at_, std::exchange(raw_text_of_, {}));
      token.raw = html_.substr(at_, end - at_);
      at_ = end;
      return true;
    }
    const char after = at_ + 1 < html_.size() ? html_[at_ + 1] : ' ';
    if (html_[at_] != '<') {
      const std::size_t end = std::min(html_.find('<', at_), html_.size());
      token.raw = html_.substr(at_, end - at_);
      at_ = end;
      return true;
    }
    if (is_letter(after) || (after == '/' && at_ + 2 < html_.size() && is_letter(html_[at_ + 2]))) {
      read_tag(token);
      return true;
    }
    if (skip_markup_declaration()) continue;
    // A lone '<' is a letter like others; it goes out together with the text behind it.
    const std::size_t end = std::min(html_.find('<', at_ + 1), html_.size());
    token.raw = html_.substr(at_, end - at_);
    at_ = end;
    return true;
  }
  return false;
}

bool HtmlTokenizer::skip_markup_declaration() {
  const std::string_view rest = html_.substr(at_);
  if (rest.starts_with("<!--")) {
    const std::size_t end = html_.find("-->", at_ + 4);
    at_ = end == std::string_view::npos ? html_.size() : end + 3;
    return true;
  }
  if (rest.starts_with("<!") || rest.starts_with("<?") || rest.starts_with("</")) {
    const std::size_t end = html_.find('>', at_);
    at_ = end == std::string_view::npos ? html_.size() : end + 1;
    return true;
  }
  return false;
}

void HtmlTokenizer::read_tag(HtmlToken& token) {
  const bool closing = html_[at_ + 1] == '/';
  token.kind = closing ? HtmlToken::Kind::end_tag : HtmlToken::Kind::start_tag;
  at_ += closing ? 2 : 1;
  const std::size_t name_end = std::min(html_.find_first_of(" \t\n\r\f/>", at_), html_.size());
  token.name = ascii_lower(html_.substr(at_, name_end - at_));
  at_ = name_end;
  // A '>' inside a quoted value does not end the tag.
  char quote = '\0';
  std::size_t end = at_;
  for (; end < html_.size(); ++end) {
    const char c = html_[end];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '>') {
      break;
    } else if ((c == '"' || c == '\'') && html_[end - 1] == '=') {
      quote = c;
    }
  }
  token.raw = html_.substr(at_, end - at_);
  token.self_closing = token.raw.ends_with('/');
  at_ = std::min(end + 1, html_.size());
  if (!closing && !token.self_closing && holds_raw_text(token.name)) raw_text_of_ = token.name;
}

std::string html_attribute(std::string_view attributes, std::string_view name, bool* present) {
  std::string each;
  std::string_view value;
  if (present != nullptr) *present = false;
  while (next_attribute(attributes, each, value)) {
    if (each != name) continue;
    if (present != nullptr) *present = true;
    return decode_entities(value);
  }
  return {};
}

}  // namespace facet::retrieval
