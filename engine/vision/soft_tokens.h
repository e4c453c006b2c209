// SoftTokens: an image as the text model takes it, and the ids that stand for it in a sequence.
//
// A sequence is a list of ids. Text has the ids of the vocabulary; the positions of an image have
// negative ids, made from a hash over all its values. So equal ids mean equal contents, for
// pictures as for words: whatever compares ids to find KV that can be used again is right about
// images too.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace facet::engine {

/// Immutable and shared once made.
struct SoftTokens {
  std::int64_t count = 0;     ///< At least 1.
  std::int64_t width = 0;     ///< The text model's.
  std::vector<float> values;  ///< (count, width): enter the model in place of embeddings, unscaled.
  std::vector<TokenId> ids;   ///< (count), each below 0.
};

/// REQUIRES: width >= 1 and `values` holds one row or more, without a rest.
std::shared_ptr<const SoftTokens> make_soft_tokens(std::vector<float> values, std::int64_t width);

/// Where an image lies in a list of ids. Attention runs in both directions inside [first, end()).
struct ImageSpan {
  std::int64_t first = 0;
  std::shared_ptr<const SoftTokens> image;

  [[nodiscard]] std::int64_t end() const { return first + image->count; }
};

/// The places of `images` in `ids`, in order. invalid_argument when an id below 0 does not begin
/// the whole of the next image, when an image is not there, or when one is not `width` wide.
Result<std::vector<ImageSpan>> find_images(
    std::span<const TokenId> ids,
    std::span<const std::shared_ptr<const SoftTokens>> images,
    std::int64_t width);

}  // namespace facet::engine
