// Words that a model's file calls alike (agent/thesaurus.h).
#pragma once

#include <cstdint>
#include <vector>

namespace facet::engine {

/// Key "facet.thesaurus.pairs" (INT64 or UINT64, below 2^63).
struct Thesaurus {
  std::vector<std::uint64_t> pairs;  ///< Pairs of words as agent/thesaurus.h numbers them, rising.

  bool operator==(const Thesaurus&) const = default;
};

}  // namespace facet::engine
