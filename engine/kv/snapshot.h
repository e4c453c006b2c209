// A saved sequence: tokens, logits and KV cache in one file.
//
// Format, little-endian: "FACETSEQ", u32 version, identity and format (each u32 length, bytes), i64
// computed tokens, u64 token count, i32 ids, u32 image count, per image u64 rows and its f32 rows
// (the places are where the ids are below 0), u64 logit count, f32 logits, u32 layer count; per
// layer u64 first position held, u64 bytes per row, then key row and value row of each position
// from there on; last a u64 checksum over all that precedes it.
#pragma once

#include "base/result.h"
#include "engine/kv/cache.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/soft_tokens.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace facet::engine {

/// What a file must match to be accepted, and the bounds of what it may contain.
struct SnapshotModel {
  std::string_view identity;  ///< ModelInfo.identity; another one is unsupported.
  std::string_view format;    ///< What the tokens were written with; another one is unsupported.
  std::span<const LayerSpec> layers;
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  std::int64_t context_tokens_max = 0;
  KvType kv_type = KvType::f32;  ///< `identity` names it too.
  PageMemory& memory;            ///< Where the cache is to lie.
};

struct Snapshot {
  std::vector<TokenId> tokens;
  std::vector<ImageSpan> images;
  std::vector<float> logits;  ///< (vocabulary), or empty when there are no tokens
  std::int64_t computed_tokens = 0;
  KvCache cache;
};

/// What is saved, borrowed.
struct SnapshotParts {
  std::string_view identity;
  std::string_view format;
  std::span<const TokenId> tokens;
  std::span<const std::shared_ptr<const SoftTokens>> images;  ///< In the order of the tokens.
  std::span<const float> logits;
  std::int64_t computed_tokens = 0;
  const KvCache& cache;
};

/// A file at `path` is there completely or not at all: temporary file beside it, sync, rename.
/// unavailable naming path and cause when the system refuses. Needs memory for a copy of the file.
Status save_snapshot(const std::filesystem::path& path, const SnapshotParts& parts);

/// Reads it back, bit for bit. not_found; invalid_data for anything broken; unsupported for another
/// version or model; limit_exceeded when it holds more than context_tokens_max tokens.
Result<Snapshot> load_snapshot(const std::filesystem::path& path, const SnapshotModel& model);

}  // namespace facet::engine
