// A flat tokenizer for HTML: tags, text and nothing else. No tree, no recursion, linear time; it
// accepts any bytes, as browsers do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::retrieval {

struct HtmlToken {
  enum class Kind { text, start_tag, end_tag };
  Kind kind = Kind::text;
  std::string name;      ///< Tags: lower case.
  std::string_view raw;  ///< text: as written, references not decoded. start_tag: the attributes.
  bool self_closing = false;
};

/// Walks over borrowed text; not thread-safe. Comments, doctypes and processing instructions are
/// skipped. The content of script, style, textarea, title and the like comes as one raw text token.
class HtmlTokenizer {
 public:
  explicit HtmlTokenizer(std::string_view html) : html_(html) {}

  /// Fills `token`; false at the end.
  bool next(HtmlToken& token);

 private:
  bool skip_markup_declaration();
  void read_tag(HtmlToken& token);

  std::string_view html_;
  std::size_t at_ = 0;
  std::string raw_text_of_;  // Name of the element whose raw content comes next.
};

/// The decoded value of attribute `name` (lower case) in a start tag's `attributes`; empty when it
/// is absent or empty; `present` tells which, when given.
std::string html_attribute(std::string_view attributes,
                           std::string_view name,
                           bool* present = nullptr);

}  // namespace facet::retrieval
