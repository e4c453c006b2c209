#include "agent/document_search.h"

#include "retrieval/packer.h"

#include <algorithm>
#include <string>
#include <utility>

namespace facet::agent {

namespace {

/// About what a passage costs inside a tool response, keys and separators included. The loop
/// measures the rendered response exactly before the model gets it.
std::string response_text(int number, const retrieval::Passage& passage) {
  return "{id:" + std::to_string(number) + ",source: " + passage.document +
         " ,text: " + passage.text + " },";
}

}  // namespace

StoreSearch::StoreSearch(std::shared_ptr<const retrieval::Store> store,
                         std::shared_ptr<const retrieval::TokenCounter> counter,
                         std::shared_ptr<PassageBook> book,
                         StoreSearchOptions options)
    : store_(std::move(store)),
      counter_(std::move(counter)),
      book_(std::move(book)),
      options_(options) {}

Result<std::vector<tools::FoundPassage>> StoreSearch::search(std::string_view query,
                                                             std::size_t top_k) {
  FACET_TRY(const auto found, store_->search(query, {.top_k = static_cast<int>(top_k)}));
  const std::int64_t tokens_max = std::min(options_.passages_tokens_max, book_->room_tokens());
  const retrieval::PackedContext packed = retrieval::pack_passages(
      found,
      *counter_,
      {.tokens_max = std::max<std::int64_t>(tokens_max, 0), .format = response_text});
  if (packed.passages.empty() && !found.empty()) {
    return Error{Code::limit_exceeded,
                 "passages were found, but none fits the " + std::to_string(tokens_max) +
                     " tokens that are left for them"};
  }
  std::vector<retrieval::Passage> kept;
  for (const retrieval::PackedPassage& packed_passage : packed.passages) {
    kept.push_back(packed_passage.passage);
  }
  std::vector<tools::FoundPassage> out;
  for (const NumberedPassage& entry : book_->add(kept)) {
    out.push_back({.id = entry.id, .source = entry.passage.document, .text = entry.passage.text});
  }
  return out;
}

}  // namespace facet::agent
