#include "retrieval/loaders/loader.h"
#include "retrieval/unicode.h"

namespace facet::retrieval {

Result<LoadedDocument> load_source_code(const std::filesystem::path& name,
                                        std::string_view bytes,
                                        const LoadLimits& limits) {
  FACET_TRY(const std::string text, decode_text(bytes, "its text"));
  DocumentBuilder builder(limits);
  builder.set_title(name.filename().string());
  std::string block;
  bool after_blank = false;
  for (const std::string_view line : split_lines(text)) {
    const bool blank = trimmed(line).empty();
    // A closing bracket at the margin still belongs to what it closes.
    const bool top_level = !blank && line[0] != ' ' && line[0] != '\t' && line[0] != '}' &&
                           line[0] != ')' && line[0] != ']';
    if (after_blank && top_level) {
      builder.code(block);
      block.clear();
      if (builder.full()) break;
    }
    block += line;
    block += '\n';
    after_blank = blank;
  }
  builder.code(block);
  return std::move(builder).finish(name.filename().string());
}

}  // namespace facet::retrieval
