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
#include <memory>
#include <string_view>
#include <vector>

namespace facet::agent {

struct StoreSearchOptions {
  std::int64_t passages_tokens_max = 512;  ///< Of one search, counted by the generator's tokenizer.
};

/// Thread-safe. Shares store, counter and book: a search that was abandoned at its deadline may go
/// on for a while behind the session that began it.
class StoreSearch final : public tools::DocumentSearch {
 public:
  StoreSearch(std::shared_ptr<const retrieval::Store> store,
              std::shared_ptr<const retrieval::TokenCounter> counter,
              std::shared_ptr<PassageBook> book,
              StoreSearchOptions options = {});

  /// Packs whole passages, best first, into passages_tokens_max and book.room_tokens(), whichever
  /// is less; the last may end at an earlier sentence. limit_exceeded when passages were found but
  /// none fits.
  Result<std::vector<tools::FoundPassage>> search(std::string_view query,
                                                  std::size_t top_k) override;

 private:
  std::shared_ptr<const retrieval::Store> store_;
  std::shared_ptr<const retrieval::TokenCounter> counter_;
  std::shared_ptr<PassageBook> book_;
  StoreSearchOptions options_;
};

}  // namespace facet::agent
