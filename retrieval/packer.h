// Packer: chooses the passages that fit a token budget, exactly, and says what it left out.
#pragma once

#include "retrieval/embedder.h"
#include "retrieval/store.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

/// How passage `number` (1-based, in packed order: what "[n]" cites) reads in the prompt.
using PassageFormat = std::function<std::string(int number, const Passage& passage)>;

/// "[n] document, page p, heading" on one line, the text below it, and a blank line.
std::string default_passage_format(int number, const Passage& passage);

struct PackOptions {
  std::int64_t tokens_max = 1024;
  bool cut_last = true;  ///< Let the last passage end early, at a sentence.
  PassageFormat format = default_passage_format;
};

struct PackedPassage {
  int number = 0;
  Passage passage;  ///< When cut, text and byte_end are those of what is left.
  bool cut = false;
};

/// A passage that was left out.
struct DroppedPassage {
  enum class Reason {
    budget,   ///< It did not fit.
    overlap,  ///< A passage before it holds the same bytes.
  };
  std::int64_t chunk_id = 0;
  std::string document;
  std::int64_t tokens = 0;  ///< Of it alone, formatted.
  Reason reason = Reason::budget;
};

struct PackedContext {
  std::string text;         ///< All formatted passages, in order.
  std::int64_t tokens = 0;  ///< Exactly counter.count(text), at most tokens_max.
  std::vector<PackedPassage> passages;
  std::vector<DroppedPassage> dropped;
};

/// Takes `passages` (best first) in order while the text they form fits. The first that does not is
/// cut at a sentence end if at least one sentence fits, and ends the packing: what follows is
/// dropped, so that the result is always a prefix of the ranking.
PackedContext pack_passages(std::span<const Passage> passages,
                            const TokenCounter& counter,
                            const PackOptions& options);

}  // namespace facet::retrieval
