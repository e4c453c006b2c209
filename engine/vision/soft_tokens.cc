#include "engine/vision/soft_tokens.h"

#include "base/check.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

/// Every bit of `x` changes about half of the result's (the finaliser of SplitMix64).
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

std::uint64_t hash_of(std::span<const float> values, std::uint64_t seed) {
  std::uint64_t hash = mixed(seed ^ values.size());
  for (const float value : values) {
    hash = mixed(hash ^ std::bit_cast<std::uint32_t>(value)) + 0x9E3779B97F4A7C15U;
  }
  return hash;
}

}  // namespace

std::shared_ptr<const SoftTokens> make_soft_tokens(std::vector<float> values, std::int64_t width) {
  FACET_CHECK(width >= 1 && !values.empty() &&
              values.size() % static_cast<std::size_t>(width) == 0);
  auto out = std::make_shared<SoftTokens>();
  out->width = width;
  out->count = static_cast<std::int64_t>(values.size()) / width;
  // Two hashes: together the ids of an image hold 128 bits of its content.
  const std::uint64_t even = hash_of(values, 1);
  const std::uint64_t odd = hash_of(values, 2);
  for (std::int64_t i = 0; i < out->count; ++i) {
    const std::uint64_t bits = mixed((i % 2 == 0 ? even : odd) + static_cast<std::uint64_t>(i));
    out->ids.push_back(-1 - static_cast<TokenId>(bits >> 33U));
  }
  out->values = std::move(values);
  return out;
}

Result<std::vector<ImageSpan>> find_images(
    std::span<const TokenId> ids,
    std::span<const std::shared_ptr<const SoftTokens>> images,
    std::int64_t width) {
  std::vector<ImageSpan> out;
  for (std::size_t at = 0; at < ids.size();) {
    if (ids[at] >= 0) {
      ++at;
      continue;
    }
    const std::string where =
        "image " + std::to_string(out.size() + 1) + " at token " + std::to_string(at);
    if (out.size() == images.size()) {
      return Error{Code::invalid_argument, where + " is one more than were given"};
    }
    const auto& image = images[out.size()];
    if (image->width != width) {
      return Error{Code::invalid_argument,
                   where + " is " + std::to_string(image->width) + " wide, the model is " +
                       std::to_string(width)};
    }
    const auto rest = ids.subspan(at);
    if (rest.size() < image->ids.size() ||
        !std::equal(image->ids.begin(), image->ids.end(), rest.begin())) {
      return Error{Code::invalid_argument, where + " is not the whole image that was given"};
    }
    out.push_back({.first = static_cast<std::int64_t>(at), .image = image});
    at += image->ids.size();
  }
  if (out.size() == images.size()) return out;
  return Error{Code::invalid_argument,
               std::to_string(images.size()) + " images were given, the tokens hold " +
                   std::to_string(out.size())};
}

}  // namespace facet::engine
