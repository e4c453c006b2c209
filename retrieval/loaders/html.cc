#include "base/ascii.h"
#include "retrieval/loaders/entities.h"
#include "retrieval/loaders/html_tokenizer.h"
#include "retrieval/loaders/loader.h"
#include "retrieval/loaders/table.h"
#include "retrieval/unicode.h"

#include <algorithm>
#include <array>
#include <utility>

namespace facet::retrieval {
namespace {

// Elements deeper than this are counted, not remembered: a million nested <div> cost nothing.
constexpr std::size_t kOpenElementsMax = 256;
constexpr std::size_t kCharsetSearchBytes = 4096;

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_void(std::string_view name) {
  constexpr std::array<std::string_view, 14> kNames = {"area",
                                                       "base",
                                                       "br",
                                                       "col",
                                                       "embed",
                                                       "hr",
                                                       "img",
                                                       "input",
                                                       "link",
                                                       "meta",
                                                       "param",
                                                       "source",
                                                       "track",
                                                       "wbr"};
  return is_one_of(name, kNames);
}

/// Elements whose words no reader sees.
bool is_dropped(std::string_view name) {
  constexpr std::array<std::string_view, 14> kNames = {"script",
                                                       "style",
                                                       "template",
                                                       "noscript",
                                                       "iframe",
                                                       "object",
                                                       "svg",
                                                       "math",
                                                       "canvas",
                                                       "textarea",
                                                       "select",
                                                       "audio",
                                                       "video",
                                                       "noframes"};
  return is_one_of(name, kNames);
}

/// Elements that begin a new line; all others flow.
bool is_block(std::string_view name) {
  constexpr std::array<std::string_view, 38> kNames = {
      "address", "article", "aside", "blockquote", "body", "caption", "center",   "dd",
      "details", "dialog",  "dir",   "div",        "dl",   "dt",      "fieldset", "figcaption",
      "figure",  "footer",  "form",  "header",     "hr",   "html",    "legend",   "li",
      "main",    "menu",    "nav",   "ol",         "p",    "pre",     "section",  "summary",
      "table",   "tbody",   "tfoot", "thead",      "tr",   "ul"};
  return is_one_of(name, kNames) ||
         (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6');
}

int heading_level(std::string_view name) {
  return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6' ? name[1] - '0' : 0;
}

bool is_hidden(const HtmlToken& tag) {
  bool present = false;
  html_attribute(tag.raw, "hidden", &present);
  if (present) return true;
  if (ascii_lower(html_attribute(tag.raw, "aria-hidden")) == "true") return true;
  std::string style = ascii_lower(html_attribute(tag.raw, "style"));
  style.erase(std::remove_if(style.begin(), style.end(), [](char c) { return c == ' '; }),
              style.end());
  return style.find("display:none") != std::string::npos ||
         style.find("visibility:hidden") != std::string::npos;
}

/// The charset that a <meta> in the first bytes declares; empty when there is none.
std::string declared_charset(std::string_view bytes) {
  HtmlTokenizer tokenizer(bytes.substr(0, kCharsetSearchBytes));
  HtmlToken token;
  while (tokenizer.next(token)) {
    if (token.kind != HtmlToken::Kind::start_tag || token.name != "meta") continue;
    std::string charset = html_attribute(token.raw, "charset");
    if (charset.empty()) {
      const std::string content = ascii_lower(html_attribute(token.raw, "content"));
      const std::size_t at = content.find("charset=");
      if (at != std::string::npos) charset = trimmed(std::string_view(content).substr(at + 8));
    }
    if (!charset.empty()) return charset;
  }
  return {};
}

class HtmlReader {
 public:
  HtmlReader(std::string_view html, const LoadLimits& limits)
      : tokenizer_(html), limits_(limits), builder_(limits) {}

  Result<LoadedDocument> read(std::string_view fallback_title) {
    HtmlToken token;
    while (!builder_.full() && tokenizer_.next(token)) {
      switch (token.kind) {
        case HtmlToken::Kind::text:
          text(token.raw);
          break;
        case HtmlToken::Kind::start_tag:
          start_tag(token);
          break;
        case HtmlToken::Kind::end_tag:
          end_tag(token.name);
          break;
      }
    }
    flush();
    close_table(true);
    return std::move(builder_).finish(fallback_title);
  }

 private:
  [[nodiscard]] bool hidden() const { return hidden_at_ != 0; }
  [[nodiscard]] std::size_t depth() const { return open_.size() + uncounted_; }

  void text(std::string_view raw) {
    if (!open_.empty() && open_.back() == "title" && uncounted_ == 0) {
      if (!builder_.has_title()) builder_.set_title(decode_entities(raw));
    } else if (!hidden()) {
      words_ += decode_entities(raw);
    }
  }

  void start_tag(const HtmlToken& tag) {
    if (tag.name == "img" && !hidden()) {
      words_ += ' ' + html_attribute(tag.raw, "alt") + ' ';
    }
    if (tag.name == "br" && !hidden()) words_ += preformatted_ ? '\n' : ' ';
    if (tag.name == "hr") flush();
    if (is_void(tag.name) || tag.self_closing) return;
    close_implied(tag.name);
    if (is_block(tag.name)) flush();
    if (open_.size() < kOpenElementsMax && uncounted_ == 0) {
      open_.push_back(tag.name);
    } else {
      ++uncounted_;
    }
    if (!hidden() && (is_dropped(tag.name) || is_hidden(tag))) hidden_at_ = depth();
    if (!hidden()) enter(tag.name);
  }

  void enter(const std::string& name) {
    if (const int level = heading_level(name); level > 0) heading_ = level;
    if (name == "li") is_item_ = true;
    if (name == "pre") preformatted_ = true;
    if (name == "table") ++tables_;
    if (tables_ == 1 && name == "tr") rows_.emplace_back();
    if (tables_ == 1 && (name == "td" || name == "th")) {
      flush();
      if (rows_.empty()) rows_.emplace_back();
      rows_.back().emplace_back();
    }
  }

  /// Elements that end where the next of their kind begins, without an end tag.
  void close_implied(std::string_view next) {
    constexpr std::array<std::string_view, 2> kCells = {"td", "th"};
    if (open_.empty() || uncounted_ > 0) return;
    const std::string& last = open_.back();
    const bool cell = is_one_of(last, kCells) && (is_one_of(next, kCells) || next == "tr");
    const bool item = (last == "li" && next == "li") || (last == "option" && next == "option");
    const bool term = (last == "dt" || last == "dd") && (next == "dt" || next == "dd");
    const bool paragraph = last == "p" && is_block(next);
    if (!cell && !item && !term && !paragraph && !(last == "tr" && next == "tr")) return;
    const std::string name = last;
    end_tag(name);
    if (next == "tr" && name != "tr") close_implied_row();
  }

  void close_implied_row() {
    if (!open_.empty() && open_.back() == "tr") end_tag("tr");
  }

  void end_tag(const std::string& name) {
    if (is_void(name)) return;
    if (is_block(name) || name == "td" || name == "th") flush();
    if (uncounted_ > 0) {
      // Inside the uncounted depth tags are assumed to be balanced.
      if (hidden_at_ == depth()) hidden_at_ = 0;
      --uncounted_;
      return;
    }
    const auto found = std::find(open_.rbegin(), open_.rend(), name);
    if (found == open_.rend()) return;
    const auto count = static_cast<std::size_t>(found - open_.rbegin()) + 1;
    for (std::size_t i = 0; i < count; ++i) leave();
  }

  void leave() {
    const bool was_hidden = hidden();
    if (hidden_at_ == depth()) hidden_at_ = 0;
    const std::string name = std::move(open_.back());
    open_.pop_back();
    if (was_hidden) return;
    if (name == "li") is_item_ = false;
    if (heading_level(name) > 0) heading_ = 0;
    if (name == "pre") preformatted_ = false;
    if (name == "table") close_table(false);
  }

  void close_table(bool at_end) {
    if (tables_ == 0) return;
    flush();
    tables_ = at_end ? 0 : tables_ - 1;
    if (tables_ == 0) append_table(builder_, std::exchange(rows_, {}), limits_);
  }

  /// Ends the present run of words: into the open cell, or as a block of its own.
  void flush() {
    const std::string words = std::exchange(words_, {});
    const int level = std::exchange(heading_, 0);
    const bool item = is_item_;
    if (trimmed(words).empty()) {
      if (level > 0) heading_ = level;  // <h1><div>words</div></h1>
      return;
    }
    is_item_ = false;
    if (tables_ > 0 && !rows_.empty() && !rows_.back().empty()) {
      std::string& cell = rows_.back().back();
      if (!cell.empty()) cell += ' ';
      cell += words;
    } else if (level > 0) {
      builder_.heading(level, words);
    } else if (preformatted_) {
      builder_.code(words);
    } else if (item) {
      builder_.list_item("- " + collapse_white_space(words));
    } else {
      builder_.paragraph(words);
    }
  }

  HtmlTokenizer tokenizer_;
  LoadLimits limits_;
  DocumentBuilder builder_;
  std::vector<std::string> open_;
  std::size_t uncounted_ = 0;
  std::size_t hidden_at_ = 0;  // Depth of the outermost hidden element; 0 when none is open.
  std::string words_;
  int heading_ = 0;
  bool is_item_ = false;
  bool preformatted_ = false;
  std::size_t tables_ = 0;
  std::vector<TableRow> rows_;
};

}  // namespace

Result<LoadedDocument> load_html(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits) {
  FACET_TRY(const std::string html, decode_text(bytes, "its text", declared_charset(bytes)));
  return HtmlReader(html, limits).read(name.stem().string());
}

}  // namespace facet::retrieval
