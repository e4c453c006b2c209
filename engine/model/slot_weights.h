// What a model's file says of the words that its arguments are copied from (agent/slot_model.h).
#pragma once

#include <cstdint>
#include <vector>

namespace facet::engine {

/// Keys "facet.slots.table" (INT8, a power of two of them), "facet.slots.scale" and
/// "facet.slots.share": all of them or none.
struct SlotWeights {
  std::vector<std::int8_t> table;
  double scale = 1.0;  ///< A feature weighs its number in the table times this.
  double share = 1.0;  ///< What the logarithm of such a probability counts beside the model's.

  bool operator==(const SlotWeights&) const = default;
};

}  // namespace facet::engine
