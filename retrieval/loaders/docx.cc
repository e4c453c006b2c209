#include "base/ascii.h"
#include "retrieval/loaders/loader.h"
#include "retrieval/loaders/table.h"
#include "retrieval/loaders/zip.h"

#include <pugixml.hpp>

#include <charconv>
#include <map>
#include <utility>

namespace facet::retrieval {
namespace {

/// Element and attribute names without their prefix: Word writes "w:", others are free not to.
std::string_view local_name(const char* name) {
  const std::string_view whole(name);
  const std::size_t colon = whole.find(':');
  return colon == std::string_view::npos ? whole : whole.substr(colon + 1);
}

pugi::xml_node child_named(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& child : node.children()) {
    if (local_name(child.name()) == name) return child;
  }
  return {};
}

std::string_view attribute_named(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    if (local_name(attribute.name()) == name) return attribute.value();
  }
  return {};
}

int number_or(std::string_view text, int otherwise) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

Status parse_xml(pugi::xml_document& document, std::string& text, std::string_view what) {
  // pugixml knows no external entities and keeps declared ones as letters: nothing expands.
  const pugi::xml_parse_result result = document.load_buffer_inplace(
      text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata);
  if (!result) {
    return Error{Code::invalid_data,
                 std::string(what) + " is no XML: " + result.description() + " at byte " +
                     std::to_string(result.offset)};
  }
  return ok();
}

/// Heading level of a style by its name ("heading 1", "Title") or its outline level; 0 for others.
int level_of_style(const pugi::xml_node& style) {
  const std::string name = ascii_lower(attribute_named(child_named(style, "name"), "val"));
  if (name == "title") return 1;
  if (name.starts_with("heading ")) return number_or(std::string_view(name).substr(8), 0);
  const pugi::xml_node outline = child_named(child_named(style, "pPr"), "outlineLvl");
  const int level = number_or(attribute_named(outline, "val"), 9);
  return level < 9 ? level + 1 : 0;
}

std::map<std::string, int, std::less<>> heading_styles(const pugi::xml_document& styles) {
  std::map<std::string, int, std::less<>> levels;
  for (const pugi::xml_node& style : styles.document_element().children()) {
    if (local_name(style.name()) != "style") continue;
    if (const int level = level_of_style(style); level > 0) {
      levels.emplace(attribute_named(style, "styleId"), level);
    }
  }
  return levels;
}

class DocxReader {
 public:
  DocxReader(std::map<std::string, int, std::less<>> heading_levels, const LoadLimits& limits)
      : heading_levels_(std::move(heading_levels)), limits_(limits), builder_(limits) {}

  void set_title(std::string_view title) { builder_.set_title(title); }

  /// Depth first without recursion: documents nest as deep as their authors like.
  Result<LoadedDocument> read(const pugi::xml_node& root, std::string_view fallback_title) {
    pugi::xml_node node = root;
    while (node && !builder_.full()) {
      if (enter(node) && node.first_child()) {
        node = node.first_child();
        continue;
      }
      leave(node);
      while (node != root && !node.next_sibling()) {
        node = node.parent();
        leave(node);
      }
      if (node == root) break;
      node = node.next_sibling();
    }
    return std::move(builder_).finish(fallback_title);
  }

 private:
  /// False when the children of `node` are not to be read.
  bool enter(const pugi::xml_node& node) {
    const std::string_view name = local_name(node.name());
    if (name == "p") {
      if (paragraphs_++ == 0) begin_paragraph(node);
    } else if (name == "t") {
      words_ += node.text().get();
      return false;
    } else if (name == "tab" || name == "br" || name == "cr" || name == "noBreakHyphen") {
      words_ += name == "noBreakHyphen" ? '-' : ' ';
    } else if (name == "tbl") {
      if (tables_++ == 0) rows_.clear();
    } else if (name == "tr" && tables_ == 1) {
      rows_.emplace_back();
    } else if (name == "tc" && tables_ == 1 && !rows_.empty()) {
      rows_.back().emplace_back();
    }
    // The fallback of an alternative repeats its words; deleted and hidden runs are not shown.
    return name != "Fallback" && name != "del" && name != "moveFrom" && name != "pPr" &&
           name != "instrText" && !(name == "r" && is_hidden(node));
  }

  static bool is_hidden(const pugi::xml_node& run) {
    const pugi::xml_node vanish = child_named(child_named(run, "rPr"), "vanish");
    const std::string_view value = attribute_named(vanish, "val");
    return vanish && value != "0" && value != "false";
  }

  void begin_paragraph(const pugi::xml_node& paragraph) {
    words_.clear();
    level_ = 0;
    const pugi::xml_node properties = child_named(paragraph, "pPr");
    const std::string_view style = attribute_named(child_named(properties, "pStyle"), "val");
    if (const auto found = heading_levels_.find(style); found != heading_levels_.end()) {
      level_ = found->second;
    } else if (const pugi::xml_node outline = child_named(properties, "outlineLvl")) {
      const int level = number_or(attribute_named(outline, "val"), 9);
      level_ = level < 9 ? level + 1 : 0;
    }
    is_item_ = static_cast<bool>(child_named(properties, "numPr")) ||
               style.find("List") != std::string_view::npos;
  }

  void leave(const pugi::xml_node& node) {
    const std::string_view name = local_name(node.name());
    if (name == "p") {
      if (--paragraphs_ == 0) {
        end_paragraph();
      } else {
        words_ += ' ';  // A text box inside a paragraph.
      }
    } else if (name == "tbl" && --tables_ == 0) {
      append_table(builder_, std::exchange(rows_, {}), limits_);
    }
  }

  void end_paragraph() {
    const std::string words = collapse_white_space(std::exchange(words_, {}));
    if (words.empty()) return;
    if (tables_ > 0 && !rows_.empty() && !rows_.back().empty()) {
      std::string& cell = rows_.back().back();
      if (!cell.empty()) cell += ' ';
      cell += words;
    } else if (level_ > 0) {
      builder_.heading(level_, words);
    } else if (is_item_) {
      builder_.list_item("- " + words);
    } else {
      builder_.paragraph(words);
    }
  }

  std::map<std::string, int, std::less<>> heading_levels_;
  LoadLimits limits_;
  DocumentBuilder builder_;
  std::string words_;
  int level_ = 0;
  bool is_item_ = false;
  std::size_t paragraphs_ = 0;  // Open ones: a text box nests.
  std::size_t tables_ = 0;
  std::vector<TableRow> rows_;
};

}  // namespace

Result<LoadedDocument> load_docx(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits) {
  FACET_TRY(auto entries,
            read_zip_entries(
                bytes, {"word/document.xml", "word/styles.xml", "docProps/core.xml"}, limits));
  if (!entries.contains("word/document.xml")) {
    return Error{Code::invalid_data, "the archive has no word/document.xml"};
  }
  std::map<std::string, int, std::less<>> levels;
  if (entries.contains("word/styles.xml")) {
    pugi::xml_document styles;
    FACET_TRY_STATUS(parse_xml(styles, entries["word/styles.xml"], "word/styles.xml"));
    levels = heading_styles(styles);
  }
  DocxReader reader(std::move(levels), limits);
  if (entries.contains("docProps/core.xml")) {
    pugi::xml_document core;
    FACET_TRY_STATUS(parse_xml(core, entries["docProps/core.xml"], "docProps/core.xml"));
    reader.set_title(child_named(core.document_element(), "title").text().get());
  }
  pugi::xml_document document;
  FACET_TRY_STATUS(parse_xml(document, entries["word/document.xml"], "word/document.xml"));
  return reader.read(document.document_element(), name.stem().string());
}

}  // namespace facet::retrieval
