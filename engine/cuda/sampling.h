// Finding the best logits of a row on the device: a few hundred bytes come to the host, whose
// Sampler goes on from there (Sampler::sample_from) and so chooses as it does from all logits, bit
// for bit.
#pragma once

#include "base/result.h"
#include "engine/cuda/step.h"
#include "engine/sampling/candidates.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Candidates of one row.
inline constexpr int kCandidatesMax = 128;
/// Logits that one block looks at.
inline constexpr std::int64_t kFindBlockLogits = 2048;
/// Tokens of one row that a repetition penalty looks at.
inline constexpr int kRecentMax = 256;

/// What is wanted of one row; in device memory. Fields as CandidateRow of sampling/candidates.h.
struct RowWish {
  std::int32_t wanted = 0;  ///< 0 to kCandidatesMax; 0: nothing is done.
  std::int32_t ids_end = 0;
  float repetition_penalty = 1.0F;
  std::int32_t recent_count = 0;         ///< 0 to kRecentMax,
  const std::int32_t* recent = nullptr;  ///< in device memory, as is
  const std::uint64_t* mask = nullptr;   ///< (ceil(ids_end / 64)); null: everything may come.
};

/// Written for one row; in device memory, and as it is on its way to the host.
struct RowFound {
  std::int32_t count = 0;  ///< As CandidateRow::found.
  std::int32_t next = -1;  ///< Written by feed_rows alone: the token that it chose.
  Candidate best[kCandidatesMax];
};

struct FindArgs {
  const float* logits = nullptr;  ///< (rows, vocabulary)
  std::int64_t vocabulary = 0;
  int rows = 0;
  const RowWish* wishes = nullptr;    ///< (rows)
  RowFound* found = nullptr;          ///< (rows); those of rows that want nothing stay as they are.
  std::uint64_t* scratch = nullptr;   ///< find_scratch_words()
  std::uint32_t* counters = nullptr;  ///< (rows), zero before the first use, and after.
};
constexpr std::int64_t find_scratch_words(std::int64_t rows, std::int64_t vocabulary) {
  return rows * ((vocabulary + kFindBlockLogits - 1) / kFindBlockLogits) * kCandidatesMax;
}

/// The best candidates of every row: the same bits as CandidateRow asks for, -0 counting as 0. One
/// launch.
Status find_candidates(const FindArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
