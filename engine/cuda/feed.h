// The choice of a step becomes the token of the next one, where it was made: so that a device goes
// on while its host looks at what came.
#pragma once

#include "base/result.h"
#include "engine/cuda/sampling.h"
#include "engine/cuda/step.h"
#include "engine/sampling/candidates.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Rows of one call.
inline constexpr int kFeedRowsMax = 128;

/// Pointers are device memory, but for the choices, which travel with the launch.
struct FeedArgs {
  int rows = 0;                      ///< At most kFeedRowsMax.
  RowFound* found = nullptr;         ///< (rows) Behind find_candidates; RowFound::next is written.
  std::int32_t* ids = nullptr;       ///< (rows) Written: the token that was chosen.
  std::int32_t* position = nullptr;  ///< (rows) Each is one more,
  std::int32_t* end = nullptr;       ///< and so is each of these.
  NextChoice choices[kFeedRowsMax];  ///< (rows) At most kCandidatesMax are kept of a row.
};

/// One launch. Where a row has no candidates, `next` is -1 and its token 0.
Status feed_rows(const FeedArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
