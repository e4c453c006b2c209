// SequenceState: what is behind a Sequence. See engine.h for what each function promises.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/kv/cache.h"
#include "engine/runtime.h"
#include "engine/vision/soft_tokens.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace facet::engine {

/// Not thread-safe.
class SequenceState {
 public:
  explicit SequenceState(std::shared_ptr<const Runtime> runtime);

  static Result<std::unique_ptr<SequenceState>> restore(std::shared_ptr<const Runtime> runtime,
                                                        const std::filesystem::path& path,
                                                        std::string_view format);

  Status append(std::span<const TokenId> ids, const AppendOptions& options);
  Status append_scored(std::span<const TokenId> ids,
                       const AppendOptions& options,
                       const LogitsSink& sink);
  /// After a rewind or a cancelled append the logits are unknown; the first call then runs the last
  /// token again (and counts it).
  Result<std::span<const float>> logits();
  [[nodiscard]] std::unique_ptr<SequenceState> fork() const;
  std::size_t recall(std::span<const TokenId> ids);
  void remember();
  Status rewind(std::size_t tokens);
  Status save(const std::filesystem::path& path, std::string_view format);

  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t computed_tokens() const { return computed_tokens_; }
  [[nodiscard]] const Runtime& runtime() const { return *runtime_; }
  [[nodiscard]] const KvCache& cache() const { return cache_; }

 private:
  /// That `ids` are tokens and fit the context.
  [[nodiscard]] Status check_ids(std::span<const TokenId> ids) const;
  /// Runs one chunk; `last` says whether the logits are wanted.
  Status run(std::span<const TokenId> ids, bool last);
  /// Runs one image as one chunk. Its logits are always kept: they cost next to nothing beside it.
  Status run_image(const std::shared_ptr<const SoftTokens>& image);
  /// The image that position `at` is in; null for text.
  [[nodiscard]] const ImageSpan* image_at(std::int64_t at) const;
  /// Where what ends before `size` begins that can only be run as a whole: a token or an image.
  [[nodiscard]] std::int64_t unit_begin(std::int64_t size) const;
  /// Forgets the tokens and images from `size` on; the cache stays as it is.
  void drop_from(std::int64_t size);

  std::shared_ptr<const Runtime> runtime_;
  KvCache cache_;
  std::vector<TokenId> tokens_;
  std::vector<ImageSpan> images_;  // Where tokens_ are below 0.
  std::vector<float> logits_;      // (vocabulary) when logits_known_.
  bool logits_known_ = false;
  std::int64_t computed_tokens_ = 0;
  std::int64_t branch_ = 0;  // Where another text left this one: remembered in passing.
};

}  // namespace facet::engine
