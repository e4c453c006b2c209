// A step that the device has begun by itself: the choices of the step before are its tokens
// (feed.h), so that it runs while the host looks at what came, walks its grammar and asks for the
// next one. It goes as far as the logits; what is wanted of them may depend on those choices.
//
// Nobody can tell by what he gets whether it was asked for before: a step of many sequences, whose
// bits are those of its padded size, is taken over by a step of that size alone. Its keys and
// values lie behind size() of the caches, in pages that these hold, and everything that comes later
// on the device comes after it: a cache that goes another way writes over them, and pages that were
// given back are written by others only then.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/pass.h"

#include <algorithm>
#include <cstdint>
#include <optional>
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

/// The items of a step, by whether a step that was begun computes them.
struct TakenItems {
  std::vector<ItemRow> there;
  std::vector<StepItem> rest;
};
TakenItems take_items(const std::optional<StepAhead>& begun, std::span<const StepItem> items);

/// Where what is begun is not asked for (sequences that take turns), each step costs another one:
/// then nothing is begun for a step, for 2, 4, up to 64.
class AheadPause {
 public:
  /// What became of a step that was begun.
  void note(bool is_taken) {
    if (is_taken) {
      next_ = 1;
      return;
    }
    left_ = next_;
    next_ = std::min(2 * next_, 64);
  }
  /// True: the next step may be begun. Once for each step.
  bool is_over() {
    if (left_ == 0) return true;
    --left_;
    return false;
  }

 private:
  int left_ = 0;
  int next_ = 1;
};

/// How each row of a step of `rows` rows goes on (by row), or nothing where one of them does not:
/// every row must be an item's whose caller says so (StepItem::next).
std::vector<NextChoice> choices_of(std::span<const ItemRow> items, std::int64_t rows);

/// Pages for a token behind those of `items`, one each, which are reserved; false where these would
/// be more than half of `free_bytes`, or more than a table holds: they are for tokens that come.
bool reserve_ahead(std::span<const ItemRow> items,
                   std::int64_t pointers_max,
                   std::int64_t free_bytes);

/// The slices of a step of one token for each of `items`, which are not committed yet, in the order
/// of their rows.
std::vector<Slice> slices_of(std::span<const ItemRow> items);

}  // namespace facet::engine::cuda
