// KvCache: the keys and values of one sequence, in pages of kPageTokens positions per layer.
//
// Global layers hold every position. Sliding layers hold a ring: pages that the window has left are
// given back, so their memory does not grow with the context. Values are stored as KvType says, and
// read back as they were stored: rewind, fork and restore change no bit.
//
// Pages are shared between forks, and rows that a fork may be reading are never written again: who
// wants to write there copies the page first. So a fork costs nothing until it grows, then at most
// one page per layer, and forks may be used from different threads.
//
// Pages lie in a PageMemory, which may be a device's. Whoever computes reads and writes them by the
// addresses of pages(); key(), value() and write() are for the host's memory.
#pragma once

#include "base/result.h"
#include "engine/kv/page_memory.h"
#include "engine/model/config.h"
#include "engine/ops.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace facet::engine {

/// Sliding layers keep this many positions more than the window needs, so that rewinding by up to
/// as many tokens finds them still there.
inline constexpr std::int64_t kRewindFreeTokens = 64;

/// Most bytes that one sliding layer holds while chunks of `chunk_tokens` pass through.
std::int64_t kv_ring_bytes_max(const LayerSpec& layer, std::int64_t chunk_tokens, KvType type);

/// Bytes per token of a layer: keys and values.
std::int64_t kv_token_bytes(const LayerSpec& layer, KvType type);

/// A value with one owner; move-only, copied by name with fork(). Not thread-safe.
class KvCache {
 public:
  /// An empty cache for `layers`. The window of a bidirectional layer does not drop anything.
  /// `memory` must outlive it and its forks.
  explicit KvCache(std::span<const LayerSpec> layers,
                   KvType type = KvType::f32,
                   PageMemory& memory = host_page_memory());
  KvCache(KvCache&&) noexcept = default;
  KvCache& operator=(KvCache&&) noexcept = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache() = default;

  /// Positions that are there in every layer (in sliding layers: as far as the window needs them).
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::size_t layers() const { return layers_.size(); }

  /// A backend's own number for the work that it has begun on the token behind size(); 0: none.
  /// Whatever changes which positions there are forgets it.
  [[nodiscard]] std::uint64_t ahead() const { return ahead_; }
  void set_ahead(std::uint64_t number) { ahead_ = number; }

  /// Makes room for positions [size(), size() + tokens), to be written before commit.
  /// limit_exceeded, and nothing that counts has changed, when there is no memory for the pages.
  Status reserve(std::int64_t tokens);
  /// Declares the reserved positions written, and gives back what windows have left.
  void commit(std::int64_t tokens);

  /// Stores key and value (kv_heads * head_dim each), rounded to the type, at a reserved position.
  void write(std::size_t layer, std::int64_t position, const float* key, const float* value);
  /// The stored row (row_bytes) of a held or reserved position. Writable for reserved positions
  /// only.
  [[nodiscard]] std::byte* key(std::size_t layer, std::int64_t position);
  [[nodiscard]] std::byte* value(std::size_t layer, std::int64_t position);
  [[nodiscard]] const std::byte* key(std::size_t layer, std::int64_t position) const;
  [[nodiscard]] const std::byte* value(std::size_t layer, std::int64_t position) const;
  /// For attention; valid until the next change.
  [[nodiscard]] KvPages pages(std::size_t layer) const;
  /// The first position that `layer` still holds (a multiple of kPageTokens).
  [[nodiscard]] std::int64_t first_held(std::size_t layer) const;
  /// Values of one position of `layer`, for keys and for values each; and their bytes.
  [[nodiscard]] std::int64_t row_values(std::size_t layer) const;
  [[nodiscard]] std::int64_t row_bytes(std::size_t layer) const;
  [[nodiscard]] KvType type() const { return type_; }

  [[nodiscard]] KvCache fork() const;

  /// True when every sliding layer still holds the window of position `tokens`.
  /// REQUIRES: tokens <= size().
  [[nodiscard]] bool can_truncate(std::int64_t tokens) const;
  /// The fewest tokens for which can_truncate holds; it holds for all from there to size().
  [[nodiscard]] std::int64_t truncatable_from() const;
  /// Drops all positions from `tokens` on. REQUIRES: can_truncate(tokens).
  void truncate(std::int64_t tokens);
  /// Drops everything.
  void clear();

  /// An empty cache in the state "positions [0, size) have passed, and layer l holds those from
  /// first_held[l] on": pages are reserved and wait to be written. For restoring a saved cache.
  /// REQUIRES: each first_held is a multiple of kPageTokens, and at most size and what the window
  /// needs (see window_begin).
  /// limit_exceeded, and the cache is empty, when there is no memory for the pages.
  Status reset_for_restore(std::int64_t size, std::span<const std::int64_t> first_held);
  /// The first position that the token at `position` may attend to in `layer`.
  [[nodiscard]] std::int64_t window_begin(std::size_t layer, std::int64_t position) const;

  /// The first `positions` rows of a page into host memory and back: keys, then values,
  /// (2, positions, row_bytes). `first` is the page's first position.
  Status read_page(std::size_t layer,
                   std::int64_t first,
                   std::int64_t positions,
                   std::span<std::byte> to) const;
  Status write_page(std::size_t layer,
                    std::int64_t first,
                    std::int64_t positions,
                    std::span<const std::byte> from);

  /// Bytes of all pages held, shared ones counted in full.
  [[nodiscard]] std::int64_t bytes() const;

  /// A page as others may count it: equal addresses, the same memory.
  struct PageRef {
    const void* address = nullptr;
    std::int64_t bytes = 0;
  };
  [[nodiscard]] std::vector<PageRef> page_refs() const;

 private:
  struct Page {
    std::shared_ptr<std::byte[]> memory;
    /// Rows that another cache may be reading. Never falls.
    std::atomic<std::int64_t> shared_rows{0};
  };
  struct Layer {
    int kv_heads = 0;
    int head_dim = 0;
    std::int64_t window = 0;  ///< 0: holds everything.
    std::int64_t first_page = 0;
    std::vector<std::shared_ptr<Page>> pages;
    std::vector<std::byte*> data;  ///< Their memory, as the kernels want it.
    bool is_last_foreign = false;  ///< Another cache may be writing behind our rows of the last.
  };

  [[nodiscard]] std::int64_t page_bytes(const Layer& layer) const;
  [[nodiscard]] std::byte* row(std::size_t layer, std::int64_t position, std::int64_t plane) const;
  /// False when there is no memory for it.
  [[nodiscard]] bool push_page(Layer& layer) const;
  /// Makes the last page, of which `rows` rows count, one that this cache may write from there on.
  [[nodiscard]] bool own_last_page(Layer& layer, std::int64_t rows) const;

  PageMemory* memory_;
  KvType type_ = KvType::f32;
  std::vector<Layer> layers_;
  std::int64_t size_ = 0;
  std::uint64_t ahead_ = 0;
};

}  // namespace facet::engine
