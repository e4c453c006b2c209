// Prompts of random text and images for the memory model.
#pragma once

#include "engine/vision/soft_tokens.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace facet::test {

inline constexpr int kPromptHidden = 64;  ///< Of the memory model.

/// Ids with images among them, and where it may be cut: between any two tokens but inside images.
struct Prompt {
  std::vector<engine::TokenId> ids;
  std::vector<std::shared_ptr<const engine::SoftTokens>> images;
  std::vector<std::size_t> cuts{0};

  void add_text(std::size_t count, std::mt19937& random) {
    for (const engine::TokenId id : random_ids(count, random)) {
      ids.push_back(id);
      cuts.push_back(ids.size());
    }
  }
  void add_image(std::int64_t count, std::mt19937& random) {
    images.push_back(
        engine::make_soft_tokens(random_floats(count * kPromptHidden, random), kPromptHidden));
    ids.insert(ids.end(), images.back()->ids.begin(), images.back()->ids.end());
    cuts.push_back(ids.size());
  }
  /// The part [begin, end); both must be cuts.
  [[nodiscard]] Prompt part(std::size_t begin, std::size_t end) const {
    Prompt out;
    out.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                   ids.begin() + static_cast<std::ptrdiff_t>(end));
    const auto spans = engine::find_images(ids, images, kPromptHidden);
    REQUIRE(spans.has_value());
    for (const engine::ImageSpan& span : *spans) {
      const auto first = static_cast<std::size_t>(span.first);
      if (first >= begin && first < end) out.images.push_back(span.image);
    }
    return out;
  }
};

inline Prompt make_prompt(unsigned seed) {
  std::mt19937 random(seed);
  Prompt out;
  out.add_text(1 + random() % 30, random);
  out.add_image(20, random);
  out.add_text(random() % 90, random);
  out.add_image(1 + static_cast<std::int64_t>(random() % 80), random);
  out.add_image(7, random);
  out.add_text(1 + random() % 70, random);
  return out;
}

}  // namespace facet::test
