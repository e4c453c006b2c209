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
  return 2 * kv_row_bytes(type, layer.kv_heads, layer.head_dim);
}

std::int64_t kv_ring_bytes_max(const LayerSpec& layer, std::int64_t chunk_tokens, KvType type) {
  // The oldest and the newest page may both be partly needed: one page more than the positions.
  const std::int64_t positions = layer.window - 1 + kRewindFreeTokens + chunk_tokens;
  return (pages_for(positions) + 1) * kPageTokens * kv_token_bytes(layer, type);
}

KvCache::KvCache(std::span<const LayerSpec> layers, KvType type, PageMemory& memory)
    : memory_(&memory), type_(type) {
  for (const LayerSpec& spec : layers) {
    layers_.push_back({.kv_heads = spec.kv_heads,
                       .head_dim = spec.head_dim,
                       .window = spec.causal ? spec.window : 0});
  }
}

std::int64_t KvCache::page_bytes(const Layer& layer) const {
  return 2 * kPageTokens * kv_row_bytes(type_, layer.kv_heads, layer.head_dim);
}

bool KvCache::push_page(Layer& layer) const {
  auto page = std::make_shared<Page>();
  page->memory = memory_->allocate(page_bytes(layer));
  if (page->memory == nullptr) return false;
  layer.data.push_back(page->memory.get());
  layer.pages.push_back(std::move(page));
  layer.is_last_foreign = false;
  return true;
}

bool KvCache::own_last_page(Layer& layer, std::int64_t rows) const {
  if (!layer.is_last_foreign && rows >= layer.pages.back()->shared_rows) return true;
  const std::shared_ptr<Page> shared = layer.pages.back();
  layer.pages.pop_back();
  layer.data.pop_back();
  if (!push_page(layer)) {
    layer.data.push_back(shared->memory.get());
    layer.pages.push_back(shared);
    return false;
  }
  const std::int64_t plane = page_bytes(layer) / 2;
  for (const std::int64_t from : {std::int64_t{0}, plane}) {
    memory_->copy(
        layer.data.back() + from, shared->memory.get() + from, rows * (plane / kPageTokens));
  }
  return true;
}

Status KvCache::reserve(std::int64_t tokens) {
  const std::int64_t rows = size_ % kPageTokens;
  for (Layer& layer : layers_) {
    const std::int64_t end = pages_for(size_ + tokens);
    const auto held = [&layer] {
      return layer.first_page + static_cast<std::int64_t>(layer.pages.size());
    };
    bool is_there = true;
    // Pages beyond are there, and own, when an earlier step came to nothing.
    if (tokens > 0 && rows != 0 && held() == pages_for(size_))
      is_there = own_last_page(layer, rows);
    while (is_there && held() < end) is_there = push_page(layer);
    if (is_there) continue;
    return Error{Code::limit_exceeded,
                 "no memory for the keys and values of " + std::to_string(tokens) +
                     " more tokens behind " + std::to_string(size_)};
  }
  return ok();
}

std::int64_t KvCache::window_begin(std::size_t layer, std::int64_t position) const {
  const std::int64_t window = layers_[layer].window;
  return window == 0 ? 0 : std::max<std::int64_t>(0, position - window + 1);
}

void KvCache::commit(std::int64_t tokens) {
  ahead_ = 0;
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
  const Layer& of = layers_[layer];
  for (const std::int64_t plane : {0, 1}) {
    const float* from = plane == 0 ? key : value;
    std::byte* to = row(layer, position, plane);
    for (int head = 0; head < of.kv_heads; ++head, from += of.head_dim) {
      kv_store_head(type_, from, of.head_dim, head, to, of.kv_heads);
    }
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
  return kv_row_bytes(type_, layers_[layer].kv_heads, layers_[layer].head_dim);
}

KvCache KvCache::fork() const {
  KvCache copy({}, type_, *memory_);
  copy.layers_ = layers_;
  copy.size_ = size_;
  for (Layer& layer : copy.layers_) {
    const auto count =
        static_cast<std::size_t>(std::max<std::int64_t>(0, pages_for(size_) - layer.first_page));
    layer.pages.resize(count);
    layer.data.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t first = (layer.first_page + static_cast<std::int64_t>(i)) * kPageTokens;
      const std::int64_t rows = std::min(kPageTokens, size_ - first);
      std::atomic<std::int64_t>& shared = layer.pages[i]->shared_rows;
      std::int64_t known = shared;
      while (known < rows && !shared.compare_exchange_weak(known, rows)) continue;
    }
    layer.is_last_foreign = true;
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
  ahead_ = 0;
  size_ = tokens;
  for (Layer& layer : layers_) {
    const auto keep =
        static_cast<std::size_t>(std::max<std::int64_t>(0, pages_for(tokens) - layer.first_page));
    if (keep >= layer.pages.size()) continue;
    layer.pages.resize(keep);
    layer.data.resize(keep);
    layer.is_last_foreign = false;  // What is last now was full: its shared rows say all.
  }
}

void KvCache::clear() {
  ahead_ = 0;
  size_ = 0;
  for (Layer& layer : layers_) {
    layer.first_page = 0;
    layer.pages.clear();
    layer.data.clear();
    layer.is_last_foreign = false;
  }
}

Status KvCache::reset_for_restore(std::int64_t size, std::span<const std::int64_t> first_held) {
  FACET_CHECK(first_held.size() == layers_.size());
  clear();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    FACET_CHECK(first_held[l] % kPageTokens == 0 && first_held[l] <= window_begin(l, size));
    layers_[l].first_page = first_held[l] / kPageTokens;
  }
  if (Status reserved = reserve(size); !reserved) {
    clear();
    return reserved;
  }
  size_ = size;
  return ok();
}

Status KvCache::read_page(std::size_t layer,
                          std::int64_t first,
                          std::int64_t positions,
                          std::span<std::byte> to) const {
  const auto plane = static_cast<std::size_t>(positions * row_bytes(layer));
  FACET_CHECK(positions <= kPageTokens && to.size() == 2 * plane);
  FACET_TRY_STATUS(memory_->read(to.first(plane), row(layer, first, 0)));
  return memory_->read(to.subspan(plane), row(layer, first, 1));
}

Status KvCache::write_page(std::size_t layer,
                           std::int64_t first,
                           std::int64_t positions,
                           std::span<const std::byte> from) {
  const auto plane = static_cast<std::size_t>(positions * row_bytes(layer));
  FACET_CHECK(positions <= kPageTokens && from.size() == 2 * plane);
  FACET_TRY_STATUS(memory_->write(row(layer, first, 0), from.first(plane)));
  return memory_->write(row(layer, first, 1), from.subspan(plane));
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
