// What retrieval needs from a model, as two small interfaces: retrieval itself knows no engine.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

/// Thread-safe. Vectors are L2-normalised, of dimension() floats.
class Embedder {
 public:
  Embedder() = default;
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;
  virtual ~Embedder() = default;

  [[nodiscard]] virtual std::size_t dimension() const = 0;
  /// Equal strings mean interchangeable vectors; stored with them.
  [[nodiscard]] virtual std::string identity() const = 0;
  /// What the ranking by its vectors weighs beside BM25's 1 when both are fused: 1 for a good
  /// general embedder, less for one that ranks worse than BM25.
  [[nodiscard]] virtual double search_weight() const { return 1.0; }
  [[nodiscard]] virtual Result<std::vector<float>> embed_query(std::string_view text) const = 0;
  [[nodiscard]] virtual Result<std::vector<float>> embed_document(std::string_view title,
                                                                  std::string_view text) const = 0;
};

/// Counts tokens exactly as the generator's tokenizer does. Thread-safe.
class TokenCounter {
 public:
  TokenCounter() = default;
  TokenCounter(const TokenCounter&) = delete;
  TokenCounter& operator=(const TokenCounter&) = delete;
  virtual ~TokenCounter() = default;

  [[nodiscard]] virtual std::int64_t count(std::string_view text) const = 0;
};

}  // namespace facet::retrieval
