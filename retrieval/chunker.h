// Chunker: cuts a loaded document into passages that follow its headings, blocks and sentences.
#pragma once

#include "retrieval/embedder.h"
#include "retrieval/loaders/document.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::retrieval {

/// A passage of LoadedDocument::text, [begin, end) in bytes; never cuts a code point.
struct Chunk {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string heading;  ///< Headings above it, outermost first, joined by " > ".
  int page = 0;         ///< 1-based; 0 where the format has no pages.
};

/// Deterministic. Chunks are in order and do not overlap; none crosses a heading or a page. Blocks
/// are packed greedily while the passage has at most `tokens_max` tokens by `counter` (null: bytes
/// / 4, rounded up). A block that is larger alone is cut at sentence ends, lines (code, tables),
/// then words, then code points. Headings are not part of a passage, except one with nothing below
/// it. Once a stop is asked for it soon returns, with something that is of no use. REQUIRES:
/// tokens_max > 0.
std::vector<Chunk> chunk_document(const LoadedDocument& document,
                                  const TokenCounter* counter,
                                  std::int64_t tokens_max,
                                  const std::stop_token& stop = {});

}  // namespace facet::retrieval
