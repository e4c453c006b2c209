// Backend: one pass through a model for several sequences at once, whatever it runs on.
//
// Chosen when a model is loaded. A caller hands in what each sequence has new (a chunk of its
// prompt, its next token, an image) and gets the logits it asked for, or the best of them;
// everything between, weights and activations and order of work, is the backend's own. Keys and
// values go into the sequences' caches, whose pages lie in the backend's PageMemory.
#pragma once

#include "base/result.h"
#include "engine/kv/cache.h"
#include "engine/kv/page_memory.h"
#include "engine/sampling/candidates.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace facet::engine {

/// One sequence's part of a step. Everything is borrowed for the call.
struct StepItem {
  /// Made for the model's layers and this backend's page memory; appended to. No two items of a
  /// step share one.
  KvCache* cache = nullptr;
  /// Text: ids within the vocabulary. Empty where image_rows are given.
  std::span<const TokenId> ids;
  /// One whole image, (tokens, hidden): its rows take the place of embeddings, unscaled, and attend
  /// to each other in both directions, in sliding layers as far back as the window.
  std::span<const float> image_rows;
  /// Host memory, written before step() returns: empty, (vocabulary) for the logits after the last
  /// token, or (tokens, vocabulary) for those after each.
  std::span<float> logits;
  /// In place of logits, as far as candidate_limits() goes: empty, one row for the last token, or
  /// one for each.
  std::span<CandidateRow> candidates;
  /// Of an item of one token and one row of candidates: how its caller will choose among them, if
  /// it means to go on with that token in the next step and nothing else. A device then begins that
  /// step by itself (KvCache::ahead); what step() gives is what it would have given without.
  std::optional<NextChoice> next;
};

/// Thread-safe.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  /// Appends every item (at least one, each of at least one token) to its cache. On an error no
  /// cache has grown: limit_exceeded when there is no memory for their pages, unavailable when the
  /// device failed.
  virtual Status step(std::span<const StepItem> items) = 0;

  /// The L2-normalised vector of `ids` (at least one). (embedding_dim), or (hidden) where the model
  /// has no dense layers. REQUIRES: the model is an embedder, ids within the vocabulary.
  virtual Result<std::vector<float>> embed(std::span<const TokenId> ids) = 0;

  /// True: encode_image() is there.
  [[nodiscard]] virtual bool has_vision() const { return false; }
  /// The soft tokens of one image, as VisionEncoder::encode of vision/encoder.h, which serves where
  /// a backend has no tower. pixels: (3, image_size, image_size). unavailable when the device
  /// failed. REQUIRES: has_vision().
  virtual Result<std::vector<float>> encode_image(std::span<const float> /*pixels*/) {
    return Error{Code::unsupported, "this backend has no vision tower"};
  }

  /// What step() finds of StepItem::candidates. By default nothing: who samples then takes logits.
  [[nodiscard]] virtual CandidateLimits candidate_limits() const { return {}; }

  /// Where the pages of caches for this backend live; as long as the backend.
  [[nodiscard]] virtual PageMemory& page_memory() = 0;
};

}  // namespace facet::engine
