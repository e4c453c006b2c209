// PrefixTree: what an engine remembers of the sequences that went through it, so that a text which
// begins like an earlier one computes only its end.
//
// A radix tree over token ids; the positions of an image have ids made from its content, so texts
// and images are compared alike. At some nodes, mostly the ends of messages, hangs a *point*: a
// fork of the KV cache there. Points of one text share their pages (kv/cache.h), so a point costs
// little more than the windows of the sliding layers.
//
// A text is resumed
//   - at the deepest point on its path, or
//   - where it leaves the remembered ones, if a point beyond still holds every window of that
//   place:
//     any place in a text shorter than the window, and any place at all without sliding layers.
// Both are exact, bit for bit: what is taken over is what computing it again would give.
//
// When the points hold more than bytes_max, those go first that cost least to do without (another
// point gives the same place, or one lies at most a window before it and before every place that
// relied on this one), then the least recently used.
#pragma once

#include "engine/kv/cache.h"
#include "engine/kv/prefix_stats.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/soft_tokens.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace facet::engine {

/// A sequence at one place: everything that computing its tokens again would give.
struct PrefixPoint {
  std::int64_t tokens = 0;        ///< Of the ids asked for, taken over from their beginning.
  KvCache cache;                  ///< size() == tokens.
  std::vector<ImageSpan> images;  ///< Those before tokens.
  std::vector<float> logits;      ///< (vocabulary) after the last token, or empty: not known.
};

/// Thread-safe.
class PrefixTree {
 public:
  /// `window`: the longest of the sliding layers, 0: there are none. `bytes_max` 0: remembers
  /// nothing.
  PrefixTree(std::int64_t bytes_max, std::int64_t window);
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;
  ~PrefixTree();

  struct Found {
    std::optional<PrefixPoint> point;  ///< The longest beginning of the ids that can be resumed.
    /// Tokens that a remembered text shares with the ids: worth a point when it is more.
    std::int64_t shared = 0;
  };
  /// The longest beginning of `ids` that is remembered.
  [[nodiscard]] Found find(std::span<const TokenId> ids);

  /// True when there is a point at the end of `ids`, which counts as used now.
  bool touch(std::span<const TokenId> ids);

  /// Remembers `point`, which has all of `ids`. Nothing when there is one already, or when it alone
  /// holds more than bytes_max. REQUIRES: point.tokens == ids.size() == point.cache.size() > 0.
  void insert(std::span<const TokenId> ids, PrefixPoint point);

  /// Forgets everything; the counts of stats() stay.
  void clear();

  [[nodiscard]] PrefixStats stats() const;

 private:
  struct State;
  mutable std::mutex mutex_;
  std::unique_ptr<State> state_;
};

}  // namespace facet::engine
