// Choosing tokens on the device, so that nothing but an id comes back: the order of
// engine/sampling/sampler.h, and its choices for the same logits and seed.
#pragma once

#include "base/result.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Largest top_k that sample_rows takes; a larger one, or 0 (all), is the host sampler's.
inline constexpr int kSampleTopKMax = 128;

/// How one row is sampled; in device memory. Fields as SamplingOptions of sampling/sampler.h.
struct SampleRow {
  float temperature = 0.0F;  ///< 0: greedy.
  std::int32_t top_k = 64;   ///< 1 to kSampleTopKMax; not used when greedy.
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;
  std::int32_t recent_count = 0;         ///< Of recent: the last repetition_window tokens.
  const std::int32_t* recent = nullptr;  ///< Device memory.
  const std::uint64_t* mask = nullptr;   ///< (ceil(vocabulary / 64)) bit id % 64 of word id / 64;
                                         ///< null: everything may come.
  std::uint64_t state = 0;               ///< Of SplitMix64: the seed, then as the kernel leaves it.
};

/// What is written where a token should be, for a row whose logits hold NaN or +infinity, or where
/// none is finite and allowed.
inline constexpr std::int32_t kNoToken = -1;

struct SampleArgs {
  const float* logits = nullptr;  ///< (rows, vocabulary)
  std::int64_t vocabulary = 0;
  int rows = 0;
  SampleRow* options = nullptr;       ///< (rows)
  std::int32_t* token = nullptr;      ///< (rows)
  std::uint64_t* scratch = nullptr;   ///< sample_scratch_words()
  std::uint32_t* counters = nullptr;  ///< (rows), zero before the first use, and after.
};
std::int64_t sample_scratch_words(int rows, std::int64_t vocabulary);

/// One token for every row. Greedy: the highest allowed logit, the lowest id among equals. Else the
/// same token as Sampler for the same state, unless its random number lies within rounding (1e-6)
/// of a boundary between two tokens. One launch.
Status sample_rows(const SampleArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
