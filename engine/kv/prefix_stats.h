// PrefixStats: what an engine remembers of its sequences, in numbers (kv/prefix_tree.h).
#pragma once

#include <cstdint>

namespace facet::engine {

/// How a tree has been used.
struct PrefixStats {
  std::int64_t points = 0;
  std::int64_t bytes = 0;          ///< Held by all points; pages that several share counted once.
  std::int64_t lookups = 0;        ///< Calls of find().
  std::int64_t hits = 0;           ///< Those that took over one token or more.
  std::int64_t tokens_reused = 0;  ///< Summed over them.
  std::int64_t evictions = 0;      ///< Points given up for room.

  bool operator==(const PrefixStats&) const = default;
};

}  // namespace facet::engine
