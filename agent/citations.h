// Citations: the passages a run has seen, and what the `[n]` of its answer point at.
#pragma once

#include "base/result.h"
#include "retrieval/store.h"

#include <nlohmann/json_fwd.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// A passage with the number the model knows it by. Numbers count up from 1 over the whole run.
struct NumberedPassage {
  std::int64_t id = 0;
  retrieval::Passage passage;
};

/// The passages of one run. Thread-safe.
class PassageBook {
 public:
  /// Numbers `passages` in order. A chunk that comes back in a second search gets a second number:
  /// both resolve to the same place.
  std::vector<NumberedPassage> add(const std::vector<retrieval::Passage>& passages);
  [[nodiscard]] std::optional<NumberedPassage> find(std::int64_t id) const;
  [[nodiscard]] std::size_t size() const;

  /// Forgets all passages: the next conversation counts from 1 again.
  void clear();

  /// How many tokens the passages of the next search may take; the loop sets it before tools run.
  void set_room_tokens(std::int64_t tokens) { room_tokens_ = tokens; }
  [[nodiscard]] std::int64_t room_tokens() const { return room_tokens_; }

  /// Entries from position `begin` on, for the journal.
  [[nodiscard]] std::vector<NumberedPassage> since(std::size_t begin) const;
  /// Puts a journalled entry back. invalid_data when its number is not the next one.
  Status restore(const NumberedPassage& entry);

 private:
  mutable std::mutex mutex_;
  std::vector<NumberedPassage> entries_;  ///< Entry i has id i + 1.
  std::atomic<std::int64_t> room_tokens_{std::numeric_limits<std::int64_t>::max()};
};

/// One distinct `[n]` of an answer, in order of first use. Without a passage the number is one that
/// no search of this run gave out.
///
/// A citation is checked, not believed: it is supported when the sentence in front of it stands
/// word for word in the passage it points at. Where that sentence stands in another passage of the
/// run instead, the citation resolves to that one.
struct Citation {
  std::int64_t id = 0;          ///< As the model wrote it.
  std::int64_t passage_id = 0;  ///< The passage it resolves to: `id`, or the one that is quoted.
  std::optional<retrieval::Passage> passage;
  bool is_supported = false;

  [[nodiscard]] bool is_resolved() const { return passage.has_value(); }
};

/// The last sentence of `text`, white space collapsed: what a citation behind it stands for.
/// Citations at the end of `text` belong to that sentence; text up to an earlier one does not.
std::string sentence_before(std::string_view text);

/// The citations `[1]`, `[2, 3]` in `answer`; numbers of more than nine digits are text.
std::vector<Citation> resolve_citations(std::string_view answer, const PassageBook& book);

/// {"document", "title", "heading", "page" (null without pages), "span": {"begin", "end"}, "text",
/// "chunk_id", "score"}.
nlohmann::ordered_json passage_json(const retrieval::Passage& passage);
Result<retrieval::Passage> passage_from_json(const nlohmann::ordered_json& json);

/// {"id", "resolved", "supported"} and, when resolved, "passage_id" and passage_json's members.
nlohmann::ordered_json citation_json(const Citation& citation);

}  // namespace facet::agent
