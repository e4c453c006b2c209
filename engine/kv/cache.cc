#include "engine/kv/cache.h"

#include "base/check.h"

#include <algorithm>
#include <cstring>

namespace facet::engine {
namespace {

std::int64_t pages_for(std::int64_t positions) {
  return (positions + kPageTokens - 1) / kPageTokens;
}

}  // namespace

std::int64_t kv_token_bytes(const LayerSpec& layer, KvType type) {
  return std::int64_t{2} * layer.kv_heads * layer.head_dim * kv_value_bytes(type);
}

std::int64_t kv_ring_bytes_max(const LayerSpec& layer, std::int64_t chunk_tokens, KvType type) {
  // The oldest and the newest page may both be partly needed: one page more than the positions.
  const std::int64_t positions = layer.window - 1 + kRewindFreeTokens + chunk_tokens;
  return (pages_for(positions) + 1) * kPageTokens * kv_token_bytes(layer, type);
}

KvCache::KvCache(std::span<const LayerSpec> layers, KvType type) : type_(type) {
  for (const LayerSpec& spec : layers) {
    layers_.push_back({.kv_heads = spec.kv_heads,
                       .head_dim = spec.head_dim,
                       .window = spec.causal ? spec.window : 0});
  }
}

std::int64_t KvCache::page_bytes(const Layer& layer) const {
  return 2 * kPageTokens * layer.kv_heads * layer.head_dim * kv_value_bytes(type_);
}

void KvCache::push_page(Layer& layer) const {
  const auto floats = static_cast<std::size_t>(page_bytes(layer)) / sizeof(float);
  layer.pages.push_back(std::make_shared_for_overwrite<float[]>(floats));
  layer.data.push_back(reinterpret_cast<std::byte*>(layer.pages.back().get()));
}

void KvCache::own_last_page(Layer& layer) const {
  const Page shared = layer.pages.back();
  layer.pages.pop_back();
  layer.data.pop_back();
  push_page(layer);
  std::memcpy(layer.data.back(), shared.get(), static_cast<std::size_t>(page_bytes(layer)));
}

void KvCache::reserve(std::int64_t tokens) {
  for (Layer& layer : layers_) {
    const std::int64_t end = pages_for(size_ + tokens);
    while (layer.first_page + static_cast<std::int64_t>(layer.pages.size()) < end) push_page(layer);
  }
}

std::int64_t KvCache::window_begin(std::size_t layer, std::int64_t position) const {
  const std::int64_t window = layers_[layer].window;
  return window == 0 ? 0 : std::max<std::int64_t>(0, position - window + 1);
}

void KvCache::commit(std::int64_t tokens) {
  size_ += tokens;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    FACET_CHECK(layer.first_page + static_cast<std::int64_t>(layer.pages.size()) >=
                pages_for(size_));
    const std::int64_t begin =
        window_begin(l, std::max<std::int64_t>(0, size_ - kRewindFreeTokens));
    const std::int64_t drop = begin / kPageTokens - layer.first_page;
    if (drop <= 0) continue;
    layer.pages.erase(layer.pages.begin(), layer.pages.begin() + drop);
    layer.data.erase(layer.data.begin(), layer.data.begin() + drop);
    layer.first_page += drop;
  }
}

std::byte* KvCache::row(std::size_t layer, std::int64_t position, std::int64_t plane) const {
  const Layer& of = layers_[layer];
  const auto page = static_cast<std::size_t>(position / kPageTokens - of.first_page);
  FACET_CHECK(position / kPageTokens >= of.first_page && page < of.data.size());
  return of.data[page] + (plane * kPageTokens + position % kPageTokens) * row_bytes(layer);
}

void KvCache::write(std::size_t layer,
                    std::int64_t position,
                    const float* key,
                    const float* value) {
  for (const std::int64_t plane : {0, 1}) {
    const float* from = plane == 0 ? key : value;
    std::byte* to = row(layer, position, plane);
    if (type_ == KvType::f32) {
      std::memcpy(to, from, static_cast<std::size_t>(row_bytes(layer)));
      continue;
    }
    auto* values = reinterpret_cast<std::uint16_t*>(to);
    for (std::int64_t i = 0; i < row_values(layer); ++i) values[i] = float_to_bf16(from[i]);
  }
}

std::byte* KvCache::key(std::size_t layer, std::int64_t position) {
  return row(layer, position, 0);
}
std::byte* KvCache::value(std::size_t layer, std::int64_t position) {
  return row(layer, position, 1);
}
const std::byte* KvCache::key(std::size_t layer, std::int64_t position) const {
  return row(layer, position, 0);
}
const std::byte* KvCache::value(std::size_t layer, std::int64_t position) const {
  return row(layer, position, 1);
}

KvPages KvCache::pages(std::size_t layer) const {
  const Layer& of = layers_[layer];
  return {.pages = of.data.data(),
          .first_page = of.first_page,
          .kv_heads = of.kv_heads,
          .head_dim = of.head_dim,
          .type = type_};
}

std::int64_t KvCache::first_held(std::size_t layer) const {
  return layers_[layer].first_page * kPageTokens;
}

std::int64_t KvCache::row_values(std::size_t layer) const {
  return std::int64_t{layers_[layer].kv_heads} * layers_[layer].head_dim;
}

std::int64_t KvCache::row_bytes(std::size_t layer) const {
  return row_values(layer) * kv_value_bytes(type_);
}

KvCache KvCache::fork() const {
  KvCache copy({}, type_);
  copy.layers_ = layers_;
  copy.size_ = size_;
  for (Layer& layer : copy.layers_) {
    if (size_ % kPageTokens != 0) own_last_page(layer);
  }
  return copy;
}

bool KvCache::can_truncate(std::int64_t tokens) const {
  FACET_CHECK(tokens >= 0 && tokens <= size_);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    if (window_begin(l, tokens) < first_held(l)) return false;
  }
  return true;
}

std::int64_t KvCache::truncatable_from() const {
  std::int64_t from = 0;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    if (first_held(l) > 0) from = std::max(from, first_held(l) + layers_[l].window - 1);
  }
  return from;
}

void KvCache::truncate(std::int64_t tokens) {
  FACET_CHECK(can_truncate(tokens));
  size_ = tokens;
  for (Layer& layer : layers_) {
    const auto keep =
        static_cast<std::size_t>(std::max<std::int64_t>(0, pages_for(tokens) - layer.first_page));
    if (keep > layer.pages.size()) continue;
    layer.pages.resize(keep);
    layer.data.resize(keep);
    if (tokens % kPageTokens != 0) own_last_page(layer);
  }
}

void KvCache::clear() {
  size_ = 0;
  for (Layer& layer : layers_) {
    layer.first_page = 0;
    layer.pages.clear();
    layer.data.clear();
  }
}

void KvCache::reset_for_restore(std::int64_t size, std::span<const std::int64_t> first_held) {
  FACET_CHECK(first_held.size() == layers_.size());
  clear();
  size_ = size;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    FACET_CHECK(first_held[l] % kPageTokens == 0 && first_held[l] <= window_begin(l, size));
    layers_[l].first_page = first_held[l] / kPageTokens;
  }
  reserve(0);
}

std::int64_t KvCache::bytes() const {
  std::int64_t total = 0;
  for (const Layer& layer : layers_) {
    total += static_cast<std::int64_t>(layer.pages.size()) * page_bytes(layer);
  }
  return total;
}

std::vector<KvCache::PageRef> KvCache::page_refs() const {
  std::vector<PageRef> out;
  for (const Layer& layer : layers_) {
    for (const std::byte* page : layer.data) {
      out.push_back({.address = page, .bytes = page_bytes(layer)});
    }
  }
  return out;
}

}  // namespace facet::engine
