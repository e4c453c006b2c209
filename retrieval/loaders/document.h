// What every loader produces: one UTF-8 text and the blocks and pages that lie in it.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

enum class BlockKind { heading, paragraph, list_item, table_row, code };

/// A run of LoadedDocument::text, [begin, end) in bytes. Blocks are in order, do not overlap, and
/// never cut a code point.
struct Block {
  BlockKind kind = BlockKind::paragraph;
  int level = 0;  ///< heading: 1 (outermost) to 6; else 0.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The bytes of one page, [begin, end).
struct PageSpan {
  int page = 0;  ///< 1-based.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct LoadedDocument {
  std::string title;
  std::string text;  ///< Valid UTF-8, '\n' line ends, no control characters but '\n' and '\t'.
  std::vector<Block> blocks;
  std::vector<PageSpan> pages;  ///< Empty where the format has no pages.
};

/// Caps on one document; reaching one is limit_exceeded.
struct LoadLimits {
  std::uint64_t document_bytes_max = 64U << 20U;
  std::uint64_t text_bytes_max = 64U << 20U;
  std::size_t blocks_max = 4'000'000;
  std::size_t table_columns_max = 1024;
  std::uint64_t zip_entry_bytes_max = 32U << 20U;
  std::uint64_t zip_total_bytes_max = 64U << 20U;
  std::size_t zip_entries_max = 4096;
  std::uint64_t zip_ratio_max = 250;  ///< Unpacked to packed bytes, of the archive as a whole.
  std::uint64_t pdf_seconds_max = 30;
  std::uint64_t pdf_memory_bytes_max = 1U << 30U;
  std::filesystem::path pdftotext;  ///< Empty: looked for in /usr/local/bin, /usr/bin and /bin.
};

/// Collects blocks into a LoadedDocument. Text may be any bytes; it is made valid and cleaned on
/// the way in. Not thread-safe.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(const LoadLimits& limits) : limits_(limits) {}

  void set_title(std::string_view title);
  [[nodiscard]] bool has_title() const { return !document_.title.empty(); }

  /// White space is collapsed; a block of nothing is dropped. level is clamped to 1..6.
  void heading(int level, std::string_view text);
  void paragraph(std::string_view text);
  void list_item(std::string_view text);
  void table_row(std::string_view text);
  /// Line ends and inner white space stay; lines are trimmed at their ends only.
  void verbatim_paragraph(std::string_view text);
  void code(std::string_view text);

  /// What follows lies on `page`, until the next call or the end.
  void begin_page(int page);

  /// True once a limit is reached; further blocks are dropped and finish() reports it, so a loader
  /// may stop early.
  [[nodiscard]] bool full() const { return full_; }

  /// The document; without a title it gets its first level-1 heading, else its first heading, else
  /// `fallback_title`.
  Result<LoadedDocument> finish(std::string_view fallback_title) &&;

 private:
  void add(BlockKind kind, int level, std::string text);

  LoadLimits limits_;
  LoadedDocument document_;
  bool full_ = false;
};

/// `text` with every run of white space replaced by one space, none at the ends.
std::string collapse_white_space(std::string_view text);

/// `text` without white space at its ends.
std::string_view trimmed(std::string_view text);

/// The lines of `text` without their '\n'; views into it.
std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace facet::retrieval
