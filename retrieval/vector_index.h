// VectorIndex: exact inner-product search over the vectors of the store, by FAISS.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace facet::retrieval {

struct VectorHit {
  std::int64_t id = 0;
  float score = 0.0F;  ///< Inner product.

  bool operator==(const VectorHit&) const = default;
};

/// A flat index with ids, in memory. Searching from several threads is safe while nobody adds.
class VectorIndex {
 public:
  /// An empty index. REQUIRES: 0 < dimension <= 65536.
  static Result<VectorIndex> create(std::size_t dimension);

  /// The index that serialize() gave. Call only with bytes whose checksum is known to be right:
  /// FAISS 1.7.3 crashes and hangs on damaged ones. invalid_data when it is another kind of index.
  static Result<VectorIndex> deserialize(std::span<const std::byte> bytes);

  VectorIndex(VectorIndex&&) noexcept;
  VectorIndex& operator=(VectorIndex&&) noexcept;
  VectorIndex(const VectorIndex&) = delete;
  VectorIndex& operator=(const VectorIndex&) = delete;
  ~VectorIndex();

  /// vectors: (ids.size(), dimension) row-major. REQUIRES: ids are new and not negative.
  Status add(std::span<const std::int64_t> ids, std::span<const float> vectors);

  /// The `k` best by inner product, best first, ties by smaller id. query: (dimension). At most
  /// `threads_max` threads compute.
  Result<std::vector<VectorHit>> search(std::span<const float> query,
                                        std::size_t k,
                                        int threads_max) const;

  Result<std::string> serialize() const;

  [[nodiscard]] std::size_t dimension() const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct State;
  explicit VectorIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace facet::retrieval
