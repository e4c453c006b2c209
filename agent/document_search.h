// StoreSearch: search_documents over a retrieval store. Every passage a model sees gets a number in
// the run's book, so that the answer's [n] can be resolved.
#pragma once

#include "agent/citations.h"
#include "base/result.h"
#include "retrieval/embedder.h"
#include "retrieval/store.h"
#include "tools/builtin/search_documents.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace facet::agent {

struct StoreSearchOptions {
  std::int64_t passages_tokens_max = 512;  ///< Of one search, counted by the generator's tokenizer.
};

/// Borrows store, counter and book; all must outlive it. Thread-safe.
class StoreSearch final : public tools::DocumentSearch {
 public:
  StoreSearch(const retrieval::Store& store,
              const retrieval::TokenCounter& counter,
              PassageBook& book,
              StoreSearchOptions options = {});

  /// Packs whole passages, best first, into passages_tokens_max and book.room_tokens(), whichever
  /// is less; the last may end at an earlier sentence. limit_exceeded when passages were found but
  /// none fits.
  Result<std::vector<tools::FoundPassage>> search(std::string_view query,
                                                  std::size_t top_k) override;

 private:
  const retrieval::Store& store_;
  const retrieval::TokenCounter& counter_;
  PassageBook& book_;
  StoreSearchOptions options_;
};

}  // namespace facet::agent
