#include "agent/pending_tokens.h"

#include <algorithm>
#include <cstddef>

namespace facet::agent {
namespace {

using engine::TokenId;

/// Ids of soft tokens lie below 0 (engine/vision/soft_tokens.h).
bool is_soft(TokenId id) {
  return id < 0;
}

}  // namespace

void PendingTokens::add(const PromptTokens& prompt) {
  add(prompt.ids);
  images_.insert(images_.end(), prompt.images.begin(), prompt.images.end());
}

void PendingTokens::add(std::span<const TokenId> ids) {
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

std::size_t PendingTokens::piece(std::size_t tokens_max) const {
  if (is_soft(ids_.front())) return images_.front()->ids.size();
  const auto image = std::find_if(ids_.begin(), ids_.end(), is_soft);
  return std::min(tokens_max, static_cast<std::size_t>(image - ids_.begin()));
}

std::span<const std::shared_ptr<const engine::SoftTokens>> PendingTokens::images(
    std::size_t count) const {
  const auto ids = std::span(ids_).first(count);
  auto soft = static_cast<std::size_t>(std::count_if(ids.begin(), ids.end(), is_soft));
  std::size_t images = 0;
  while (soft > 0) soft -= images_[images++]->ids.size();
  return std::span(images_).first(images);
}

std::vector<std::size_t> PendingTokens::boundaries(std::size_t count,
                                                   std::span<const TokenId> stop_ids) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::find(stop_ids.begin(), stop_ids.end(), ids_[i]) != stop_ids.end()) {
      out.push_back(i + 1);
    }
  }
  if (count == ids_.size()) out.push_back(count);
  return out;
}

void PendingTokens::drop(std::size_t count) {
  images_.erase(images_.begin(), images_.begin() + std::ssize(images(count)));
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace facet::agent
