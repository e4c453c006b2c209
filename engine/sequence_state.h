// SequenceState: what is behind a Sequence. See engine.h for what each function promises.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/kv/cache.h"
#include "engine/runtime.h"
#include "engine/vision/soft_tokens.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
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
  /// How a sequence decodes, step by step: confirm() takes over as many of the next ids as the
  /// drafts of the last step foretold, and says how many; they are computed already.
  std::size_t confirm(std::span<const TokenId> ids);
  /// Appends what is left of the ids (at least one), and computes `drafts`, a guess of what follows
  /// them, in the same pass; drafts that nobody confirmed are dropped. As many drafts are taken as
  /// fit the context: drafts_left(). `candidates`: for what comes after the last of `ids` and after
  /// each draft, found in place of logits, which are then not known; those of drafts that were not
  /// taken, and all where the ids are more than a chunk (the logits are known then), stay as they
  /// are. Empty: logits. `next`: how one of the candidates will be chosen, where the next call
  /// appends that one and nothing else; a device then begins with it. REQUIRES: drafts.size() <
  /// kRewindFreeTokens, and candidates.size() is 0 or 1 + drafts.size().
  Status extend(std::span<const TokenId> ids,
                std::span<const TokenId> drafts,
                std::span<CandidateRow> candidates = {},
                const std::optional<NextChoice>& next = {});
  Result<TokenId> append_greedily(TokenId id, const std::stop_token& stop);
  /// Ends decoding: what is not confirmed is dropped.
  void drop_drafts();
  /// Drafts that are computed and neither confirmed nor dropped.
  [[nodiscard]] std::size_t drafts_left() const { return drafts_.size(); }

  /// After a rewind, a cancelled append or a step that found candidates the logits are unknown; the
  /// first call then drops the drafts and runs the last token again (and counts it).
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
  /// REQUIRES: logits_known_.
  [[nodiscard]] std::span<const float> known_logits() const;
  /// drop_drafts() where the logits are not needed any more.
  void forget_drafts();
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
  /// Computed behind tokens_: the cache is longer by as many.
  std::deque<TokenId> drafts_;
  std::vector<float> rows_;  // (1 + drafts computed, vocabulary), or more, when rows_known_.
  bool rows_known_ = false;  // Then the logits are row_ of rows_, not logits_.
  std::size_t row_ = 0;
  std::int64_t computed_tokens_ = 0;
  std::int64_t branch_ = 0;  // Where another text left this one: remembered in passing.
};

}  // namespace facet::engine
