// A step that the device has begun by itself: the choices of the step before are its tokens
// (feed.h), so that it runs while the host looks at what came, walks its grammar and asks for the
// next one. It goes as far as the logits; what is wanted of them may depend on those choices.
//
// Nothing depends on whether it is asked for. Its keys and values lie behind size() of the caches,
// in pages that these hold, and everything that comes later on the device comes after it: a cache
// that goes another way writes over them, and pages that were given back are written by others
// only then.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/pass.h"

#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine::cuda {

/// An item of a step and the row that is its token.
struct ItemRow {
  const StepItem* item = nullptr;
  std::int64_t row = 0;
};

struct StepAhead {
  Pass pass;                 ///< Without slices.
  std::vector<TokenId> ids;  ///< (pass.rows) Chosen on the device; -1: nothing could be.
  std::uint64_t number = 0;  ///< KvCache::ahead() of row 0; those of the next ones follow it.

  /// The row that computes what `item` asks for; -1: none does.
  [[nodiscard]] std::int64_t row_of(const StepItem& item) const;
};

/// How each row of a step of `rows` rows goes on (by row), or nothing where one of them does not:
/// every row must be an item's whose caller says so (StepItem::next).
std::vector<NextChoice> choices_of(std::span<const ItemRow> items, std::int64_t rows);

/// The slices of a step of one token for each of `items`, which are not committed yet, in the order
/// of their rows.
std::vector<Slice> slices_of(std::span<const ItemRow> items);

}  // namespace facet::engine::cuda
